"""The alerts about checkpoints, the object store, and the sweep as a whole: restarts, waiting, budget, failures, its exporter."""

from __future__ import annotations

from cluster.monitoring import series as s
from scripts.monitoring import thresholds as t
from scripts.monitoring.alert import JOB, Alert, Severity, Unit
from scripts.monitoring.promql import BY_SWEEP, of, span, total
from scripts.monitoring.recording import PENDING, RUNNING, SWEEP_LABELS, TRIAL_LABELS, UNASKED, Recordings
from scripts.monitoring.training_alerts import IN_SWEEP, IN_TRIAL, SHARE, WHOLE


def sweep_alerts(r: Recordings) -> list[Alert]:
    """In the order of their graveness."""
    return [_exporter(), _stale(r), _failing(r), _restarts(r), _s3(r), _pending(), _budget(r), _failures(r)]


def _exporter() -> Alert:
    return Alert(
        slug="exporter-down",
        severity=Severity.critical,
        expr=f'up{{job="{JOB}"}} == 0',
        threshold=0,
        unit=Unit.plain,
        wait=5 * t.MINUTE,
        summary="A sweep's driver does not answer",
        description="{{ $labels.instance }} is announced as the driver of a sweep and cannot be scraped: the driver was killed, or"
        " its host is gone or cut off.",
        labels=("job", "instance", "sweep"),
        hushes=("training-stalled", "checkpoint-stale", "data-starvation", "throughput-drop", "sweep-pending"),
    )


def _stale(r: Recordings) -> Alert:
    return Alert(
        slug="checkpoint-stale",
        severity=Severity.warning,
        expr=f"{r.unsaved.name} > {t.UNSAVED:g}",
        threshold=t.UNSAVED,
        unit=Unit.plain,
        wait=10 * t.MINUTE,
        summary="A trial has not been saved for long",
        description=f'{IN_TRIAL}: its steps of {{{{ $value | printf "%.1f" }}}} intervals are in no checkpoint (more than'
        f" {t.UNSAVED:g}), and would be trained again after a failure.",
        labels=TRIAL_LABELS,
    )


def _failing(r: Recordings) -> Alert:
    return Alert(
        slug="checkpoint-failing",
        severity=Severity.warning,
        expr=f"{r.unsaved_failures.name} > {t.CHECKPOINT_FAILURES:g}",
        threshold=t.CHECKPOINT_FAILURES,
        unit=Unit.plain,
        wait=0,
        summary="Checkpoints cannot be written",
        description=f"{IN_SWEEP}: {WHOLE} checkpoints could not be written within {span(t.FAILURE_WINDOW)}. The trainings go on,"
        " but each one counts against budget.failures.",
        labels=SWEEP_LABELS,
        hushes=("checkpoint-stale",),
    )


def _restarts(r: Recordings) -> Alert:
    alive = total(of(s.TRIALS, state=(PENDING, RUNNING)))
    return Alert(
        slug="restart-storm",
        severity=Severity.warning,
        expr=f"{r.restarts.name} > {t.RESTARTS:g}\nand on ({BY_SWEEP}) {r.restarts.name} > on ({BY_SWEEP}) {alive}",
        threshold=t.RESTARTS,
        unit=Unit.plain,
        wait=0,
        summary="Trials are started again and again",
        description=f"{IN_SWEEP}: {WHOLE} restarts ({', '.join(UNASKED)}) within {span(t.RESTART_WINDOW)}, which is more than"
        f" {t.RESTARTS:g}, and more than one for each trial that runs or waits.",
        labels=SWEEP_LABELS,
        hushes=("throughput-drop",),
    )


def _s3(r: Recordings) -> Alert:
    return Alert(
        slug="s3-errors",
        severity=Severity.warning,
        expr=f"{r.s3_failed.name} > {t.S3_FAILED:g}",
        threshold=t.S3_FAILED,
        unit=Unit.share,
        wait=10 * t.MINUTE,
        summary="Requests to the object store fail",
        description=f"{IN_SWEEP}: {SHARE} of the requests failed over {span(t.RATE_WINDOW)} (more than {100 * t.S3_FAILED:g} %);"
        " most are made again.",
        labels=SWEEP_LABELS,
        hushes=("data-starvation", "checkpoint-failing", "checkpoint-stale"),
    )


def _pending() -> Alert:
    waiting, running = (total(of(s.TRIALS, state=state)) for state in (PENDING, RUNNING))
    return Alert(
        slug="sweep-pending",
        severity=Severity.warning,
        expr=f"{waiting} > {t.PENDING:g}\nunless on ({BY_SWEEP}) {running} > 0",
        threshold=t.PENDING,
        unit=Unit.plain,
        wait=15 * t.MINUTE,
        summary="A sweep waits for room",
        description=f"{IN_SWEEP}: {WHOLE} trials wait, and none runs.",
        labels=SWEEP_LABELS,
    )


def _budget(r: Recordings) -> Alert:
    labels = (*SWEEP_LABELS, "budget")
    return Alert(
        slug="budget-burn",
        severity=Severity.info,
        expr=f"max by ({', '.join(labels)}) ({r.budgets[0].name}) > {t.BUDGET:g}",
        threshold=t.BUDGET,
        unit=Unit.share,
        wait=0,
        summary="A sweep's budget is nearly spent",
        description=f"{IN_SWEEP}: {SHARE} of its {{{{ $labels.budget }}}} budget is spent (more than {100 * t.BUDGET:g} %). When"
        " all is spent its trials are saved and ended.",
        labels=labels,
    )


def _failures(r: Recordings) -> Alert:
    return Alert(
        slug="trial-failures",
        severity=Severity.warning,
        expr=f"{r.failed.name} > {t.FAILED_TRIALS:g}",
        threshold=t.FAILED_TRIALS,
        unit=Unit.share,
        wait=10 * t.MINUTE,
        summary="Many trials have failed",
        description=f"{IN_SWEEP}: {SHARE} of the trials that were started have failed for good (more than"
        f" {100 * t.FAILED_TRIALS:g} %).",
        labels=SWEEP_LABELS,
    )
