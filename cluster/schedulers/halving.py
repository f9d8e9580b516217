"""Successive halving, in step: Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", AISTATS 2016.

Trials come in brackets. At each rung a trial waits until its whole bracket is there, and the better ones go on. Nothing here
depends on who was faster: the same sweep takes the same decisions on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from cluster.log.records import TrialState
from cluster.schedulers.decisions import CONTINUE, STOP, Decision, InRounds


def rungs(grace: int, reduction: float, steps: int) -> tuple[int, ...]:
    """The steps at which trials wait: `grace`, and each `reduction` times the one before, below `steps`."""
    found, step = [], float(grace)
    while round(step) < steps:
        found.append(round(step))
        step *= reduction
    return tuple(found)


class Brackets(InRounds):
    """Of each bracket of `bracket` trials, one in `reduction` goes on at each rung, at least one; the preset beside them."""

    name = "halving"

    def __init__(self, grace: int, reduction: float, bracket: int, trials: int, steps: int, mode: str) -> None:
        super().__init__(rungs(grace, reduction, steps), mode)
        self._reduction, self._bracket, self._trials = reduction, bracket, trials

    def settle(self, trials: Mapping[int, TrialState]) -> list[Decision]:
        """Halve each bracket of which all wait at one rung that did not drop out before."""
        by_setting = {trial.setting: trial for trial in trials.values()}
        for first in range(0, self._trials, self._bracket):
            members = range(first, min(first + self._bracket, self._trials))
            if all(setting in by_setting for setting in members):
                decisions = self._halve([by_setting[setting] for setting in members])
                if decisions:
                    return decisions  # one bracket at a time: a round is one record, and of one step
        return []

    def _halve(self, bracket: list[TrialState]) -> list[Decision]:
        still = [trial for trial in bracket if trial.is_live]
        steps = {trial.waits_at for trial in still}
        if len(steps) != 1 or (step := steps.pop()) is None:
            return []
        most = max(1, math.floor(len(bracket) / self._reduction ** (1 + self.pauses.index(step))))
        better = {trial.index for trial in self.ranked(still, step)[:most]} | {0}
        text = f"not among the {most} best of its bracket at step {step}"
        return [
            Decision(t.index, step, CONTINUE) if t.index in better else Decision(t.index, step, STOP, text)
            for t in still
        ]
