"""How a sweep is, from its log and its lock or claim: it works while a driver runs, and when it is dead.

Nothing heavy is imported on this path: the answer is wanted at once, also of a sweep of many trials. The surprise is the rate:
the log holds images a second and images seen, so steps a second follow without knowing the batch.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cluster.log.holder import Holder, last_holder
from cluster.log.records import SweepState, TrialState
from cluster.log.store import read_log
from cluster.log.tail import Attempts, attempts
from cluster.targets.target import JobState
from orchestrator.finding import FoundSweep
from orchestrator.results.outcome import judge, params_of
from orchestrator.results.savings import savings
from orchestrator.running.health import course, critics, warnings
from orchestrator.running.spent import budgets
from orchestrator.running.sweeps import remaining_steps, trainings
from orchestrator.targets import SeenJob, see_job

ENDED = ("done", "stopped", "failed")
STATES = ("running", "pending", "paused", "done", "stopped", "failed")


@dataclass(frozen=True)
class Look:
    """A sweep at the moment `now` (seconds since 1970). `asked`: whether somebody asked its trials to save and end. job: what
    its target says of it, where nobody drives it and it was handed to one."""

    found: FoundSweep
    attempts: Attempts
    holder: Holder | None
    asked: bool
    now: float
    job: SeenJob | None = None

    @property
    def state(self) -> SweepState:
        """What its log adds up to."""
        return self.found.state

    @property
    def driven(self) -> bool:
        """Whether a living process drives it."""
        return self.holder is not None and self.holder.drives


def look(found: FoundSweep, ask: bool = True) -> Look:
    """Look at a sweep that was found; `ask`: also its target, where nobody drives it. Raises what its store does."""
    raw = b"" if found.state.state == "pending" else read_log(found.store, found.paths)
    seen = look_at(found, attempts(raw), last_holder(found.store, found.paths))
    is_open = not seen.driven and found.state.state not in ENDED
    return replace(seen, job=see_job(found)) if ask and is_open else seen


def look_at(found: FoundSweep, made: Attempts, holder: Holder | None) -> Look:
    """The same, where its log was read and its holder is known; its target is not asked."""
    asked = holder is not None and holder.drives and found.store.exists(found.paths.stop_request)
    return Look(found, made, holder, asked, time.time())


def describe_status(seen: Look) -> dict[str, Any]:
    """The status as JSON-able values; the keys are an interface that scripts rely on."""
    state = seen.state
    ending, by = ended_by(seen)
    rates = {index: steps_per_second(trial) for index, trial in state.trials.items() if trial.state == "running"}
    return {
        "name": state.name,
        "id": state.id,
        "place": seen.found.place(state.id),
        "system": state.about.get("system"),
        "state": _state(seen),
        "ended_by": by,
        "reason": ending,
        "asked_to_stop": seen.asked,
        "driver": _driver(seen.holder),
        "metrics": seen.state.about.get("metrics") if seen.driven and seen.state.state == "running" else None,
        "job": _job(seen.job),
        "attempt": state.attempt,
        "opened": seen.attempts.opened[-1] if seen.attempts.opened else None,
        "changed": state.changed or None,
        "seconds": elapsed(seen),
        "eta_seconds": eta_seconds(state, rates),
        "trials": _counts(state),
        "running": [_running(seen, state.trials[index], rate) for index, rate in rates.items()],
        "best": _best(state) if state.about else None,
        "stopped_by": dict(savings(state).by),
        "failures": [_failure(trial) for trial in state.trials.values() if trial.failures or trial.state == "failed"],
        "notices": [
            {"trial": trial.index, "step": step, "text": text}
            for trial in state.trials.values()
            for step, text in trial.notices
        ],
        "budget": budgets(state, elapsed(seen)),
    }


def _state(seen: Look) -> str:
    """The log's word, but for a sweep that somebody is about to drive, or whose job ended before it could."""
    job = seen.job
    if job is not None and job.starts(seen.state):
        return "pending"
    if job is not None and job.job is not None and seen.state.state == "pending":
        return "failed" if job.job.state is JobState.failed else "interrupted"
    return seen.state.state if seen.state.about or not seen.driven else "starting"


def ended_by(seen: Look) -> tuple[str | None, str | None]:
    """(why, by whom) a sweep stands still: failure, trials, budget, user, driver; nothing of one that runs, or is done."""
    state = seen.state
    if state.state == "failed":
        return state.reason or "every trial failed", "failure" if state.reason else "trials"
    if state.state == "stopped":
        return state.reason, "budget"
    if state.state != "interrupted" or not state.about or _state(seen) == "pending":
        return None, None
    if seen.attempts.closed:
        return "as somebody wished", "user"
    silent = seen.holder is not None and seen.holder.state == "silent"
    return f"{seen.holder or 'its driver'} is {'silent' if silent else 'gone'} and has not closed the log", "driver"


def elapsed(seen: Look) -> float | None:
    """Seconds since the present driver opened the sweep, or that the last one had, by what it recorded."""
    if not seen.attempts.opened:
        return None
    runs = seen.driven and seen.state.state == "running"
    return max(0.0, (seen.now if runs else seen.state.changed) - seen.attempts.opened[-1])


def steps_per_second(trial: TrialState) -> float | None:
    """By its last report; None where it has made none."""
    images, rate = trial.latest.get("time/images_seen", 0.0), trial.latest.get("time/images_per_second", 0.0)
    return rate * trial.step / images if images > 0 and rate > 0 else None


def eta_seconds(state: SweepState, rates: Mapping[int, float | None]) -> float | None:
    """Seconds to the end at the present rates, at most that: trials may be stopped early. None until a rate is known."""
    known = [rate for rate in rates.values() if rate]
    if not known:
        return None
    steps = int(state.about["steps"])
    return remaining_steps(state, trainings(state), steps) / (sum(known) / len(known) * len(rates))


def _counts(state: SweepState) -> dict[str, int]:
    counted = Counter(trial.state for trial in state.trials.values())
    return {"total": trainings(state), **{name: counted[name] for name in STATES}}


def _driver(holder: Holder | None) -> dict[str, Any] | None:
    if holder is None:
        return None
    return {"state": holder.state, "pid": holder.pid, "host": holder.host, "seen": holder.seen}


def _job(seen: SeenJob | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    job = seen.job
    return {
        "name": job.name if job else None,
        "place": seen.submission.place,
        "state": str(job.state) if job else None,
        "detail": job.detail if job else seen.problem,
    }


def _running(seen: Look, trial: TrialState, rate: float | None) -> dict[str, Any]:
    steps = int(seen.state.about["steps"])
    silent = max(0.0, seen.now - trial.heard) if trial.heard else None
    return {
        "index": trial.index,
        "step": trial.step,
        "steps": steps,
        "images_per_second": trial.latest.get("time/images_per_second"),
        "eta_seconds": (steps - trial.step) / rate if rate else None,
        "silent_seconds": silent,
        "value": _plain(trial.metrics.get(seen.found.metric, math.nan)),
        "course": [_plain(value) for value in course(trial, seen.found.metric)],
        "critics": {name: _plain(value) for name, value in critics(trial).items()},
        "warnings": warnings(seen.state, trial, silent),
        "doing": trial.notices[-1][1] if trial.notices and not trial.step else None,
        "params": params_of(seen.state, trial),
    }


def _best(state: SweepState) -> dict[str, Any] | None:
    """The setting that would be named now; of several objectives the knee of the front."""
    found = judge(state)
    winner, model = found.winner, found.model
    if winner is None or model is None:
        return None
    return {
        "index": model.index,
        "setting": winner.setting,
        "trainings": len(winner.trials),
        "step": winner.step,
        "values": {goal.metric: _plain(mean) for goal, mean in zip(found.goals, winner.means, strict=True)},
        "gains": {goal.metric: _plain(one.mean) for goal, one in zip(found.goals, found.gains(winner), strict=True)},
        "front": len(found.front),
        "params": dict(winner.params),
    }


def _failure(trial: TrialState) -> dict[str, Any]:
    """A trial that went on after its failures has no error any more; its faults are still counted."""
    return {
        "trial": trial.index,
        "state": trial.state,
        "failures": trial.failures,
        "faults": trial.faults,
        "error": trial.error,
    }


def _plain(value: float) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return value if math.isfinite(value) else None
