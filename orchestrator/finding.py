"""A sweep by whatever a person calls it: its name, its id, its own folder or address."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from cluster.layout import SweepPaths
from cluster.log.driver import is_driven
from cluster.log.records import SweepState, UnreadableLog
from cluster.log.store import log_place, opened_as, read_state, sweeps_in
from cluster.submission import read_submission
from data_shards.address import is_remote, join
from data_shards.errors import DataError
from data_shards.store import Store, local_folder
from orchestrator.errors import Refusal, nearest
from orchestrator.saying import say
from orchestrator.storage import open_to_look, shown, storage_and_id

ASKED = ("objective", "steps", "trials")  # of what a driver records of its plan


@dataclass(frozen=True)
class FoundSweep:
    """A sweep in a storage, as its log tells it."""

    store: Store
    state: SweepState

    def __post_init__(self) -> None:
        """Raise UnreadableLog where the log does not say what everybody asks of it."""
        missing = [key for key in ASKED if self.state.about and key not in self.state.about]
        if missing:
            place = log_place(self.store, self.paths)
            raise UnreadableLog(f"{place}: the log is damaged: it was opened without about.{missing[0]}")

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
    store = open_to_look(storage)
    sweeps, unreadable = _sweeps_of(store)
    damaged = [sweep for sweep in unreadable if opened_as(store, SweepPaths(sweep)) == wanted]
    meant = [sweep for sweep in sweeps if sweep.state.name == wanted]
    if meant:
        if len(meant) > 1:
            older = ", ".join(sweep.state.id for sweep in meant[1:])
            say(f"{wanted} is {meant[0].state.id}, the newest sweep of that name; older: {older}", aside=True)
        if damaged:
            say(f"{wanted} is also {', '.join(damaged)}, whose log cannot be read", aside=True)
        return meant[0]
    if damaged:
        return open_sweep(store, damaged[0])  # which says what is wrong with it
    names = list(dict.fromkeys(sweep.state.name or sweep.state.id for sweep in sweeps))
    near = nearest(wanted, [*names, *(sweep.state.id for sweep in sweeps)])
    where = shown(storage)
    if unreadable:
        several = f"{len(unreadable)} sweeps whose logs" if len(unreadable) > 1 else "a sweep whose log"
        advice = f"it also holds {several} cannot be read; `i2i-cluster list` tells which"
        raise Refusal(f"no sweep {wanted!r} in {where}; {advice}", value=wanted, nearest=near, has=names)
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
    with suppress(FileNotFoundError, NotADirectoryError):  # a file may be called like a folder
        return open_sweep(store, sweep) if is_one else None
    return None


def _sweeps_of(store: Store) -> tuple[list[FoundSweep], list[str]]:
    """The sweeps of a storage whose logs can be read, the one that changed last first; and the ids of the others."""
    sweeps, unreadable = [], []
    for sweep in sweeps_in(store):
        try:
            sweeps.append(open_sweep(store, sweep))
        except FileNotFoundError:
            pass  # claimed by a driver that has recorded nothing yet
        except UnreadableLog:
            unreadable.append(sweep)
    return sorted(sweeps, key=lambda sweep: sweep.state.changed, reverse=True), unreadable


def open_sweep(store: Store, sweep: str) -> FoundSweep:
    """The sweep with the id `sweep` in a storage. Raises UnreadableLog, and FileNotFoundError where nothing is known of it.

    Where the log says running and nobody runs it, it was interrupted, and its running trials wait to go on. One that was handed
    to a target and has no log yet is pending.
    """
    paths = SweepPaths(sweep)
    try:
        state = read_state(store, paths)
    except FileNotFoundError:
        if (made := read_submission(store, paths)) is None:
            raise
        return FoundSweep(store, SweepState(id=sweep, name=made.name, state="pending", changed=made.at))
    state.id = sweep  # a copied folder is its own sweep
    if state.state == "running" and not is_driven(store, paths):
        state.state = "interrupted"
    if state.state != "running":
        for trial in state.trials.values():
            trial.state = "pending" if trial.state == "running" else trial.state
    return FoundSweep(store, state)
