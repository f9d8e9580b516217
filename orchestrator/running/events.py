"""A record of a sweep's log as a line for people; most records are none, such as reports between evaluations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from cluster.log.records import STOP, SweepState, TrialState
from orchestrator.running.status import eta_seconds, steps_per_second
from orchestrator.sweep_file.quantities import duration_text

Record = Mapping[str, Any]


def tell(state: SweepState, record: Record) -> list[str]:
    """The lines to show of `record`, which is folded into `state` already."""
    return [text if trial is None else f"trial {trial}  {text}" for trial, text in events(state, record)]


def describe_events(state: SweepState, record: Record) -> list[dict[str, Any]]:
    """The same as JSON-able values; the keys are an interface that scripts rely on."""
    told = []
    for trial, text in events(state, record):
        step = record.get("step", None if trial is None else state.trials[trial].step)
        at = {"at": record.get("at"), "sweep": state.id, "trial": trial, "rank": None, "step": step}
        told.append({**at, "kind": record["kind"], "text": text})
    return told


def events(state: SweepState, record: Record) -> list[tuple[int | None, str]]:
    """What `record` says to people, each with the trial that it is about, if it is about one."""
    kind = record["kind"]
    if kind == "opened":
        return [(None, f"attempt {record['attempt']} begins")]
    if kind == "closed":
        return [(None, f"attempt {state.attempt} has ended: {record['state']}")]
    if kind == "settled":
        stops = [decision for decision in record["decisions"] if decision["action"] == STOP]
        return [(stop["trial"], f"stopped by {record['by']}: {stop.get('why', '')}") for stop in stops]
    if kind not in LINES:
        return []
    trial = state.trials[record["trial"]]
    line = LINES[kind](state, trial, record)
    return [(trial.index, line)] if line else []


def _started(state: SweepState, trial: TrialState, record: Record) -> str:
    return f"started{_at(trial)}" if trial.starts == 1 else f"started again{_at(trial)} (start {trial.starts})"


def _at(trial: TrialState) -> str:
    return f", at step {trial.step} when last heard of" if trial.step else ""


def _reported(state: SweepState, trial: TrialState, record: Record) -> str:
    if not record["evaluated"]:
        return ""
    rates = {t.index: steps_per_second(t) for t in state.trials.values() if t.state == "running"}
    left = eta_seconds(state, rates)
    to_go = "" if left is None else f"  at most {duration_text(left)} to go"
    return f"{_step(state, trial)}{_score(state, trial)}{to_go}"


def _ended(state: SweepState, trial: TrialState, record: Record) -> str:
    by = f" by {trial.by}: {trial.why}" if trial.by else ""
    error = f": {trial.error}" if trial.error else ""
    return f"{trial.state}{by}{error}  {_step(state, trial)}{_score(state, trial)}"


def _failed(state: SweepState, trial: TrialState, record: Record) -> str:
    return f"failure {trial.failures}: {record['error']}"


def _step(state: SweepState, trial: TrialState) -> str:
    return f"step {trial.step}/{state.about['steps']}"


def _score(state: SweepState, trial: TrialState) -> str:
    metric = str(state.about["objective"]["metric"])
    value = trial.metrics.get(metric, math.nan)
    return f"  {metric} {value:.6g}" if math.isfinite(value) else ""


LEAVES = "it leaves a machine that is to go"
LINES: Mapping[str, Callable[[SweepState, TrialState, Record], str]] = {
    "started": _started,
    "reported": _reported,
    "ended": _ended,
    "failed": _failed,
    "stumbled": _failed,
    "noticed": lambda state, trial, record: f"step {record['step']}: {record['text']}",
    "waits": lambda state, trial, record: record["text"],
    "preempted": lambda state, trial, record: f"step {record['step']}: {record.get('why', LEAVES)}",
    "retried": lambda state, trial, record: "is tried again",
}
