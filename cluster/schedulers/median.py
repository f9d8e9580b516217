"""Median stopping: Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017, section 3.2.1.

A trial stops at step s where its best value so far is worse than the median of the other trials' running averages up to s.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from cluster.schedulers.decisions import CONTINUE, STOP, Decision, OnItsOwn, Reported


class Medians(OnItsOwn):
    """Every trial may run `grace` steps, and nobody is stopped before `least` others came as far."""

    name = "median"

    def __init__(self, grace: int, least: int, steps: int, mode: str) -> None:
        self._grace, self._least, self._steps = grace, least, steps
        self._sign = 1.0 if mode == "min" else -1.0
        self._seen: dict[int, dict[int, float]] = {}  # trial -> step -> value, lower is better

    def report(self, trial: int, step: int, value: float) -> Decision:
        """Compare the trial with what the others were like up to this step. The preset is never stopped."""
        seen = self._seen.setdefault(trial, {})
        seen[step] = self._sign * value
        others = [
            statistics.mean(v for s, v in values.items() if s <= step)
            for other, values in self._seen.items()
            if other != trial and max(values) >= step >= min(values)
        ]
        early = step < self._grace or step >= self._steps or len(others) < self._least
        if early or trial == 0 or min(seen.values()) <= (middle := statistics.median(others)):
            return Decision(trial, step, CONTINUE)
        text = f"worse at step {step} than the median of {len(others)} others, {self._sign * middle:.4g}"
        return Decision(trial, step, STOP, text)

    def replay(self, order: Iterable[Reported]) -> None:
        """Learn again what the others were like."""
        for trial, step, value in order:
            self._seen.setdefault(trial, {})[step] = self._sign * value
