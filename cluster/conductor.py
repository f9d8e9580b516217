"""The conductor: what runs next, what is stopped, what is tried again. Each decision is in the log before anyone acts on it.

It knows no Tune: `tune_bridge.py` translates. A new attempt rebuilds it from the log alone, so a driver that was killed
goes on where the log ends: finished trials are never run again, rungs are what they were.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from cluster.arbiter import Arbiter, Clone
from cluster.book import Book
from cluster.job import Job
from cluster.log.records import (
    CHECKPOINT,
    CONTINUE,
    CRASH,
    HALT,
    LIVE,
    PAUSE,
    STALL,
    STOP,
    SweepState,
    TrialState,
    jsonable,
)
from cluster.log.store import SweepLog
from cluster.proposals import is_all_proposed, propose
from cluster.report import HALTED, TOO_LARGE
from cluster.spending import exceeded
from cluster.stop import StopRequest

READY = ("pending", "running")  # states in which a trial that nobody runs is to be started
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

    def __init__(
        self, job: Job, log: SweepLog, observe: Callable[[SweepState], None], stop: StopRequest, clone: Clone
    ) -> None:
        self.job, self.book, self._stop = job, Book(log, observe), stop
        self.stopping: str | None = None  # why no further trial is started: interrupted | stopped | failed
        self.reason: str | None = None  # why all of it failed, where it did, or which budget is spent
        self.started = time.monotonic()
        self._running: set[int] = set()
        # The number of the start that each trial was handed out as; groups start it again.
        self._handed: dict[int, int] = {}
        self._not_before: dict[int, float] = {}  # trials that crashed wait a while
        self._forgiven: dict[int, int] = {}  # failures of a trial before its last report: they delay nothing any more
        self.book.record("opened", id=job.id, name=job.name, attempt=log.state.attempt + 1, about=dict(job.about))
        self._arbiter = Arbiter(job, self.book, clone)
        self._go_on()

    def _go_on(self) -> None:
        """Do what the last driver had decided and not done."""
        self._arbiter.go_on()
        for trial in list(self.state.trials.values()):
            if trial.state == "failed" and self._is_retried(trial):
                self.book.record("retried", trial=trial.index)
        self._settle()

    def _is_retried(self, trial: TrialState) -> bool:
        """Somebody submitted again: the world may have changed. Whom somebody asked for by number is tried in any case."""
        return trial.may_be_retried if self.job.only is None else trial.index in self.job.only

    @property
    def state(self) -> SweepState:
        """What the log adds up to."""
        return self.book.state

    def next_trial(self) -> tuple[int, dict[str, Any]] | None:
        """The next trial to run: an interrupted or failed one first, then a new one. None: nothing to start now."""
        self.look_up()
        if self.stopping:
            return None
        for trial in self.state.trials.values():
            if self._waits(trial) and time.monotonic() >= self._not_before.get(trial.index, 0.0):
                self._start(trial.index)
                return trial.index, trial.params
        return self._suggest() if self.job.only is None else None

    def _suggest(self) -> tuple[int, dict[str, Any]] | None:
        """A trial that nobody has heard of yet. Of a setting that was stopped already it is not worth a start."""
        while (found := propose(self.job, self.state.trials)) is not None:
            index, more = len(self.state.trials), {"finalist": True} if found.finalist else {}
            self.book.record(
                "suggested", trial=index, params=found.params, setting=found.setting, seed=found.seed, **more
            )
            if not self._arbiter.is_out(self.state.trials[index]):
                self._start(index)
                return index, found.params
        return None

    def _waits(self, trial: TrialState) -> bool:
        """Whether it is to be started and nobody runs it."""
        asked = self.job.only is None or trial.index in self.job.only
        return asked and trial.state in READY and trial.index not in self._running

    def is_finished(self) -> bool:
        """Whether nothing runs and nothing more will be started."""
        if any(self.state.trials[index].state == "running" for index in self._running):
            return False
        if self.stopping:
            return True
        trials = self.state.trials
        if self.job.only is not None:
            return not any(self._waits(trial) for trial in trials.values())
        return not any(t.is_live for t in trials.values()) and is_all_proposed(self.job, trials)

    def is_stuck(self) -> bool:
        """Whether nothing runs, nothing waits for its turn, and yet something is left: that must never be."""
        running = any(self.state.trials[index].state == "running" for index in self._running)
        return not (running or self.is_finished() or any(self._waits(trial) for trial in self.state.trials.values()))

    def reported(self, index: int, step: int, metrics: Mapping[str, float], evaluated: bool) -> str:
        """A trial's report; says whether it goes on."""
        trial = self.state.trials[index]
        if trial.state != "running":
            return STOP  # a worker ran ahead of the decision: the decision stands
        self._forgiven[index] = trial.failures
        self.book.record("reported", trial=index, step=step, metrics=jsonable(metrics), evaluated=evaluated)
        self.look_up()
        given_up = None if trial.finalist else self.job.stops(trial)
        if given_up is not None and step < self.job.steps:
            self.book.end(index, "stopped", None, *given_up)
            self._settle()
            return STOP
        action = self._arbiter.judge(trial, step, metrics) if evaluated else CONTINUE
        if evaluated:
            self.book.commit()  # it goes on, and says this evaluation never again
        if action == PAUSE:
            self._running.discard(index)
            self._settle()
            return STOP
        return action

    def ended(self, index: int, outcome: str, error: str | None) -> None:
        """A trial came to its end: done, interrupted (it stays resumable), failed, too large, or halted by what all trials need.

        A halted one may be tried again when the sweep is submitted again: the store has been waited for, and others meet the same.
        """
        self._running.discard(index)
        trial = self.state.trials[index]
        if outcome == "interrupted":
            self.stopping = self.stopping or "interrupted"  # it has seen somebody's request before we did
            return
        if trial.state not in LIVE:
            return
        if outcome != HALTED:
            state = "failed" if outcome == TOO_LARGE else outcome
            self.book.end(index, state, error, nonfinite=outcome == "failed")
            self._settle()
            return
        self.book.record("failed", trial=index, error=error, count=trial.failures + 1, what=HALT)
        self.book.end(index, "failed", error)
        if self.reason is None:
            self.stopping, self.reason = "failed", error
            self._ask_to_stop()

    def noticed(self, index: int, step: int, text: str) -> None:
        """Something worth telling happened to a trial; nothing is decided by it."""
        self.book.record("noticed", trial=index, step=step, text=text)

    def stumbled(self, index: int, error: str) -> str:
        """A trial failed at something (to write a checkpoint) and trains on; says whether the budget lets it."""
        trial = self.state.trials[index]
        if trial.state != "running":
            return STOP
        self.book.record("stumbled", trial=index, error=error, count=trial.failures + 1, what=CHECKPOINT)
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
            self.book.record(outcome, trial=index, step=step)
        self.look_up()
        if trial.state not in LIVE or self.stopping:
            self._running.discard(index)
            return STOP
        self.book.record("started", trial=index, attempt=self.state.attempt)
        return CONTINUE

    def left(self, index: int, step: int, why: str | None = None) -> None:
        """A trial goes on elsewhere, and it counts as nothing: it saved and left a machine that is to go, or else `why`."""
        self._running.discard(index)
        if self.state.trials[index].state in LIVE:
            self.book.record("preempted", trial=index, step=step, **({"why": why} if why else {}))

    def lose_all_nodes(self) -> None:
        """There is nothing left to run on. May be called by another thread; the book's `check` raises it in the one that drives."""
        self.book.failure = self.book.failure or NothingToRunOn(
            "every node of this Ray is dead (the process that keeps one may have been killed for want of memory); "
            "submit the same file again to go on"
        )

    def close(self) -> str:
        """Record how the attempt ended; returns the sweep's state."""
        trials = self.state.trials.values()
        proposed = is_all_proposed(self.job, self.state.trials)
        unfinished = not proposed or any(t.is_live for t in trials)
        ended = "failed" if all(t.state == "failed" for t in trials) else "done"
        state = "failed" if self.stopping == "failed" else (self.stopping or "interrupted") if unfinished else ended
        self.book.record("closed", state=state, reason=None if state == "done" else self.reason)
        return state

    def _start(self, index: int) -> None:
        self._running.add(index)
        self.book.record("started", trial=index, attempt=self.state.attempt)
        self._handed[index] = self.state.trials[index].starts

    def _fail(self, index: int, error: str) -> None:
        """Count a failure; one too many ends the trial."""
        what = STALL if STALLED in error else CRASH
        self.book.record("failed", trial=index, error=error, count=self.state.trials[index].failures + 1, what=what)
        self._spent(index, error)

    def _spent(self, index: int, error: str) -> bool:
        """Whether a trial's budget is spent: then it has ended, with an error that adds it up."""
        trial = self.state.trials[index]
        if trial.failures <= self.job.failures:
            return False
        added = ", ".join(f"{count} x {what}" for what, count in trial.faults.items())
        times = f"failed {trial.failures} times: {added}; budget.failures is {self.job.failures}"
        self.book.end(index, "failed", f"{error} ({times})")
        self._settle()  # nobody needs to wait for it any longer
        return True

    def look_up(self) -> None:
        """See whether the sweep should end: somebody asked, or its time is over."""
        if self.stopping:
            return
        if self._stop.is_made():
            self.stopping = "interrupted"
        elif spent := self._spent_budget():
            self.stopping, self.reason = "stopped", spent
            self._ask_to_stop()

    def _spent_budget(self) -> str | None:
        """Which budget of the sweep is spent."""
        wall = self.job.wall
        if wall is not None and time.monotonic() - self.started > wall:
            return f"budget.wall: this submit has had its {wall:.4g} s"
        return exceeded(self.job, self.state.trials)

    def _ask_to_stop(self) -> None:
        with self.book.remembering():
            self._stop.make()

    def _settle(self) -> None:
        while not self.stopping and self._arbiter.settle():
            pass  # one round may make the next one possible

    def __reduce__(self) -> tuple[type[_Nothing], tuple[()]]:
        """Tune pickles its configuration into a file nobody reads back; an open log cannot be pickled."""
        return _Nothing, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Conductor:
        return self


class _Nothing:
    """What stands for a conductor in Tune's own files."""
