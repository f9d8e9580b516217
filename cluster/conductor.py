"""The conductor: what runs next, what is stopped, what is tried again. Each decision is in the log before anyone acts on it.

It knows no Tune: `tune_bridge.py` translates. A new attempt rebuilds it from the log alone, so a driver that was killed
goes on where the log ends: finished trials are never run again, rungs are what they were.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cluster.job import Job
from cluster.log.lock import SweepBusy
from cluster.log.records import CHECKPOINT, CRASH, HALT, LIVE, STALL, SweepState, TrialState, jsonable
from cluster.log.store import SweepLog
from cluster.rungs import Rungs
from cluster.stop import StopRequest
from data_shards.errors import DataError

CONTINUE, STOP = "continue", "stop"
HALTED = "halted"  # a trial's outcome: its data or the storage does not serve
STALLED = "stalled for"  # a watchdog's words
LONGEST_PAUSE_S = 30.0  # before a trial that crashed is tried again


class NothingToRunOn(OSError):
    """No machine is left."""


def pause_s(first: float, failures: int) -> float:
    """Seconds before a trial that has failed so often is tried again: they double."""
    return min(LONGEST_PAUSE_S, first * 2.0 ** min(failures, 10))


class Conductor:
    """Drives one attempt of `job`. `observe` is called with the state after every record, for whoever shows it.

    `stop` is how anybody, the conductor too, asks the trials to save and end.
    """

    def __init__(self, job: Job, log: SweepLog, observe: Callable[[SweepState], None], stop: StopRequest) -> None:
        self.job, self.log, self._observe, self._stop = job, log, observe, stop
        self.stopping: str | None = None  # why no further trial is started: interrupted | stopped | failed
        self.reason: str | None = None  # why all of it failed, where it did
        self.started = time.monotonic()
        self.failure: OSError | ValueError | None = None  # of the storage: nothing can go on without it
        self._running: set[int] = set()
        self._handed: dict[
            int, int
        ] = {}  # the number of the start that each trial was handed out as; groups start it again
        self._not_before: dict[int, float] = {}  # trials that crashed wait a while
        self._forgiven: dict[int, int] = {}  # failures of a trial before its last report: they delay nothing any more
        self._record("opened", id=job.id, name=job.name, attempt=log.state.attempt + 1, about=dict(job.about))
        for (trial, _), action in list(log.state.decisions.items()):
            if action == STOP and log.state.trials[trial].state in LIVE:  # the last driver died between the two records
                self._end(trial, "stopped", None)
        for trial_state in list(log.state.trials.values()):
            if trial_state.may_be_retried:  # somebody submitted again: the world may have changed
                self._record("retried", trial=trial_state.index)
        self._rungs = Rungs(job.asha, job.steps, job.mode) if job.asha else None
        if self._rungs:
            self._rungs.replay(log.state.order)

    @property
    def state(self) -> SweepState:
        """What the log adds up to."""
        return self.log.state

    def next_trial(self) -> tuple[int, dict[str, Any]] | None:
        """The next trial to run: an interrupted or failed one first, then a new one. None: nothing to start now."""
        self._look_up()
        if self.stopping:
            return None
        for trial in self.state.trials.values():
            waiting = trial.state in LIVE and trial.index not in self._running
            if waiting and time.monotonic() >= self._not_before.get(trial.index, 0.0):
                self._start(trial.index)
                return trial.index, trial.params
        index = len(self.state.trials)
        if index >= self.job.trials:
            return None
        params = self.job.suggest(index)
        self._record("suggested", trial=index, params=params)
        self._start(index)
        return index, params

    def is_finished(self) -> bool:
        """Whether nothing runs and nothing more will be started."""
        if self._running:
            return False
        if self.stopping:
            return True
        waiting = any(t.state in LIVE for t in self.state.trials.values())
        return not waiting and len(self.state.trials) >= self.job.trials

    def reported(self, index: int, step: int, metrics: Mapping[str, float], evaluated: bool) -> str:
        """A trial's report; says whether it goes on."""
        self._look_up()
        trial = self.state.trials[index]
        if trial.state != "running":
            return STOP  # a worker ran ahead of the decision: the decision stands
        self._forgiven[index] = trial.failures
        self._record("reported", trial=index, step=step, metrics=jsonable(metrics), evaluated=evaluated)
        if not evaluated or self._rungs is None:
            return CONTINUE
        # After a crash a trial says its last evaluation again: what was decided then stands.
        action = self.state.decisions.get((index, step)) or self._decide(
            trial, step, metrics.get(self.job.metric, math.nan)
        )
        if action == STOP:
            self._end(index, "stopped", None)
        return action

    def ended(self, index: int, outcome: str, error: str | None) -> None:
        """A trial came to its own end: done, interrupted (it stays resumable), failed, or halted by what all trials need.

        A halted one, whose data or storage does not serve, may be tried again when the sweep is submitted again, not
        before: the store has been waited for already, and the other trials would only meet the same.
        """
        self._running.discard(index)
        trial = self.state.trials[index]
        if outcome == "interrupted" or trial.state not in LIVE:
            return
        if outcome != HALTED:
            self._end(index, outcome, error)
            return
        self._record("failed", trial=index, error=error, count=trial.failures + 1, what=HALT)
        self._end(index, "failed", error)
        if self.reason is None:
            self.stopping, self.reason = "failed", error
            self._ask_to_stop()

    def noticed(self, index: int, step: int, text: str) -> None:
        """Something worth telling happened to a trial; nothing is decided by it."""
        self._record("noticed", trial=index, step=step, text=text)

    def stumbled(self, index: int, error: str) -> str:
        """A trial failed at something (to write a checkpoint) and trains on; says whether the budget lets it."""
        trial = self.state.trials[index]
        if trial.state != "running":
            return STOP
        self._record("stumbled", trial=index, error=error, count=trial.failures + 1, what=CHECKPOINT)
        return STOP if self._spent(index, error) else CONTINUE

    def crashed(self, index: int, start: int, error: str) -> None:
        """A trial's process died or raised: it goes on from its last checkpoint while the budget lasts.

        start: the start that it was handed out as; one that it was handed out again after, or has told the end of, is no news.
        """
        trial = self.state.trials[index]
        if start != self._handed.get(index) or index not in self._running:
            return
        self._running.discard(index)
        if trial.state not in LIVE:
            return
        self._fail(index, error)
        in_a_row = trial.failures - self._forgiven.get(index, 0)
        self._not_before[index] = time.monotonic() + pause_s(self.job.pause, in_a_row)

    def fell(self, index: int, outcome: str, step: int, error: str | None) -> str:
        """A trial's worker group ended and can be started again in its place: crashed, which counts, or preempted or resized,
        which does not. Says whether it is to be started; that is in the log already."""
        trial = self.state.trials[index]
        if trial.state != "running":
            return STOP
        if outcome == "crashed":
            self._fail(index, error or "its workers died")
        else:
            self._record(outcome, trial=index, step=step)
        self._look_up()
        if trial.state not in LIVE or self.stopping:
            self._running.discard(index)
            return STOP
        self._record("started", trial=index, attempt=self.state.attempt)
        return CONTINUE

    def left(self, index: int, step: int) -> None:
        """A trial saved and left a machine that was announced to go: it goes on elsewhere, and it counts as nothing."""
        self._running.discard(index)
        if self.state.trials[index].state in LIVE:
            self._record("preempted", trial=index, step=step)

    def lose_all_nodes(self) -> None:
        """There is nothing left to run on. May be called by another thread; `check` raises it in the one that drives."""
        self.failure = self.failure or NothingToRunOn(
            "every node of this Ray is dead (the process that keeps one may have been killed for want of memory); "
            "submit the same file again to go on"
        )

    def check(self) -> None:
        """Raise what makes it impossible to go on, if somebody has found it out."""
        if self.failure is not None:
            raise self.failure

    def close(self) -> str:
        """Record how the attempt ended; returns the sweep's state."""
        trials = self.state.trials.values()
        unfinished = len(trials) < self.job.trials or any(t.state in LIVE for t in trials)
        ended = "failed" if all(t.state == "failed" for t in trials) else "done"
        state = "failed" if self.reason else (self.stopping or "interrupted") if unfinished else ended
        self._record("closed", state=state, reason=self.reason)
        return state

    def _decide(self, trial: TrialState, step: int, value: float) -> str:
        """The scheduler's word on an evaluation, logged. The preset is never stopped: a search must beat something."""
        assert self._rungs is not None
        if not math.isfinite(value):
            return CONTINUE
        stop = self._rungs.report(trial.index, step, value)
        action = STOP if stop and trial.index != 0 and step < self.job.steps else CONTINUE
        self._record("decided", trial=trial.index, step=step, value=value, action=action)
        return action

    def _start(self, index: int) -> None:
        self._running.add(index)
        self._record("started", trial=index, attempt=self.state.attempt)
        self._handed[index] = self.state.trials[index].starts

    def _fail(self, index: int, error: str) -> None:
        """Count a failure; one too many ends the trial."""
        what = STALL if STALLED in error else CRASH
        self._record("failed", trial=index, error=error, count=self.state.trials[index].failures + 1, what=what)
        self._spent(index, error)

    def _spent(self, index: int, error: str) -> bool:
        """Whether a trial's budget is spent: then it has ended, with an error that adds it up."""
        trial = self.state.trials[index]
        if trial.failures <= self.job.failures:
            return False
        added = ", ".join(f"{count} x {what}" for what, count in trial.faults.items())
        times = f"failed {trial.failures} times: {added}; budget.failures is {self.job.failures}"
        self._end(index, "failed", f"{error} ({times})")
        return True

    def _end(self, index: int, state: str, error: str | None) -> None:
        self._running.discard(index)
        self._record("ended", trial=index, state=state, error=error)

    def _look_up(self) -> None:
        """See whether the sweep should end: somebody asked, or its time is over."""
        if self.stopping:
            return
        if self._stop.is_made():
            self.stopping = "interrupted"
        elif self.job.wall is not None and time.monotonic() - self.started > self.job.wall:
            self.stopping = "stopped"
            self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        with self._remembering():
            self._stop.make()

    def _record(self, kind: str, **fields: Any) -> None:
        with self._remembering():
            self.log.append(kind, **fields)
        self._observe(self.state)

    @contextmanager
    def _remembering(self) -> Iterator[None]:
        """Keep what the storage fails with: Tune hands on its text alone."""
        try:
            yield
        except (DataError, OSError, SweepBusy) as failure:
            self.failure = failure
            raise

    def __reduce__(self) -> tuple[type[_Nothing], tuple[()]]:
        """Tune pickles its configuration into a file nobody reads back; an open log cannot be pickled."""
        return _Nothing, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Conductor:
        return self


class _Nothing:
    """What stands for a conductor in Tune's own files."""
