"""What a sweep has spent of what its file allows, from its log alone; `cluster/spending.py` decides by the same sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cluster.log.records import DAMAGE, SweepState, UnreadableLog
from orchestrator.sweep_file.quantities import read_count, read_duration, read_number

HOUR = 3600.0
DEFAULT_FAILURES = 3  # as the sweep file's own default


def budgets(state: SweepState, elapsed: float | None) -> dict[str, dict[str, float | None]]:
    """Name -> what is spent, and what is allowed (None: no limit, or the log does not say). Times in seconds, and hours.

    elapsed: seconds of the last attempt. `failures` is the most that a trial had, since each has a budget of its own.
    """
    about, allowed = state.about, _allowed(state.about)
    hours = _worker_hours(state)
    found: dict[str, dict[str, float | None]] = {
        "wall_seconds": {"spent": elapsed, "allowed": allowed.get("wall")},
        "failures": {
            "spent": float(max((trial.failures for trial in state.trials.values()), default=0)),
            "allowed": allowed.get("failures"),
        },
        "worker_hours": {"spent": hours, "allowed": None},
    }
    for kind, count in (("gpu_hours", about.get("gpus")), ("cpu_hours", about.get("cpus"))):
        if count is not None:  # of a worker
            found[kind] = {"spent": hours * float(count), "allowed": allowed.get(kind)}
    if about.get("price") is not None and "gpu_hours" in found:
        spent = hours * float(about["gpus"]) * float(about["price"])
        found["cost"] = {"spent": spent, "allowed": allowed.get("cost")}
    return found


def _worker_hours(state: SweepState) -> float:
    """Hours that workers were held by trials."""
    workers = _most_workers(state.about)
    return sum(t.seconds * t.latest.get("resources/workers", workers) for t in state.trials.values()) / HOUR


def _most_workers(about: Mapping[str, Any]) -> float:
    with _told_as_damage():
        return _workers(about)


def _workers(about: Mapping[str, Any]) -> float:
    resources = (about.get("written") or {}).get("resources") or {}
    workers = resources.get("workers", 1)
    return float(read_count(workers[-1] if isinstance(workers, list) else workers))


def _allowed(about: Mapping[str, Any]) -> dict[str, float]:
    """The limits that the file wrote; empty where the log does not hold it."""
    with _told_as_damage():
        return _limits(about)


@contextmanager
def _told_as_damage() -> Iterator[None]:
    """What was submitted had been checked: what is wrong in the log's copy of it is damage. Raises UnreadableLog."""
    try:
        yield
    except (*DAMAGE, IndexError) as error:
        raise UnreadableLog("the log is damaged: what it keeps of the sweep file is not as it was submitted") from error


def _limits(about: Mapping[str, Any]) -> dict[str, float]:
    written = about.get("written")
    if not written:
        return {}
    budget = written.get("budget") or {}
    limits = {
        name: read_number(budget[name]) for name in ("gpu_hours", "cpu_hours", "cost") if budget.get(name) is not None
    }
    if budget.get("wall") is not None:
        limits["wall"] = read_duration(budget["wall"])
    failures = budget.get("failures", DEFAULT_FAILURES)
    return {"failures": float(failures and read_count(failures)), **limits}
