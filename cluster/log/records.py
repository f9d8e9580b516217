"""The sweep's own log: append-only, written before it is acted on. It is the truth about a sweep; Tune's state is a cache.

`SweepState` is what the records add up to, both in the living driver and in a command that reads a dead one's log. Where
the bytes lie is the business of `log_store.py`. Importing this loads neither ray nor torch.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.log.shape import problem

VERSION = 2
LIVE = ("pending", "running", "paused")  # paused: it waits for others, and a scheduler decides what becomes of it
CONTINUE, STOP, PAUSE, CLONE = "continue", "stop", "pause", "clone"  # what may be decided of a trial at a step
DAMAGE = (AttributeError, KeyError, OverflowError, TypeError, ValueError)  # what a record of another shape leads to
LATEST = 1e11  # seconds since 1970: some three thousand years
NOTICES = 20  # of a trial that a state keeps; the log has all
# Kinds by which nobody acts: a power cut may take the last of them. What is suggested is started, or ended, before it is acted on;
# whoever lets a trial go on after an evaluation sees to it that this one is safe.
MAY_WAIT = ("suggested", "reported", "noticed", "waits")
# Kinds of what counts against the budget of failures.
CRASH, STALL, CHECKPOINT, HALT = (
    "a worker died",
    "a step stalled",
    "a checkpoint was not written",
    "nothing to train on",
)


class UnreadableLog(ValueError):
    """A log that cannot be read; the message says why."""


class NewerLog(UnreadableLog):
    """The log was written by a newer version: it is refused rather than misread."""


@dataclass
class TrialState:
    """One trial as the log tells it. `metrics` are those of its last evaluation, `latest` of its last report.

    history: the evaluations in the order of the log, one of each step, `furthest` the last of these steps.
    setting: the trials with one number differ in their seeds alone. starts: how often a process or group was started for it,
    and so the number of its present attempt. faults: what counted against the budget of failures, by kind. notices: the last
    of what was worth telling, with its step. seconds: for how long something ran for it, as far as it was heard of. by: who
    stopped it (a scheduler, a rule, a budget, a user), and why. lineage: where it went on from another trial's checkpoint:
    the step, that trial, and the values from there on.
    """

    index: int
    params: dict[str, Any]
    state: str = "pending"  # pending | running | paused | stopped | done | failed
    step: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    furthest: int = -1
    train_seconds: float = 0.0
    failures: int = 0
    error: str | None = None
    starts: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    notices: list[tuple[int, str]] = field(default_factory=list)
    setting: int = 0
    seed: int | None = None  # of the run; None: the sweep's
    finalist: bool = False  # trained after the search, with a seed that the search has not seen
    by: str | None = None
    why: str = ""
    lineage: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)
    given: int | None = None  # the step of the other trial's checkpoint, until it has been put into its place
    seconds: float = 0.0
    heard: float | None = None  # when it was last heard of, while it runs; seconds since 1970

    @property
    def is_live(self) -> bool:
        """Whether anything is still to come of it."""
        return self.state in LIVE

    @property
    def waits_at(self) -> int | None:
        """The step at which it waits for others; None where it does not."""
        return self.step if self.state == "paused" else None

    def hear(self, at: float, waits: bool = False) -> None:
        """Something was recorded about it: what ran until now has run that long. waits: nothing did, and nothing runs yet."""
        if self.heard is not None and not waits:
            self.seconds += max(0.0, at - self.heard)
        self.heard = at if self.state == "running" and not waits else None

    @property
    def may_be_retried(self) -> bool:
        """Whether it failed by crashes (a full disk, a lost machine) rather than by its own numbers."""
        return self.state == "failed" and self.failures > 0

    def at(self, step: int) -> dict[str, float] | None:
        """The evaluation at exactly this step, where there was one."""
        return next((metrics for seen, metrics in self.history if seen == step), None)


@dataclass
class SweepState:
    """A sweep as its log tells it."""

    id: str = ""
    name: str = ""
    state: str = "interrupted"  # running | interrupted | done | failed | stopped
    attempt: int = 0
    about: dict[str, Any] = field(default_factory=dict)  # what `opened` recorded: the sweep as written, resolved values
    trials: dict[int, TrialState] = field(default_factory=dict)
    decisions: dict[tuple[int, int], str] = field(default_factory=dict)  # (trial, step) -> continue | stop
    order: list[tuple[int, int, float]] = field(
        default_factory=list
    )  # objective values as decided: (trial, step, value)
    reason: str | None = (
        None  # why it failed as a whole (the data or the storage, not its trials), or which budget ended it
    )
    changed: float = 0.0  # seconds since 1970 of the last record, by its writer's clock

    def apply(self, record: Mapping[str, Any]) -> None:
        """Fold one record in. Unknown kinds within a known version are passed over."""
        kind = record["kind"]
        self.changed = float(record.get("at", self.changed))
        if not 0.0 <= self.changed < LATEST:
            raise ValueError(f"{self.changed} is no time")
        if kind == "opened":
            self.id, self.name, self.state = record["id"], record["name"], "running"
            self.attempt, self.about, self.reason = record["attempt"], dict(record["about"]), None
            for trial in self.trials.values():
                trial.heard = None  # nobody knows for how long the last driver's trials went on
        elif kind == "closed":
            self.state, self.reason = record["state"], record.get("reason")
        elif kind == "suggested":
            index = record["trial"]
            self.trials[index] = TrialState(
                index,
                dict(record["params"]),
                setting=record.get("setting", index),
                seed=record.get("seed"),
                finalist=record.get("finalist", False),
            )
        elif kind == "settled":  # one record, so that a round is settled for all or for nobody
            for decision in record["decisions"]:
                self._decide({**decision, "step": record["step"]}, record["by"])
        elif kind == "decided":
            self.order.append((record["trial"], record["step"], float(record["value"])))
            self._decide(record, None)
        elif "trial" in record:
            _apply_to_trial(self.trials[record["trial"]], record)
        if "trial" in record and kind != "suggested":
            self.trials[record["trial"]].hear(self.changed, waits=kind == "waits")

    def _decide(self, decision: Mapping[str, Any], by: str | None) -> None:
        """What becomes of a trial; whom nobody asked is told in a record of its own that it has ended."""
        trial, action = self.trials[decision["trial"]], decision["action"]
        self.decisions[trial.index, decision["step"]] = action
        if action == PAUSE:
            trial.state = "paused"
        elif action == CLONE:
            trial.state, trial.params, trial.given = "pending", dict(decision["params"]), decision["step"]
            trial.lineage = [*trial.lineage, (decision["step"], decision["donor"], trial.params)]
        elif action == STOP and by is not None:
            trial.state, trial.by, trial.why = "stopped", by, decision["why"]
        elif trial.state == "paused":  # it waited for this
            trial.state = "pending"


def _apply_to_trial(trial: TrialState, record: Mapping[str, Any]) -> None:
    kind = record["kind"]
    if kind == "started":
        trial.state, trial.error, trial.starts = "running", None, trial.starts + 1
    elif kind == "given":
        trial.given = None
    elif kind == "retried":
        trial.state, trial.failures, trial.faults, trial.by, trial.why = "pending", 0, {}, None, ""
    elif kind in ("noticed", "waits"):
        trial.notices = [*trial.notices, (record["step"], record["text"])][-NOTICES:]
    elif kind == "preempted":
        trial.state = "pending"
    elif kind == "reported":
        trial.step = record["step"]
        trial.latest = _floats(record["metrics"])
        trial.train_seconds = trial.latest.get("time/train_seconds", trial.train_seconds)
        if record["evaluated"] and (trial.step > trial.furthest or trial.at(trial.step) is None):
            trial.metrics, trial.furthest = trial.latest, max(trial.step, trial.furthest)
            trial.history.append((trial.step, trial.latest))
    elif kind == "ended":
        trial.state, trial.error = record["state"], record.get("error")
        trial.by, trial.why, trial.given = record.get("by"), record.get("why", ""), None
    elif kind in ("failed", "stumbled"):  # the latter trains on
        trial.failures, trial.error = record["count"], record["error"]
        what = record.get("what", CRASH)
        trial.faults = {**trial.faults, what: trial.faults.get(what, 0) + 1}
        trial.state = "pending" if kind == "failed" else trial.state


def _floats(metrics: Mapping[str, Any]) -> dict[str, float]:
    """JSON has no NaN or infinity: they travel as null, "inf" and "-inf". Of the names, alike in all reports, one copy is kept."""
    return {sys.intern(name): math.nan if value is None else float(value) for name, value in metrics.items()}


def jsonable(metrics: Mapping[str, float]) -> dict[str, Any]:
    """The inverse of what reading does: NaN as null, infinities as words, so that every line is plain JSON."""
    return {n: v if math.isfinite(v) else None if math.isnan(v) else str(v) for n, v in metrics.items()}


def read_records(raw: bytes) -> Iterator[dict[str, Any]]:
    """The log's records. A last line without its newline was cut by a crash before anyone acted on it: it is left out."""
    whole = raw[: raw.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            record = json.loads(line)
            version = int(record["v"])
        except (KeyError, RecursionError, TypeError, ValueError) as error:
            raise UnreadableLog(f"line {number} of the log is damaged") from error
        if version > VERSION:
            raise NewerLog(f"the log has version {version}, this i2i-cluster reads up to {VERSION}: upgrade it")
        if wrong := problem(record):
            raise UnreadableLog(f"line {number} of the log is damaged: {wrong}")
        yield record


def fold(raw: bytes) -> SweepState:
    """The state that a log's bytes add up to."""
    state = SweepState()
    for number, record in enumerate(read_records(raw), 1):
        if number == 1 and record["kind"] != "opened":
            raise UnreadableLog(f"line 1 of the log is damaged: a log begins with opened, not with {record['kind']}")
        try:
            state.apply(record)
        except DAMAGE as error:
            raise UnreadableLog(f"line {number} of the log is damaged") from error
    return state
