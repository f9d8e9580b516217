"""All that is exported of a sweep, as a pure fold over the records of its log.

So a driver that takes a sweep up reads the log and goes on counting where the last one stopped: no counter is ever counted twice,
and none goes back. Times are those of the records. Nothing is asked of a clock, a process or a store.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cluster.log.records import LIVE, SweepState, TrialState
from cluster.monitoring import series as s
from cluster.monitoring.numbers import Numbers
from cluster.monitoring.series import ALL, Kind, Labels, Series
from cluster.monitoring.words import DRIVER, FAILED_OF, FAILURES, MOVED, PREEMPTED, RESIZED, RETRIED, STATES, STOP

Best = Callable[[SweepState], Mapping[str, float]]  # the value of each objective that would be named now
Sample = tuple[Series, Labels, float]
UNNAMED = "scheduler"  # who stopped a trial, in a log that does not say
BUDGETS: Mapping[str, Series] = {
    "gpu_seconds": s.GPU_BUDGET,
    "cpu_seconds": s.CPU_BUDGET,
    "cost": s.COST_BUDGET,
    "wall_seconds": s.WALL_BUDGET,
}


def nothing(state: SweepState) -> Mapping[str, float]:
    """Nobody says what is best."""
    return {}


class Fold:
    """What the records so far add up to. `best`: a pure function of the sweep's state."""

    def __init__(self, best: Best = nothing) -> None:
        self.state = SweepState()
        self._best = best
        self._totals: dict[Series, dict[Labels, float]] = {
            one: dict.fromkeys(one.known, 0.0) for one in ALL if one.kind is Kind.counter and not one.of_trial
        }
        self._numbers: dict[int, Numbers] = {}
        self._opened = 0.0  # when the present driver opened the sweep
        self._why: dict[int, str] = {}  # trial -> why its next start is another one

    def apply(self, record: Mapping[str, Any]) -> None:
        """Fold one record in. Raises what `SweepState.apply` does, for one of another shape."""
        kind, index = record["kind"], record.get("trial")
        known = self.state.trials.get(index) if index is not None else None
        seconds, evaluations = (known.seconds, len(known.history)) if known is not None else (0.0, 0)
        before = {trial.index: (trial.state, len(trial.lineage)) for trial in self._touched(record)}
        if kind == "opened":
            self._why |= {trial.index: DRIVER for trial in self.state.trials.values() if trial.state == "running"}
        self.state.apply(record)
        for trial in self._touched(record):
            self._follow(trial, *before.get(trial.index, ("", 0)))
        if kind == "opened":
            self._opened = self.state.changed
            self._add(s.DRIVERS)
        elif index is not None:
            trial = self.state.trials[index]
            self._hold(trial, trial.seconds - seconds)
            self._happened(trial, record)
            if len(trial.history) > evaluations:
                self._judge(trial)

    def samples(self) -> Iterator[Sample]:
        """Everything there is to tell now; nothing before the sweep was opened."""
        if not self.state.attempt:
            return
        for series, values in self._totals.items():
            yield from ((series, labels, value) for labels, value in values.items())
        yield from self._of_sweep()
        for trial in self.state.trials.values():
            if trial.state in LIVE and trial.starts:
                yield from self._of_trial(trial)

    def _touched(self, record: Mapping[str, Any]) -> list[TrialState]:
        """The trials that a record is about, of those that are known."""
        if record["kind"] == "settled":
            indices = [decision["trial"] for decision in record["decisions"]]
        else:
            indices = [record["trial"]] if "trial" in record else []
        return [self.state.trials[index] for index in indices if index in self.state.trials]

    def _follow(self, trial: TrialState, state: str, lineage: int) -> None:
        """What became of a trial that was in `state`, and had been given so many checkpoints."""
        if len(trial.lineage) > lineage:
            self._add(s.EXPLOITS)
            self._numbers.setdefault(trial.index, Numbers()).give()
        if trial.state == "stopped" != state:
            self._add(s.STOPPED, (trial.by or UNNAMED,))
        if trial.state not in LIVE and trial.index in self._numbers:
            self._numbers[trial.index].forget()

    def _happened(self, trial: TrialState, record: Mapping[str, Any]) -> None:
        """One record of one trial."""
        kind, index = record["kind"], trial.index
        if kind == "started":
            self._numbers.setdefault(index, Numbers()).begin()
            if (why := self._why.pop(index, None)) is not None:
                self._add(s.RESTARTED, (why,))
        elif kind == "reported":
            self._take(trial)
        elif kind in ("failed", "stumbled"):
            reason = FAILED_OF.get(record.get("what", ""), FAILURES[0])
            self._add(s.FAILED, (reason,))
            if kind == "failed":
                self._why[index] = reason
            else:
                self._add(s.CHECKPOINT_FAILURES)
        elif kind == "preempted":
            self._why[index] = MOVED if record.get("why") else PREEMPTED
        elif kind == "resize":
            self._why[index] = RESIZED
        elif kind == "retried":
            self._why[index] = RETRIED
        elif kind == "ended" and record.get("nonfinite"):
            self._add(s.NONFINITE, (STOP,))

    def _take(self, trial: TrialState) -> None:
        """A trial's report."""
        numbers, at = self._numbers.setdefault(trial.index, Numbers()), self.state.changed
        saved = numbers.last.get((s.SAVED_STEP, ()))
        for (series, labels), increase in numbers.take({"step": float(trial.step), **trial.latest}):
            self._add(series, labels, increase)
        numbers.last[s.REPORTED_AT, ()] = at
        if numbers.last.get((s.SAVED_STEP, ())) != saved:
            numbers.last[s.SAVED_AT, ()] = at

    def _judge(self, trial: TrialState) -> None:
        """A trial's evaluation, which it has not told before."""
        self._add(s.EVALUATIONS)
        self._add(s.EVALUATING, by=trial.latest.get("time/evaluate_seconds", 0.0))
        last = self._numbers.setdefault(trial.index, Numbers()).last
        last[s.EVALUATED_AT, ()] = self.state.changed
        for goal in self.state.about.get("objectives") or ():
            values = [seen.get(goal["metric"], math.nan) for _, seen in trial.history]
            if found := [value for value in values if not math.isnan(value)]:
                last[s.BEST_SCORE, (goal["metric"],)] = min(found) if goal["mode"] == "min" else max(found)

    def _hold(self, trial: TrialState, seconds: float) -> None:
        """A trial's workers were held for so long."""
        about = self.state.about
        workers = seconds * trial.latest.get("resources/workers", float(about.get("workers", 1)))
        gpus = workers * float(about.get("gpus", 0.0))
        self._add(s.GPU_SECONDS, by=gpus)
        self._add(s.CPU_SECONDS, by=workers * float(about.get("cpus", 0.0)))
        self._add(s.COST, by=gpus / 3600.0 * float(about.get("price") or 0.0))

    def _of_sweep(self) -> Iterator[Sample]:
        state, about = self.state, self.state.about
        objective = (about.get("objective") or {}).get("metric")
        told = (about.get("system"), about.get("searcher"), about.get("scheduler"), objective, about.get("gan"))
        yield s.INFO, (state.name, *(str(one or "") for one in told)), 1.0
        counts = Counter(self._state_of(trial) for trial in state.trials.values())
        yield from ((s.TRIALS, (name,), float(counts[name])) for name in STATES)
        lengths = {s.LENGTH: about.get("steps"), s.SAVED_EVERY: about.get("checkpoint_every")}
        yield from ((series, (), float(steps)) for series, steps in lengths.items() if steps)
        yield from ((s.BEST, (metric,), value) for metric, value in self._best(state).items())
        limits = about.get("limits") or {}
        yield from ((BUDGETS[name], (), float(limit)) for name, limit in limits.items() if limit is not None)
        yield s.ELAPSED, (), max(0.0, state.changed - self._opened)
        yield s.OPENED_AT, (), self._opened
        yield s.RECORDED_AT, (), state.changed

    def _of_trial(self, trial: TrialState) -> Iterator[Sample]:
        own = (str(trial.index),)
        if numbers := self._numbers.get(trial.index):
            for (series, labels), value in (*numbers.last.items(), *numbers.counts.items()):
                yield series, (*own, *labels), value
        if trial.heard is not None and self._state_of(trial) == "running":
            yield s.HEARD_AT, own, trial.heard
        if steps := self.state.about.get("steps"):
            yield s.PROGRESS, own, trial.step / float(steps)

    def _state_of(self, trial: TrialState) -> str:
        """A trial that ran when the last driver went waits to be started by this one."""
        waits = trial.state == "running" and self._why.get(trial.index) == DRIVER
        return "pending" if waits else trial.state

    def _add(self, series: Series, labels: Labels = (), by: float = 1.0) -> None:
        values = self._totals[series]
        values[labels] = values.get(labels, 0.0) + by
