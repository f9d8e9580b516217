"""Successive halving, in step: Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", AISTATS 2016.

Trials come in brackets. At each rung a trial waits until its whole bracket is there, and the better ones go on. Nothing here
depends on who was faster: the same sweep takes the same decisions on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from cluster.log.records import TrialState
from cluster.schedulers.decisions import CONTINUE, PAUSE, STOP, Decision, Reported


def rungs(grace: int, reduction: float, steps: int) -> tuple[int, ...]:
    """The steps at which trials wait: `grace`, and each `reduction` times the one before, below `steps`."""
    found, step = [], float(grace)
    while round(step) < steps:
        found.append(round(step))
        step *= reduction
    return tuple(found)


class Brackets:
    """Of each bracket of `bracket` trials, one in `reduction` goes on at each rung, at least one; the preset beside them."""

    name = "halving"

    def __init__(self, grace: int, reduction: float, bracket: int, trials: int, steps: int, mode: str) -> None:
        self.pauses = rungs(grace, reduction, steps)
        self._reduction, self._bracket, self._trials = reduction, bracket, trials
        self._sign = 1.0 if mode == "min" else -1.0
        self._values: dict[tuple[int, int], float] = {}

    def replay(self, order: Iterable[Reported]) -> None:
        """The values at the rungs."""
        self._values |= {(trial, step): value for trial, step, value in order}

    def report(self, trial: int, step: int, value: float) -> Decision:
        """Wait at a rung, whatever the value."""
        self._values[trial, step] = value
        return Decision(trial, step, PAUSE if step in self.pauses else CONTINUE)

    def settle(self, trials: Mapping[int, TrialState]) -> list[Decision]:
        """Halve each bracket of which all wait at one rung that did not drop out before."""
        by_setting, decisions = {trial.setting: trial for trial in trials.values()}, []
        for first in range(0, self._trials, self._bracket):
            members = range(first, min(first + self._bracket, self._trials))
            if all(setting in by_setting for setting in members):
                decisions += self._halve([by_setting[setting] for setting in members])
                if decisions:
                    break  # a round is one record, and of one step
        return decisions

    def _halve(self, bracket: list[TrialState]) -> list[Decision]:
        still = [trial for trial in bracket if trial.is_live]
        steps = {trial.waits_at for trial in still}
        if len(steps) != 1 or (step := steps.pop()) is None:
            return []
        started = [trial for trial in bracket if (trial.index, step) in self._values]
        most = max(1, math.floor(len(bracket) / self._reduction ** (1 + self.pauses.index(step))))
        ranked = sorted(started, key=lambda t: (self._sign * self._values[t.index, step], t.index))
        better = {trial.index for trial in [t for t in ranked if t in still][:most]} | {0}
        text = f"not among the {most} best of its bracket at step {step}"
        return [
            Decision(t.index, step, CONTINUE) if t.index in better else Decision(t.index, step, STOP, text)
            for t in still
        ]
