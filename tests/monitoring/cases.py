"""What each alert should make of what a Prometheus has seen: sick sweeps, and healthy ones that look a little like them.

Values are in promtool's notation, one a minute from 0 on: `0x5 1x60` is six times 0 and then 1 for an hour; `0+60x60` grows.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.monitoring import series as s
from cluster.monitoring.series import Series
from cluster.monitoring.words import RESTARTS, STATES

TARGET = {"instance": "host:9464", "job": "i2i"}
LONG = "x120"  # minutes, beside the first
Line = tuple[str, str]  # series, values


@dataclass(frozen=True)
class Case:
    """What was seen, and the minutes at which the alert is not yet, and then, firing; None: at `quiet` and ever."""

    alert: str
    what: str
    lines: tuple[Line, ...]
    fires: int | None = None
    quiet: int = 45
    labels: tuple[tuple[str, str], ...] = ()


def line(series: Series, values: str | float, **labels: str) -> Line:
    """A series of sweep a, trial 0; a number is a constant."""
    known = {"sweep": "a", **({"trial": "0"} if series.of_trial else {})} | labels
    assert set(known) == {"sweep", *series.labels}, series.name
    said = ", ".join(f'{name}="{value}"' for name, value in (TARGET | known).items())
    return f"{series.name}{{{said}}}", values if isinstance(values, str) else f"{values:g}{LONG}"


def states(**counts: int) -> tuple[Line, ...]:
    """How many trials are in each state."""
    return tuple(line(s.TRIALS, counts.get(state, 0), state=state) for state in STATES)


def restarts(reason: str, values: str) -> tuple[Line, ...]:
    return tuple(line(s.RESTARTED, values if one == reason else 0, reason=one) for one in RESTARTS)


def sweep(criterion: str = "lsgan") -> Line:
    known = {"name": "toy", "system": "cyclegan", "searcher": "random", "scheduler": "asha", "objective": "eval/ssim"}
    return line(s.INFO, 1, criterion=criterion, **known)


def critics(
    a: str | float, b: str | float, progress: float = 0.5, weight: float = 1, criterion: str = "lsgan"
) -> tuple[Line, ...]:
    """A trial of two critics with these accuracies."""
    seen = (line(s.ACCURACY, a, term="adv_ab"), line(s.ACCURACY, b, term="adv_ba"), line(s.WEIGHT, 10, term="cyc"))
    return *seen, line(s.PROGRESS, progress), line(s.WEIGHT, weight, term="adv_ab"), sweep(criterion)


def collapse(spread: float, progress: float) -> tuple[Line, ...]:
    return line(s.SPREAD, 0.9, domain="a"), line(s.SPREAD, spread, domain="b"), line(s.PROGRESS, progress)


def saved(progress: float, step: float | None, every: float = 100) -> tuple[Line, ...]:
    """A trial of 1000 steps."""
    there = () if step is None else (line(s.SAVED_STEP, step),)
    return line(s.PROGRESS, progress), line(s.LENGTH, 1000), line(s.SAVED_EVERY, every), *there


def store(retried: str, given_up: str = "0x120", requests: str = "0+100x120") -> tuple[Line, ...]:
    return line(s.S3_REQUESTS, requests), line(s.S3_RETRIES, retried, reason="timeout"), line(s.S3_ERRORS, given_up)


def nonfinite(values: str, loss: str) -> tuple[Line, ...]:
    """Skipped updates, and the last reported loss."""
    return (
        line(s.NONFINITE, values, action="skip"),
        line(s.LOSS, loss, term="adv"),
        line(s.ACCURACY, "NaN NaN NaN", term="d"),
    )


def silence(heard: str) -> tuple[Line, ...]:
    """Trial 0 is heard of each minute, trial 1 as told."""
    return tuple(line(s.HEARD_AT, values, trial=trial) for trial, values in (("0", GROWS), ("1", heard)))


ONE = (("sweep", "a"),)
TRIAL, OTHER = ((*ONE, ("trial", trial)) for trial in "01")
FALLS, GROWS = "0x5 1x120", "0+60x120"
CASES = (
    Case("non-finite", "an update was skipped", nonfinite(FALLS, "1x120"), 7, 5, ONE),
    Case("non-finite", "a loss is NaN", nonfinite("0x120", "1 1 1 1 NaN NaN NaN"), 5, 3, ONE),
    Case("non-finite", "a loss is infinite", nonfinite("0x120", "1 1 1 1 -Inf -Inf -Inf"), 5, 3, ONE),
    Case("non-finite", "only an accuracy is NaN", nonfinite("0x120", "1x120")),
    Case("training-stalled", "one of two is silent", silence("60x120"), 17, 15, OTHER),
    Case("training-stalled", "it was started again", silence("60x12 780x8 1260+60x100")),
    Case("training-stalled", "it waits now, or is paused", silence("60x12 stale"), quiet=18),
    Case("critic-won", "both critics are right", critics(0.99, 0.995), 16, 14, TRIAL),
    Case("critic-won", "one is right, the other rests", critics(0.99, "NaN " * 60), 16, 14, TRIAL),
    Case("critic-won", "one critic is not", critics(0.99, 0.9)),
    Case("critic-won", "it is early", critics(0.99, 0.99, progress=0.25)),
    Case("critic-won", "nobody plays against them", critics(0.99, 0.99, weight=0)),
    Case("critic-won", "its criterion has no boundary", critics(0.99, 0.99, criterion="wgan")),
    Case("generator-starved", "both critics are blind", critics(0.51, 0.5), 31, 29, TRIAL),
    Case("generator-starved", "one critic sees", critics(0.51, 0.6)),
    Case("generator-starved", "it is early", critics(0.51, 0.5, progress=0.25)),
    Case("generator-starved", "nobody plays against them", critics(0.51, 0.5, weight=0)),
    Case("generator-starved", "its criterion has no boundary", critics(0.5, 0.5, criterion="began")),
    Case("mode-collapse", "outputs in b are alike", collapse(0.05, 0.5), 11, 9, (*TRIAL, ("domain", "b"))),
    Case("mode-collapse", "they differ", collapse(0.12, 0.5)),
    Case("mode-collapse", "it is early", collapse(0.05, 0.25)),
    Case("data-starvation", "half of the time is waiting", (line(s.WAITED, "0+30x120"),), 26, 22, TRIAL),
    Case("data-starvation", "a sixth of the time is", (line(s.WAITED, "0+10x120"),)),
    Case(
        "throughput-drop",
        "40 % of what was",
        (line(s.THROUGHPUT, "100x360 40x60"), line(s.WORKERS, "2x420")),
        392,
        380,
        TRIAL,
    ),
    Case(
        "throughput-drop",
        "half the workers",
        (line(s.THROUGHPUT, "100x360 50x60"), line(s.WORKERS, "2x360 1x60")),
        quiet=400,
    ),
    Case(
        "exporter-down",
        "the driver is gone",
        (('up{instance="h:1", job="i2i"}', "1x5 0x120"),),
        12,
        10,
        (("instance", "h:1"), ("job", "i2i")),
    ),
    Case("exporter-down", "it answers again", (('up{instance="h:1", job="i2i"}', "1x5 0x3 1x120"),), quiet=9),
    Case("exporter-down", "another job's target is gone", (('up{instance="h:1", job="other"}', "0x120"),)),
    Case("checkpoint-stale", "four intervals are not saved", saved(0.5, 100), 11, 9, TRIAL),
    Case("checkpoint-stale", "there was none yet", saved(0.4, None), 11, 9, TRIAL),
    Case("checkpoint-stale", "two are not", saved(0.5, 300)),
    Case("checkpoint-stale", "intervals are long", saved(0.5, 100, every=200)),
    Case("checkpoint-stale", "there was none, but it is early", saved(0.2, None)),
    Case("checkpoint-failing", "one failed", (line(s.CHECKPOINT_FAILURES, FALLS),), 7, 5, ONE),
    Case("checkpoint-failing", "one failed, an hour ago", (line(s.CHECKPOINT_FAILURES, FALLS),), quiet=66),
    Case("restart-storm", "four crashes of two", (*states(running=2), *restarts("crash", "0x5 4x120")), 7, 5, ONE),
    Case("restart-storm", "one preemption each", (*states(running=8), *restarts("preempted", "0x5 5x120")), quiet=10),
    Case(
        "restart-storm", "another driver took them up", (*states(running=2), *restarts("driver", "0x5 9x120")), quiet=10
    ),
    Case("restart-storm", "three crashes of two", (*states(running=2), *restarts("crash", "0x5 3x120")), quiet=10),
    Case("s3-errors", "7 % are tried again", store("0+7x120"), 12, 10, ONE),
    Case("s3-errors", "every tenth is given up", store("0x120", "0+10x120"), 12, 10, ONE),
    Case("s3-errors", "4 % are", store("0+4x120")),
    Case("s3-errors", "there are no requests", store("0x120", "0x120", "0x120")),
    Case("sweep-pending", "all wait", states(pending=3), 16, 14, ONE),
    Case("sweep-pending", "some wait, one runs", states(pending=3, running=1)),
    Case("sweep-pending", "it is done", states(done=3)),
    Case(
        "budget-burn",
        "GPU hours",
        (line(s.GPU_SECONDS, "0+100x120"), line(s.GPU_BUDGET, 3600)),
        30,
        28,
        (*ONE, ("budget", "gpu")),
    ),
    Case("budget-burn", "money", (line(s.COST, "0+1x120"), line(s.COST_BUDGET, 10)), 9, 7, (*ONE, ("budget", "cost"))),
    Case("budget-burn", "there is no limit", (line(s.GPU_SECONDS, "0+100x120"),)),
    Case("trial-failures", "one of four", states(failed=1, done=3), 11, 9, ONE),
    Case("trial-failures", "two of twelve", states(failed=2, done=8, running=2)),
    Case("trial-failures", "none was started", states(pending=4)),
)
