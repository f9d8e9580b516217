"""What the scheduler says, put into the log and carried out.

What was decided is in the log before anyone acts on it, and is carried out again by the next driver where this one dies in
between. A round, in which trials wait for one another, is one record: it is settled for all of them or for nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from cluster.book import Book
from cluster.checkpoints.cloning import CannotClone
from cluster.job import Job
from cluster.log.records import CLONE, CONTINUE, STOP, TrialState, jsonable
from cluster.proposals import searched
from cluster.schedulers.building import build_scheduler
from cluster.schedulers.decisions import Decision

# (donor, trial, step, attempt): the trial's attempt is to go on from the donor's checkpoint; see `checkpoints.cloning`
Clone = Callable[[int, int, int, int], None]


class Arbiter:
    """Asks the job's scheduler; without one, everybody goes on."""

    def __init__(self, job: Job, book: Book, clone: Clone) -> None:
        self._job, self._book, self._clone = job, book, clone
        self._scheduler = build_scheduler(job)
        if self._scheduler:
            self._scheduler.replay(book.state.order)

    def go_on(self) -> None:
        """Carry out what the last driver had decided and not done: it may have died between any two records."""
        trials = self._book.state.trials
        for (index, step), action in list(self._book.state.decisions.items()):
            if action == STOP:
                if trials[index].is_live:
                    self._stop(trials[index], f"decided at step {step}")
                self._stop_siblings(trials[index])
        for trial in list(trials.values()):
            if trial.given is not None:
                self._give(trial)
            elif trial.is_live and not trial.starts:
                self.is_out(trial)

    def judge(self, trial: TrialState, step: int, metrics: Mapping[str, float]) -> str:
        """What becomes of a trial after an evaluation: continue, stop or pause. What was decided before stands: after a crash
        a trial says its last evaluation again."""
        if self._scheduler is None or trial.finalist:  # the final is a comparison at full length
            return CONTINUE
        if (before := self._book.state.decisions.get((trial.index, step))) is not None:
            return CONTINUE if before == CLONE else before
        value = metrics.get(self._job.metric, math.nan)
        if not math.isfinite(value):
            if not self._scheduler.pauses:
                return CONTINUE
            value = math.inf if self._job.mode == "min" else -math.inf  # others wait for it: it is the worst
        decision = self._scheduler.report(trial.index, step, value)
        # A scheduler spares trial 0; so that a search has something to beat, no seed of the preset is stopped.
        action = CONTINUE if decision.action == STOP and trial.setting == 0 else decision.action
        self._book.record("decided", trial=trial.index, step=step, **jsonable({"value": value}), action=action)
        if action == STOP:
            self._stop(trial, decision.why)
            self._stop_siblings(trial)
        return action

    def is_out(self, trial: TrialState) -> bool:
        """Whether a new trial's setting was stopped with another seed already; then it ends with it, by whoever stopped that."""
        for other in self._book.state.trials.values():
            if other.setting == trial.setting and other.state == "stopped" and other.finalist == trial.finalist:
                self._stop(trial, f"its setting was stopped as trial {other.index}", other.by)
                return True
        return False

    def settle(self) -> bool:
        """Tell those that wait for others what becomes of them, where enough is known; says whether it was.

        Whoever gives its checkpoint away stands still until it is given: nobody is started while this runs.
        """
        competing = {trial.index: trial for trial in searched(self._book.state.trials)}
        decisions = self._scheduler.settle(competing) if self._scheduler else []
        if not decisions:
            return False
        told = [_tell(decision) for decision in decisions]
        self._book.record("settled", step=decisions[0].step, by=self._name, decisions=told)
        for decision in decisions:
            if decision.action == CLONE:
                self._give(self._book.state.trials[decision.trial])
        return True

    @property
    def _name(self) -> str:
        return self._scheduler.name if self._scheduler else "scheduler"

    def _stop(self, trial: TrialState, why: str, by: str | None = None) -> None:
        self._book.end(trial.index, "stopped", None, by or self._name, why)

    def _stop_siblings(self, trial: TrialState) -> None:
        """The setting is out: its other seeds need not run to their end."""
        for other in list(self._book.state.trials.values()):
            if other.setting == trial.setting and other.is_live and other.finalist == trial.finalist:
                self._stop(other, f"its setting was stopped as trial {trial.index}")

    def _give(self, trial: TrialState) -> None:
        """Put the other trial's checkpoint where this one goes on from."""
        step, donor, _ = trial.lineage[-1]
        try:
            with self._book.remembering():
                self._clone(donor, trial.index, step, trial.starts + 1)
        except CannotClone as problem:
            self._book.end(trial.index, "failed", str(problem))
            return
        self._book.record("given", trial=trial.index)


def _tell(decision: Decision) -> dict[str, Any]:
    """A decision as a part of a record."""
    told: dict[str, Any] = {"trial": decision.trial, "action": decision.action}
    if decision.action == STOP:
        told["why"] = decision.why
    if decision.action == CLONE:
        told |= {"donor": decision.donor, "params": dict(decision.params)}
    return told
