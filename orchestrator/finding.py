"""A sweep by whatever a person calls it: its name, its id, its own folder or address."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass

from cluster.layout import SweepPaths
from cluster.log.driver import is_driven
from cluster.log.records import SweepState, UnreadableLog
from cluster.log.store import has_log, read_state, sweeps_in
from data_shards.address import is_remote, join
from data_shards.errors import DataError
from data_shards.store import Store, local_folder
from orchestrator.errors import Refusal, nearest
from orchestrator.storage import open_to_look, shown, storage_and_id


@dataclass(frozen=True)
class FoundSweep:
    """A sweep in a storage, as its log tells it."""

    store: Store
    state: SweepState

    @property
    def paths(self) -> SweepPaths:
        """Its paths within the storage."""
        return SweepPaths(self.state.id)

    def place(self, path: str) -> str:
        """The address of one of its paths, for people and programs."""
        return join(self.store.uri, path)

    @property
    def metric(self) -> str:
        """The objective's name."""
        if not self.state.about:
            raise Refusal(f"sweep {self.state.id} has not started yet: its log is empty", value=self.state.id)
        return str(self.state.about["objective"]["metric"])

    @property
    def mode(self) -> str:
        """min or max."""
        return str(self.state.about["objective"]["mode"])


def find_sweep(wanted: str, storage: str, advice: str = "say where to look with --storage") -> FoundSweep:
    """The sweep of that name or id in `storage`, or the one whose own folder or address `wanted` is; of several of one name
    the newest.

    advice: what to do where the storage holds none. Raises Refusal where there is none.
    """
    found = _by_place(wanted) or _by_id(wanted, open_to_look(storage))
    if found is not None:
        return found
    if is_remote(wanted) or "/" in wanted:  # a place, and no name
        raise Refusal(f"no sweep {wanted!r}: {_at(wanted)}", value=wanted)
    sweeps = _sweeps_of(open_to_look(storage))
    meant = [sweep for sweep in sweeps if sweep.state.name == wanted]
    if meant:
        if len(meant) > 1:
            older = ", ".join(sweep.state.id for sweep in meant[1:])
            print(f"{wanted} is {meant[0].state.id}, the newest sweep of that name; older: {older}", file=sys.stderr)
        return meant[0]
    names = [sweep.state.name or sweep.state.id for sweep in sweeps]
    near = nearest(wanted, [*names, *(sweep.state.id for sweep in sweeps)])
    where = shown(storage)
    if not sweeps:
        raise Refusal(f"no sweep {wanted!r}: {where} holds none; {advice}", value=wanted)
    raise Refusal(f"no sweep {wanted!r} in {where}", value=wanted, nearest=near, has=names)


def _by_place(wanted: str) -> FoundSweep | None:
    """The sweep whose own folder or address `wanted` is."""
    try:
        storage, sweep = storage_and_id(wanted)
    except DataError:
        if is_remote(wanted):
            raise
        return None  # a name may hold what no path may
    return _by_id(sweep, open_to_look(storage))


def _at(place: str) -> str:
    """What there is instead of a sweep at a path or an address."""
    if is_remote(place):
        return "nothing of one is stored there"
    with suppress(DataError, OSError):  # what no path may be is not there either
        path = local_folder(place)
        if path.is_file():
            return "that is a file, and a sweep is a folder"
        if path.is_dir():
            return "that folder holds neither one nor a model"
    return "there is no such folder"


def _by_id(sweep: str, store: Store) -> FoundSweep | None:
    is_one = bool(sweep) and "/" not in sweep and sweep not in (".", "..")
    return open_sweep(store, sweep) if is_one and has_log(store, SweepPaths(sweep)) else None


def _sweeps_of(store: Store) -> list[FoundSweep]:
    """The sweeps of a storage whose logs can be read, the one that changed last first."""
    sweeps = []
    for sweep in sweeps_in(store):
        with suppress(
            FileNotFoundError, UnreadableLog
        ):  # `list` tells of it; here it only cannot be the one that is meant
            sweeps.append(open_sweep(store, sweep))
    return sorted(sweeps, key=lambda sweep: sweep.state.changed, reverse=True)


def open_sweep(store: Store, sweep: str) -> FoundSweep:
    """The sweep with the id `sweep` in a storage. Raises UnreadableLog, and FileNotFoundError where it has no log.

    Where the log says running and nobody runs it, it was interrupted, and its running trials wait to go on.
    """
    paths = SweepPaths(sweep)
    state = read_state(store, paths)
    state.id = sweep  # a copied folder is its own sweep
    if state.state == "running" and not is_driven(store, paths):
        state.state = "interrupted"
    if state.state != "running":
        for trial in state.trials.values():
            trial.state = "pending" if trial.state == "running" else trial.state
    return FoundSweep(store, state)
