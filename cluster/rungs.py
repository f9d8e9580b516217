"""ASHA's rungs, Tune's own implementation driven by hand: it reads nothing of a trial but its id.

Rungs depend on the order of the reports alone, which the log keeps: replaying them gives the same rungs again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from cluster.job import Asha

TIME, VALUE = "step", "value"


@dataclass(frozen=True)
class _Stub:
    """A trial, as far as ASHA looks at it."""

    trial_id: str


class Rungs:
    """Decides, report by report, whether a trial is among the better ones at its rung."""

    def __init__(self, asha: Asha, steps: int, mode: str) -> None:
        self._scheduler: Any = AsyncHyperBandScheduler(
            time_attr=TIME,
            metric=VALUE,
            mode=mode,
            max_t=steps,
            grace_period=min(asha.grace, steps),
            reduction_factor=asha.reduction,
            brackets=1,
        )
        self._known: set[int] = set()

    def report(self, trial: int, step: int, value: float) -> bool:
        """Record a finite value; whether ASHA would stop the trial."""
        stub: Any = _Stub(f"{trial:05d}")
        if trial not in self._known:
            self._known.add(trial)
            self._scheduler.on_trial_add(None, stub)
        action = self._scheduler.on_trial_result(None, stub, {TIME: step, VALUE: value})
        return bool(action == TrialScheduler.STOP)

    def replay(self, order: Iterable[tuple[int, int, float]]) -> None:
        """Fill the rungs again from (trial, step, value) in the order in which they were decided."""
        for trial, step, value in order:
            self.report(trial, step, value)
