"""The sweeps of a storage folder, as their logs tell them. Reads nothing else, and loads neither ray nor torch."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from cluster.layout import LOG, SweepPaths
from cluster.lock import is_driven
from cluster.log import UnreadableLog, read_state
from orchestrator.errors import Refusal


def find_sweeps(storage: Path) -> list[dict[str, Any]]:
    """A row for each sweep in `storage`, the one that changed last first; empty where there are none.

    A sweep whose log says "running" while no process holds it was interrupted. Refusal where `storage` is a file.
    """
    folder = storage.expanduser()
    if folder.exists() and not folder.is_dir():
        raise Refusal(f"{storage} is not a folder", path="--storage")
    logs = sorted(folder.glob(f"*/{LOG}"), key=lambda log: log.stat().st_mtime, reverse=True)
    return [_row(folder, log) for log in logs]


def _row(storage: Path, log: Path) -> dict[str, Any]:
    changed = datetime.datetime.fromtimestamp(log.stat().st_mtime).isoformat(sep=" ", timespec="seconds")
    try:
        state = read_state(log)
    except UnreadableLog as error:  # one sweep must not hide the others
        return {"id": log.parent.name, "name": "", "storage": str(storage.absolute()), "state": str(error)}
    row = {"id": log.parent.name, "name": state.name, "storage": str(storage.absolute())}
    alive = is_driven(storage / SweepPaths(log.parent.name).lock)
    trials = state.trials.values()
    return {
        **row,
        "system": state.about.get("system", ""),
        "state": "interrupted" if state.state == "running" and not alive else state.state,
        "trials": f"{sum(t.state in ('done', 'stopped') for t in trials)} of {state.about.get('trials', len(trials))}",
        "failed": sum(t.state == "failed" for t in trials),
        "changed": changed,
    }
