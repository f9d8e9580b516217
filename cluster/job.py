"""What a launch needs to know of a plan: plain values and two pure functions. `orchestrator/` makes it, `cluster/` runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.run import Run


class ClusterTooSmall(ValueError):
    """A trial asks for more than the cluster has."""


@dataclass(frozen=True)
class Asha:
    """Asynchronous successive halving: every trial may run `grace` steps, then about one in `reduction` goes on."""

    grace: int
    reduction: float


@dataclass(frozen=True)
class Job:
    """A sweep to run. `suggest(i)` gives trial i's parameters, `run(i, params)` the complete run; both are pure.

    `about` is recorded when the sweep is opened: the sweep as written and what `auto` became. `failures` is the number of
    times a trial may be tried again after a crash, `wall` the seconds one attempt may take.
    """

    id: str
    name: str
    storage: str
    about: Mapping[str, Any]
    trials: int
    suggest: Callable[[int], dict[str, Any]]
    run: Callable[[int, Mapping[str, Any]], Run]
    metric: str
    mode: str
    steps: int
    asha: Asha | None
    workers: int
    least_workers: int
    cpus_per_worker: float
    gpus_per_worker: float
    failures: int
    wall: float | None
    cpu_capability: str = "auto"
    pause: float = 1.0  # seconds before a first retry; they double

    @property
    def in_groups(self) -> bool:
        """Whether a trial is a group of workers, and not one worker in the trial's own process."""
        return self.workers > 1

    @property
    def elastic(self) -> bool:
        """Whether a trial is resized while it runs: a single one, which takes nothing from others."""
        return self.least_workers < self.workers and self.trials == 1
