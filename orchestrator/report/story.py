"""What happened to the trials of a sweep and when, and every number they reported, read from its log in one go.

`SweepState` keeps the evaluations alone; curves want the reports between them, and a timeline the times. A step that was trained
again after a crash is told twice: the later report counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.log.records import DAMAGE, SweepState, UnreadableLog, read_records
from cluster.log.store import log_place, read_log
from orchestrator.finding import FoundSweep

LOST = "its driver was lost"
REAL, FAKE, MARGIN = "balance/real_", "balance/fake_", "balance/margin_"  # and the term of the critic
RUNG = {"continue": "goes on", "stop": "is stopped", "pause": "waits for the others", "clone": "goes on from another"}


@dataclass
class Span:
    """A time in which something ran for a trial; seconds since 1970. ended: the trial's state after it, in a word."""

    start: float
    end: float
    ended: str = "running"


@dataclass(frozen=True)
class Mark:
    """Something that happened to a trial at a time: `kind` is start, restart, failure, leaves, rung or end."""

    at: float
    kind: str
    text: str


@dataclass
class TrialStory:
    """reports: step -> the numbers reported there. evaluated: the steps of evaluations. told: when a step was reported first."""

    spans: list[Span] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    reports: dict[int, Mapping[str, float]] = field(default_factory=dict)
    evaluated: set[int] = field(default_factory=set)
    told: dict[int, float] = field(default_factory=dict)


@dataclass
class Story:
    """Of a whole sweep: its trials by number, and when its drivers opened it."""

    trials: dict[int, TrialStory] = field(default_factory=dict)
    opened: list[float] = field(default_factory=list)


def read_story(found: FoundSweep) -> Story:
    """The story that a sweep's log tells. Raises UnreadableLog, naming the log, and OSError."""
    try:
        story = tell_story(read_log(found.store, found.paths))
    except UnreadableLog as error:
        raise type(error)(f"{log_place(found.store, found.paths)}: {error}") from error
    if found.state.state != "running":
        _close_all(story)
    return story


def tell_story(raw: bytes) -> Story:
    """The same of a log's bytes. Raises UnreadableLog."""
    story, state = Story(), SweepState()
    for record in read_records(raw):
        try:
            state.apply(record)
        except DAMAGE as error:
            raise UnreadableLog("the log is damaged") from error
        if record["kind"] == "opened":
            story.opened.append(state.changed)
            _close_all(story)
        for index in _whom(record):
            told = story.trials.setdefault(index, TrialStory())
            _follow(told, state.trials[index].state, state.changed)
            _note(told, state, index, record)
    return story


def _whom(record: Mapping[str, Any]) -> list[int]:
    """The trials that a record is about."""
    if record["kind"] == "settled":
        return [decision["trial"] for decision in record["decisions"]]
    return [record["trial"]] if "trial" in record else []


def _follow(told: TrialStory, state: str, at: float) -> None:
    """A trial is in this state now."""
    runs = bool(told.spans) and told.spans[-1].ended == "running"
    if state == "running" and not runs:
        told.spans.append(Span(at, at))
    elif runs:
        told.spans[-1].end = max(at, told.spans[-1].start)
        told.spans[-1].ended = {"pending": "broken off"}.get(state, state)


def _close_all(story: Story) -> None:
    """Nobody drives the sweep on: what was left running has not run since it was last heard of."""
    for told in story.trials.values():
        if told.spans and told.spans[-1].ended == "running":
            told.spans[-1].ended = LOST


def _note(told: TrialStory, state: SweepState, index: int, record: Mapping[str, Any]) -> None:
    kind, at, trial = record["kind"], state.changed, state.trials[index]
    if kind == "started":
        first = trial.starts == 1
        text = "starts" if first else f"starts again, at step {trial.step} when last heard of (start {trial.starts})"
        told.marks.append(Mark(at, "start" if first else "restart", text))
    elif kind == "reported":
        told.reports[record["step"]] = {**trial.latest, **margins(trial.latest)}
        told.told[record["step"]] = at
        if record["evaluated"]:
            told.evaluated.add(record["step"])
    elif kind in ("failed", "stumbled"):
        told.marks.append(Mark(at, "failure", f"failure {trial.failures}: {record['error']}"))
    elif kind in ("preempted", "resize"):
        told.marks.append(
            Mark(at, "leaves", f"step {record.get('step', trial.step)}: leaves its machine or its workers")
        )
    elif kind in ("decided", "settled"):
        told.marks += _rungs(index, at, record)
    elif kind == "ended":
        by = f" by {trial.by}: {trial.why}" if trial.by else ""
        error = f": {trial.error}" if trial.error else ""
        told.marks.append(Mark(at, "end", f"{trial.state} at step {trial.step}{by}{error}"))


def margins(numbers: Mapping[str, float]) -> dict[str, float]:
    """How much more each critic says of real pictures than of generated ones.

    With `gan: wgan` this is the estimate of the Wasserstein distance, up to the critic's Lipschitz constant (Arjovsky et al. 2017,
    section 3).
    """
    terms = [name.removeprefix(REAL) for name in numbers if name.startswith(REAL)]
    return {f"{MARGIN}{term}": numbers[REAL + term] - numbers[FAKE + term] for term in terms if FAKE + term in numbers}


def _rungs(index: int, at: float, record: Mapping[str, Any]) -> list[Mark]:
    """What a scheduler decided of a trial."""
    if record["kind"] == "decided":
        action = RUNG.get(record["action"], record["action"])
        return [Mark(at, "rung", f"step {record['step']}: {action}, at {_number(record['value'])}")]
    mine = [decision for decision in record["decisions"] if decision["trial"] == index]
    return [
        Mark(at, "rung", f"step {record['step']}: {RUNG.get(one['action'], one['action'])}{_whose(one)}")
        for one in mine
    ]


def _whose(decision: Mapping[str, Any]) -> str:
    donor, why = decision.get("donor"), decision.get("why")
    return (f", trial {donor}" if donor is not None else "") + (f": {why}" if why else "")


def _number(value: object) -> str:
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except ValueError:
        number = math.nan
    return f"{number:.6g}" if math.isfinite(number) else "no finite value"
