"""The sweeps of a storage, as their logs tell them. Reads nothing else, and loads neither ray nor torch."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from cluster.layout import SweepPaths
from cluster.log.driver import is_driven
from cluster.log.records import SweepState, UnreadableLog
from cluster.log.store import read_state, sweeps_in
from cluster.submission import read_submission
from data_shards.address import is_remote
from data_shards.store import Store
from orchestrator.errors import Refusal
from orchestrator.storage import open_to_look, shown


def find_sweeps(storage: str) -> list[dict[str, Any]]:
    """A row for each sweep in `storage`, the one that changed last first; empty where there are none.

    A sweep whose log says "running" while no process holds it was interrupted. Refusal where `storage` is a file.
    """
    store = open_to_look(storage)
    if not is_remote(storage) and Path(store.uri).exists() and not Path(store.uri).is_dir():
        raise Refusal(f"{shown(storage)} is not a folder", path="--storage")
    read: list[tuple[str, SweepState]] = []
    rows = []
    for sweep in sweeps_in(store):
        try:
            read.append((sweep, read_state(store, SweepPaths(sweep))))
        except FileNotFoundError:  # claimed by a driver that has recorded nothing yet, or handed to a target
            read += [(sweep, state) for state in _submitted(store, sweep)]
        except UnreadableLog as error:  # one sweep must not hide the others
            rows.append({"id": sweep, "name": "", "storage": store.uri, "state": str(error)})
    read.sort(key=lambda found: found[1].changed, reverse=True)
    return [*(_row(store, sweep, state) for sweep, state in read), *rows]


def known_trials(state: SweepState) -> str:
    """Which trials a sweep has, to be read after "it has"."""
    last = max(state.trials, default=-1)
    return f"trials 0 to {last}" if last > 0 else "none but trial 0" if last == 0 else "none yet"


def trainings(state: SweepState) -> int:
    """How many trainings a sweep has in all: each setting with all its seeds, and the final's, at most."""
    if state.state == "done":
        return len(state.trials)
    about = state.about
    final = about.get("finalists") or {}
    settings, seeds = int(about.get("trials", 0)), int(about.get("seeds", 1))
    return max(len(state.trials), planned(settings, seeds, int(final.get("settings", 0)), int(final.get("seeds", 0))))


def planned(settings: int, seeds: int, finalists: int, fresh: int) -> int:
    """The trainings of `settings` with `seeds` seeds each, and of a final of the best `finalists` and the preset with `fresh`
    ones each."""
    return settings * seeds + ((min(finalists, settings - 1) + 1) * fresh if finalists else 0)


def remaining_steps(state: SweepState, trials: int, steps: int) -> int:
    """Steps still to train if none of the `trials` trainings is stopped early: an upper bound."""
    left = sum(steps - t.step for t in state.trials.values() if t.is_live)
    return left + steps * (trials - len(state.trials))


def _submitted(store: Store, sweep: str) -> list[SweepState]:
    """The state of a sweep that was handed to a target and has no log yet."""
    made = read_submission(store, SweepPaths(sweep))
    return [] if made is None else [SweepState(id=sweep, name=made.name, state="pending", changed=made.at)]


def _row(store: Store, sweep: str, state: SweepState) -> dict[str, Any]:
    interrupted = state.state == "running" and not is_driven(store, SweepPaths(sweep))
    trials = state.trials.values()
    return {
        "id": sweep,
        "name": state.name,
        "storage": store.uri,
        "system": state.about.get("system", ""),
        "state": "interrupted" if interrupted else state.state,
        "trials": f"{sum(t.state in ('done', 'stopped') for t in trials)} of {trainings(state)}",
        "failed": sum(t.state == "failed" for t in trials),
        "changed": datetime.datetime.fromtimestamp(state.changed).isoformat(sep=" ", timespec="seconds")
        if state.changed
        else "",
    }
