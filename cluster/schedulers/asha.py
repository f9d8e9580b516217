"""ASHA: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020. Tune's own implementation, driven by
hand: it reads nothing of a trial but its id.

Rungs depend on the order of the reports alone, which the log keeps: replaying them gives the same rungs again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from cluster.schedulers.decisions import CONTINUE, STOP, Decision, OnItsOwn, Reported

TIME, VALUE = "step", "value"


@dataclass(frozen=True)
class _Stub:
    """A trial, as far as ASHA looks at it."""

    trial_id: str


class Rungs(OnItsOwn):
    """Every trial may run `grace` steps; then, report by report, about one in `reduction` goes on."""

    name = "asha"

    def __init__(self, grace: int, reduction: float, steps: int, mode: str) -> None:
        self._scheduler: Any = AsyncHyperBandScheduler(
            time_attr=TIME,
            metric=VALUE,
            mode=mode,
            max_t=steps,
            grace_period=min(grace, steps),
            reduction_factor=reduction,
            brackets=1,
        )
        self._steps = steps
        self._known: set[int] = set()

    def report(self, trial: int, step: int, value: float) -> Decision:
        """Whether the trial is among the better ones at its rung. The preset is never stopped: a search must beat something."""
        stub: Any = _Stub(f"{trial:05d}")
        if trial not in self._known:
            self._known.add(trial)
            self._scheduler.on_trial_add(None, stub)
        stops = self._scheduler.on_trial_result(None, stub, {TIME: step, VALUE: value}) == TrialScheduler.STOP
        if stops and trial != 0 and step < self._steps:
            return Decision(trial, step, STOP, f"not among the better ones at step {step}")
        return Decision(trial, step, CONTINUE)

    def replay(self, order: Iterable[Reported]) -> None:
        """Fill the rungs again."""
        for trial, step, value in order:
            self.report(trial, step, value)
