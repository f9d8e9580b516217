"""The recording rules: what alerts and dashboards both ask for, computed once, so that a line in a dashboard is the alert's."""

from __future__ import annotations

from dataclasses import dataclass, fields

from cluster.monitoring import series as s
from cluster.monitoring.words import FAILURES, PREEMPTED, RESTARTS, STATES
from scripts.monitoring import thresholds as t
from scripts.monitoring.promql import BY_SWEEP, BY_TRIAL, Clock, Recorded, increase, of, rate, recorded, span, total

PENDING, RUNNING, PAUSED, FAILED = "pending", "running", "paused", "failed"
assert {PENDING, RUNNING, PAUSED, FAILED} <= set(STATES)
# Restarts that somebody's fault made necessary; those that a driver, a scheduler or a user asked for are none.
UNASKED = (*(reason for reason in RESTARTS if reason in FAILURES), PREEMPTED)
BUDGETS = {
    "gpu": (s.GPU_SECONDS, s.GPU_BUDGET),
    "cpu": (s.CPU_SECONDS, s.CPU_BUDGET),
    "cost": (s.COST, s.COST_BUDGET),
    "wall": (s.ELAPSED, s.WALL_BUDGET),
}
SWEEP_LABELS, TRIAL_LABELS = tuple(BY_SWEEP.split(", ")), tuple(BY_TRIAL.split(", "))


@dataclass(frozen=True)
class Recordings:
    """All of them, in the order in which they are evaluated."""

    nonfinite: Recorded
    silence: Recorded
    best_critic: Recorded
    worst_critic: Recorded
    unsaved: Recorded
    unsaved_failures: Recorded
    restarts: Recorded
    s3_failed: Recorded
    data_wait: Recorded
    per_worker: Recorded
    throughput: Recorded
    budgets: tuple[Recorded, ...]
    failed: Recorded

    def rules(self) -> list[Recorded]:
        """One after the other."""
        values = [getattr(self, field.name) for field in fields(self)]
        return [one for value in values for one in (value if isinstance(value, tuple) else (value,))]


def recordings(clock: Clock) -> Recordings:
    """The rules at that pace; their names are those of the windows as they are meant."""
    per_worker = _trial(recorded("trial", s.THROUGHPUT, "per_worker"), _per_worker())
    return Recordings(
        nonfinite=_grown(t.NONFINITE_WINDOW, s.NONFINITE, clock),
        silence=_trial(recorded("trial", s.HEARD_AT, "silence"), f"time() - max by ({BY_TRIAL}) ({of(s.HEARD_AT)})"),
        best_critic=_trial(recorded("trial", s.ACCURACY, "max"), f"max by ({BY_TRIAL}) ({of(s.ACCURACY)})"),
        worst_critic=_trial(recorded("trial", s.ACCURACY, "min"), f"min by ({BY_TRIAL}) ({of(s.ACCURACY)})"),
        unsaved=_trial(recorded("trial", s.SAVED_STEP, "intervals_behind"), _unsaved()),
        unsaved_failures=_grown(t.FAILURE_WINDOW, s.CHECKPOINT_FAILURES, clock),
        restarts=_grown(t.RESTART_WINDOW, s.RESTARTED, clock, reason=UNASKED),
        s3_failed=_sweep(recorded("sweep", s.S3_ERRORS, f"ratio_rate{span(t.RATE_WINDOW)}"), _s3_failed(clock)),
        data_wait=_trial(
            recorded("trial", s.WAITED, f"rate{span(t.RATE_WINDOW)}"),
            total(rate(s.WAITED, clock.span(t.RATE_WINDOW)), BY_TRIAL),
        ),
        per_worker=per_worker,
        throughput=_trial(
            recorded("trial", s.THROUGHPUT, f"ratio{span(t.RATE_WINDOW)}_{span(t.USUAL_WINDOW)}"),
            f"avg_over_time({per_worker.name}[{clock.span(t.RATE_WINDOW)}])"
            f"\n/ avg_over_time({per_worker.name}[{clock.span(t.USUAL_WINDOW)}])",
        ),
        budgets=tuple(_budget(name) for name in BUDGETS),
        failed=_sweep(
            recorded("sweep", s.TRIALS, "failed_ratio"),
            f"{total(of(s.TRIALS, state=FAILED))}"
            f"\n/ {total(of(s.TRIALS, state=tuple(one for one in STATES if one != PENDING)))}",
        ),
    )


def _sweep(name: str, expr: str) -> Recorded:
    return Recorded(name, expr, SWEEP_LABELS)


def _trial(name: str, expr: str) -> Recorded:
    return Recorded(name, expr, TRIAL_LABELS)


def _grown(window: float, series: s.Series, clock: Clock, **labels: tuple[str, ...]) -> Recorded:
    name = recorded("sweep", series, f"increase{span(window)}")
    return _sweep(name, total(increase(series, clock.span(window), **labels)))


def _unsaved() -> str:
    """How far a trial is beyond its newest checkpoint, or its beginning where there is none, in intervals of checkpoints."""
    of_sweep = f"* on ({BY_SWEEP}) group_left () max by ({BY_SWEEP})"
    step = f"max by ({BY_TRIAL}) ({of(s.PROGRESS)}) {of_sweep} ({of(s.LENGTH)})"
    saved = f"max by ({BY_TRIAL}) ({of(s.SAVED_STEP)})"
    return f"({step} - {saved}\n  or {step})\n/ on ({BY_SWEEP}) group_left () max by ({BY_SWEEP}) ({of(s.SAVED_EVERY)})"


def _s3_failed(clock: Clock) -> str:
    window = clock.span(t.RATE_WINDOW)
    failed = f"{total(rate(s.S3_RETRIES, window))} + {total(rate(s.S3_ERRORS, window))}"
    return f"({failed})\n/ {total(rate(s.S3_REQUESTS, window))}"


def _per_worker() -> str:
    """A trial that goes on with fewer workers is not slower by that."""
    return f"max by ({BY_TRIAL}) ({of(s.THROUGHPUT)}) / max by ({BY_TRIAL}) ({of(s.WORKERS)})"


def _budget(name: str) -> Recorded:
    spent, limit = BUDGETS[name]
    expr = f"max by ({BY_SWEEP}) ({of(spent)}) / max by ({BY_SWEEP}) ({of(limit)})"
    return Recorded("sweep:i2i_sweep_budget_spent:ratio", expr, SWEEP_LABELS, (("budget", name),))
