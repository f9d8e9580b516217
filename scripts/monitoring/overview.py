"""The dashboard of a sweep as a whole."""

from __future__ import annotations

from cluster.monitoring import series as s
from cluster.monitoring.words import STATES
from scripts.monitoring.panels import RATE, Number, Panel, Query, Row, Table
from scripts.monitoring.promql import Clock, increase, of, rate, total
from scripts.monitoring.recording import BUDGETS, FAILED, PENDING, RUNNING, recordings
from scripts.monitoring.variables import ONE_SWEEP, address

UID = "i2i-sweep"
TRIAL_UID = "i2i-trial"
R = recordings(Clock())
SWEEP = "sweep"


def _state(state: str, description: str, alerts: tuple[str, ...] = ()) -> Number:
    queries = (Query(total(of(s.TRIALS, state=state, **ONE_SWEEP)), state),)
    return Number(f"Trials {state}", description, "short", queries, alerts)


def _hours_left(name: str) -> Query:
    """What is left of a budget, over what is spent an hour now."""
    spent, limit = BUDGETS[name]
    by = f"max by ({SWEEP})"
    left = f"{by} ({of(limit, **ONE_SWEEP)}) - {by} ({of(spent, **ONE_SWEEP)})"
    return Query(f"({left}) / ({by} ({rate(spent, RATE, **ONE_SWEEP)}) > 0)", name)


TO_TRIAL = ("Trial ${__data.fields.trial} in detail", address(TRIAL_UID, "&var-trial=${__data.fields.trial}"))
ROWS = (
    Row(
        "Trials",
        (
            _state(
                PENDING,
                "Trials that wait for room or for their turn. Unhealthy only where none runs.",
                ("sweep-pending",),
            ),
            _state(RUNNING, "Trials that train now."),
            _state("done", "Trials that came to their end."),
            _state("stopped", "Trials that a scheduler or a rule gave up."),
            _state(FAILED, "Trials that failed for good."),
            Number(
                "Failed",
                "Share of the trials that were started which have failed for good.",
                "percentunit",
                (Query(R.failed.of(**ONE_SWEEP), "failed"),),
                ("trial-failures",),
            ),
            Panel(
                "Trials by state",
                f"How many trials are {', '.join(STATES)}.",
                "short",
                (Query(total(of(s.TRIALS, **ONE_SWEEP), "state"), "{{state}}"),),
                width=12,
            ),
            Panel(
                "Best objective",
                "The value of the setting that would be named now, as `status` shows it.",
                "short",
                (Query(f"max by (metric) ({of(s.BEST, **ONE_SWEEP)})", "{{metric}}"),),
                width=12,
            ),
        ),
    ),
    Row(
        "Leaderboard",
        (
            Table(
                "Best scores of live trials",
                "The best that each trial which has not ended came to by an objective. A trial leads to its details; those that"
                " ended are in `i2i-cluster results`.",
                "short",
                (Query(f"max by (trial, metric) ({of(s.BEST_SCORE, **ONE_SWEEP)})", ""),),
                links=(TO_TRIAL,),
            ),
            Table(
                "Progress of live trials",
                "Share of its steps that each has done.",
                "percentunit",
                (Query(f"max by (trial) ({of(s.PROGRESS, **ONE_SWEEP)})", ""),),
                width=6,
                links=(TO_TRIAL,),
            ),
            Table(
                "What the sweep is",
                "Its name, system, searcher, scheduler, objective and criterion.",
                "short",
                (Query(of(s.INFO, **ONE_SWEEP), ""),),
                width=6,
                hidden=("Time", "Value", "__name__", "instance", "job", "sweep"),
            ),
        ),
    ),
    Row(
        "Budget",
        (
            Panel(
                "Budget spent",
                "Share of each limit of `budget` that is spent; `wall` is of this submit. Nothing where there is no limit.",
                "percentunit",
                (Query(f"max by (budget) ({R.budgets[0].of(**ONE_SWEEP)})", "{{budget}}"),),
                ("budget-burn",),
            ),
            Panel(
                "Time left at this rate",
                "What is left of each limit, over what is spent now.",
                "s",
                tuple(_hours_left(name) for name, (spent, _) in BUDGETS.items() if spent.kind is s.Kind.counter),
            ),
            Panel(
                "Spent",
                "GPU and CPU time that trials held so far, all attempts.",
                "s",
                (
                    Query(f"max by ({SWEEP}) ({of(s.GPU_SECONDS, **ONE_SWEEP)})", "GPU"),
                    Query(f"max by ({SWEEP}) ({of(s.CPU_SECONDS, **ONE_SWEEP)})", "CPU"),
                ),
            ),
        ),
    ),
    Row(
        "What went wrong",
        (
            Panel(
                "Restarts",
                "Restarts of the last half hour that nobody asked for: crashes, stalls, preemptions. The alert also wants more"
                " than one for each trial that runs or waits.",
                "short",
                (Query(R.restarts.of(**ONE_SWEEP), "restarts in 30 min"),),
                ("restart-storm",),
            ),
            Panel(
                "Failures by reason",
                "What counted against `budget.failures`.",
                "short",
                (Query(total(increase(s.FAILED, RATE, **ONE_SWEEP), "reason"), "{{reason}}"),),
            ),
            Panel(
                "Not finite",
                "Times within ten minutes that a number of a training was NaN or infinite.",
                "short",
                (Query(R.nonfinite.of(**ONE_SWEEP), "in 10 min"),),
                ("non-finite",),
            ),
            Panel(
                "Stopped early",
                "Trials stopped before their end since the sweep began, by whom: a scheduler or a rule.",
                "short",
                (Query(f"max by (by) ({of(s.STOPPED, **ONE_SWEEP)})", "{{by}}"),),
            ),
            Panel(
                "Exchanges",
                "Times that a trial went on from another's checkpoint (`scheduler: pbt`).",
                "short",
                (Query(total(increase(s.EXPLOITS, RATE, **ONE_SWEEP)), "exchanges"),),
            ),
            Panel(
                "Images a second",
                "Training images of all trials; steps that are trained again after a restart do not count.",
                "short",
                (Query(total(rate(s.SWEEP_IMAGES, RATE, **ONE_SWEEP)), "images/s"),),
            ),
        ),
    ),
)
