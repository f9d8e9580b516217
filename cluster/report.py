"""What a run tells while it trains, and where it stands: the words between a worker, its trial and the conductor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

AGAIN = ("preempted", "resize", "crashed")  # outcomes after which the trial goes on, elsewhere or otherwise


@dataclass(frozen=True)
class Place:
    """Where this process stands in its run: its rank among the workers, its device, and the number of the trial's start.

    attempt: higher is later. A process of an earlier attempt that is still alive somewhere is told apart by it.
    """

    rank: int = 0
    workers: int = 1
    device: str = "cpu"
    attempt: int = 0


HALTED, TOO_LARGE = "halted", "too large"  # outcomes of a Report


@dataclass(frozen=True)
class Report:
    """What a run tells at a step.

    outcome: set on the last one. done; interrupted (somebody asked); failed (by its own numbers); halted (by data or a store
    that do not serve: the sweep ends, and may go on once they do); too large (its step has no room in memory); preempted (its
    machine was announced to go); resize (it goes on with another number of workers); crashed (its worker group died, of
    `error`).
    notices: worth telling. failures: counted against `budget.failures` although the training goes on. waits: what for, where
    nothing was found yet to run it on; the next report says that something was.
    """

    step: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    evaluated: bool = False
    outcome: str | None = None
    error: str | None = None
    notices: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    waits: str = ""


WAITING = "waiting for the verdict on a report"  # what a worker does for as long as the driver needs
Tell = Callable[[Report], bool]  # returns whether to go on
