"""What a launch needs to know of a plan: plain values and pure functions. `orchestrator/` makes it, `cluster/` runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.log.records import SweepState, TrialState
from cluster.run import Run

Trials = Mapping[int, TrialState]  # by their numbers, in the order of suggestion
# (a donor's values, number of the round, trial) -> the values to go on with; a pure function
Explore = Callable[[Mapping[str, Any], int, int], Mapping[str, Any]]


METRICS_PORT = 9464  # where metrics are scraped, unless somebody says otherwise


class ClusterTooSmall(ValueError):
    """A trial asks for more than the cluster has."""


class PortTaken(ValueError):
    """The port that was named for metrics cannot be had."""


@dataclass(frozen=True)
class Endpoint:
    """Where a driver's metrics are scraped. port: None: METRICS_PORT, or the next one that is free; 0: nowhere. host: the address
    to listen on; empty: this machine's own loopback, and in a Kubernetes pod all of its addresses."""

    port: int | None = None
    host: str = ""


@dataclass(frozen=True)
class Asha:
    """Asynchronous successive halving: every trial may run `grace` steps, then about one in `reduction` goes on."""

    grace: int
    reduction: float


@dataclass(frozen=True)
class Halving:
    """The same in step: at each rung a bracket of `bracket` trials waits for its last one."""

    grace: int
    reduction: float
    bracket: int


@dataclass(frozen=True)
class Median:
    """Stop what is worse than the median of at least `least` others that came as far, after `grace` steps."""

    grace: int
    least: int


@dataclass(frozen=True)
class PBT:
    """Every `every` steps the worst `quantile` of the trials go on from the best ones' checkpoints, their values perturbed."""

    every: int
    quantile: float
    explore: Explore


Schedule = Asha | Halving | Median | PBT


@dataclass(frozen=True)
class Limits:
    """What a sweep may cost in all, over every attempt at it; None: no limit. `price`: of one GPU for an hour."""

    gpu_hours: float | None = None
    cpu_hours: float | None = None
    cost: float | None = None
    price: float = 0.0


@dataclass(frozen=True)
class Finalists:
    """The best `settings` of the search, and the preset, are trained again with `seeds` seeds that it has not seen.

    rank: settings, the best first, of those that may be named; a pure function of the search's trials.
    """

    settings: int
    seeds: int
    rank: Callable[[Trials], Sequence[int]]


@dataclass(frozen=True)
class Job:
    """A sweep to run. `suggest(i, trials)` gives the values of the i-th setting, None where it has to wait for others;
    `run(trial)` the complete run. Both are pure.

    `about` is recorded when the sweep is opened: the sweep as written and what `auto` became. `trials` is the number of
    settings to search, each trained with `seeds` seeds from `seed` on. `failures` is the number of times a trial may be tried
    again after a crash, `wall` the seconds one attempt may take. `only`: the trials to go on with, all where it is None.
    `stops(trial)` says why a trial should be given up, as (by whom, why), or nothing. placement: of a trial's workers on nodes,
    pack or spread; interface: by which they talk, empty for the libraries' own choice. `best(state)` gives the value of each
    objective for the setting that would be named.
    """

    id: str
    name: str
    storage: str
    about: Mapping[str, Any]
    trials: int
    suggest: Callable[[int, Trials], dict[str, Any] | None]
    run: Callable[[TrialState], Run]
    metric: str
    mode: str
    steps: int
    schedule: Schedule | None
    workers: int
    least_workers: int
    cpus_per_worker: float
    gpus_per_worker: float
    failures: int
    wall: float | None
    cpu_capability: str = "auto"
    placement: str = "pack"
    interface: str = ""
    pause: float = 1.0  # seconds before a first retry; they double
    seed: int = 0
    seeds: int = 1
    finalists: Finalists | None = None
    limits: Limits = field(default_factory=Limits)
    only: frozenset[int] | None = None
    stops: Callable[[TrialState], tuple[str, str] | None] = lambda trial: None
    metrics: Endpoint = Endpoint(port=0)
    best: Callable[[SweepState], Mapping[str, float]] = lambda state: {}

    @property
    def in_groups(self) -> bool:
        """Whether a trial is a group of workers, and not one worker in the trial's own process."""
        return self.workers > 1

    @property
    def elastic(self) -> bool:
        """Whether a trial is resized while it runs: a single one, which takes nothing from others."""
        return self.least_workers < self.workers and self.trials * self.seeds == 1
