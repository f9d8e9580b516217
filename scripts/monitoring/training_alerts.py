"""The alerts about trials as trainings and as GANs. The signs are those of the rules in cluster/stopping.py, in Prometheus's terms.

A rule looks at evaluations and waits for the objective to stand still; an alert cannot, so it tells a person and stops nobody.
"""

from __future__ import annotations

from cluster.monitoring import series as s
from cluster.stopping import PLAYED, UNBOUNDED
from scripts.monitoring import thresholds as t
from scripts.monitoring.alert import Alert, Severity, Unit
from scripts.monitoring.promql import BY_SWEEP, BY_TRIAL, Clock, Recorded, of, span
from scripts.monitoring.recording import SWEEP_LABELS, TRIAL_LABELS, Recordings

IN_TRIAL = "Sweep {{ $labels.sweep }}, trial {{ $labels.trial }}"
IN_SWEEP = "Sweep {{ $labels.sweep }}"
SHARE = "{{ $value | humanizePercentage }}"
WHOLE = '{{ $value | printf "%.0f" }}'
PLAYS = PLAYED.rpartition("/")[2] + ".*"  # terms by which somebody plays against a critic


def training_alerts(r: Recordings, clock: Clock) -> list[Alert]:
    """In the order of their graveness."""
    return [_nonfinite(r), _stalled(r, clock), _critic_won(r), _starved(r), _collapse(), _data(r), _throughput(r)]


def _nonfinite(r: Recordings) -> Alert:
    loss = of(s.LOSS)
    shown = f"count by ({BY_SWEEP}) ({loss} != {loss} or abs({loss}) == Inf)"
    return Alert(
        slug="non-finite",
        severity=Severity.critical,
        expr=f"{r.nonfinite.name} > {t.NONFINITE:g}\nor {shown} > {t.NONFINITE:g}",
        threshold=t.NONFINITE,
        unit=Unit.plain,
        wait=0,
        summary="A training met numbers that are not finite",
        description=f"{IN_SWEEP}: a loss or gradient was NaN or infinite within the last {span(t.NONFINITE_WINDOW)}, or a loss"
        " is so at the last report.",
        labels=SWEEP_LABELS,
        hushes=("trial-failures",),
    )


def _stalled(r: Recordings, clock: Clock) -> Alert:
    return Alert(
        slug="training-stalled",
        severity=Severity.critical,
        expr=f"{r.silence.name} > {clock.number(t.SILENT)}",
        threshold=t.SILENT,
        unit=Unit.seconds,
        wait=5 * t.MINUTE,
        summary="A trial runs, and is not heard of",
        description=f"{IN_TRIAL}: it runs, and has told nothing for {{{{ $value | humanizeDuration }}}} (more than"
        f" {span(t.SILENT)}).",
        labels=TRIAL_LABELS,
        hushes=("checkpoint-stale", "data-starvation", "throughput-drop"),
    )


def _of_critics(critic: Recorded, compared: str, grace: float) -> str:
    """Where somebody plays against them, late enough, and where the criterion has a boundary that can be won or lost."""
    return (
        f"{critic.name} {compared}"
        f"\nand on ({BY_TRIAL}) {of(s.PROGRESS)} > {grace:g}"
        f"\nand on ({BY_TRIAL}) {of(s.WEIGHT, term=(PLAYS,))} > 0"
        f"\nunless on ({BY_SWEEP}) {of(s.INFO, criterion=tuple(sorted(UNBOUNDED)))}"
    )


def _critic_won(r: Recordings) -> Alert:
    return Alert(
        slug="critic-won",
        severity=Severity.warning,
        expr=_of_critics(r.worst_critic, f"> {t.CRITIC_WON:g}", t.CRITIC_GRACE),
        threshold=t.CRITIC_WON,
        unit=Unit.share,
        wait=15 * t.MINUTE,
        summary="Every critic is right about nearly everything",
        description=f"{IN_TRIAL}: even its weakest critic is right about {SHARE} of what it sees (more than"
        f" {100 * t.CRITIC_WON:g} %, after {100 * t.CRITIC_GRACE:g} % of the steps), so the generator may learn nothing from it.",
        labels=TRIAL_LABELS,
    )


def _starved(r: Recordings) -> Alert:
    return Alert(
        slug="generator-starved",
        severity=Severity.info,
        expr=_of_critics(r.best_critic, f"< {t.CRITIC_BLIND:g}", t.BLIND_GRACE),
        threshold=t.CRITIC_BLIND,
        unit=Unit.share,
        wait=30 * t.MINUTE,
        summary="No critic can tell outputs from real pictures",
        description=f"{IN_TRIAL}: even its best critic is right about {SHARE} only (less than {100 * t.CRITIC_BLIND:g} %, after"
        f" {100 * t.BLIND_GRACE:g} % of the steps); chance is 50 %. The generator has no teacher, or needs none any more.",
        labels=TRIAL_LABELS,
        above=False,
    )


def _collapse() -> Alert:
    return Alert(
        slug="mode-collapse",
        severity=Severity.warning,
        expr=f"min by ({BY_TRIAL}, domain) ({of(s.SPREAD)}) < {t.COLLAPSE:g}"
        f"\nand on ({BY_TRIAL}) {of(s.PROGRESS)} > {t.COLLAPSE_GRACE:g}",
        threshold=t.COLLAPSE,
        unit=Unit.share,
        wait=10 * t.MINUTE,
        summary="Outputs are all alike",
        description=f"{IN_TRIAL}: outputs in domain {{{{ $labels.domain }}}} differ by {SHARE} of what real pictures do (less than"
        f" {100 * t.COLLAPSE:g} %, after {100 * t.COLLAPSE_GRACE:g} % of the steps).",
        labels=(*TRIAL_LABELS, "domain"),
        above=False,
    )


def _data(r: Recordings) -> Alert:
    return Alert(
        slug="data-starvation",
        severity=Severity.warning,
        expr=f"{r.data_wait.name} > {t.DATA_WAIT:g}",
        threshold=t.DATA_WAIT,
        unit=Unit.share,
        wait=15 * t.MINUTE,
        summary="A training waits for its data",
        description=f"{IN_TRIAL}: its first worker waited for data {SHARE} of the last {span(t.RATE_WINDOW)} (more than"
        f" {100 * t.DATA_WAIT:g} %).",
        labels=TRIAL_LABELS,
        hushes=("throughput-drop",),
    )


def _throughput(r: Recordings) -> Alert:
    return Alert(
        slug="throughput-drop",
        severity=Severity.warning,
        expr=f"{r.throughput.name} < {t.THROUGHPUT:g}",
        threshold=t.THROUGHPUT,
        unit=Unit.share,
        wait=15 * t.MINUTE,
        summary="A training is slower than it was",
        description=f"{IN_TRIAL}: images a second and worker over {span(t.RATE_WINDOW)} are {SHARE} of what they were over"
        f" {span(t.USUAL_WINDOW)} (less than {100 * t.THROUGHPUT:g} %).",
        labels=TRIAL_LABELS,
        above=False,
    )
