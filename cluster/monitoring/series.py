"""The series that a sweep's driver exports, declared once: name, type, unit, labels, help, and where their values come from.

docs/metrics.md, the collector and whoever makes dashboards or rules derive from this. Every series also has the label `sweep`, the
sweep's id. Labels take few values: no setting of a trial is ever one. Importing this loads no library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cluster.monitoring.words import ACTIONS, FAILURES, RESTARTS, STATES
from data_shards.counters import NAMES

Labels = tuple[str, ...]  # values, in the order of a series' labels
REST = "*"  # in a source: what follows the name's beginning, and the value of a label


class Kind(StrEnum):
    """As Prometheus has it; an info is a gauge of 1 whose labels are what it tells."""

    counter = "counter"
    gauge = "gauge"
    info = "info"


class Counted(StrEnum):
    """How the numbers of the training's reports become a series.

    last: the last one. course: a function of how far the training came, so that its largest value counts: steps that are trained
    again after a restart count once. attempt: each attempt counts from 0, so that all attempts are added up.
    """

    last = "last"
    course = "course"
    attempt = "attempt"


@dataclass(frozen=True, eq=False)
class Series:
    """One of them. labels: beside `sweep`; with `trial` it is of one trial, and gone when that has ended.

    sources: number of a report -> label values after the trial; a name that ends in `*` stands for all that begin so, and `*` as a
    value for the rest of the name. Empty: it comes from other records. known: label values that are there, as 0, from the start.
    """

    name: str
    kind: Kind
    help: str
    labels: Labels = ()
    sources: Mapping[str, Labels] = field(default_factory=dict)
    counted: Counted = Counted.last
    known: tuple[Labels, ...] = ()

    @property
    def of_trial(self) -> bool:
        """Whether each trial has its own."""
        return self.labels[:1] == TRIAL

    @property
    def unit(self) -> str:
        """By its name, as Prometheus wants it: seconds, bytes, ratio; empty for plain numbers."""
        parts = self.name.removesuffix("_total").split("_")
        return parts[-1] if parts[-1] in UNITS else ""


UNITS = ("seconds", "bytes", "ratio")
TRIAL = ("trial",)
TERM, PLAYER, METRIC = (*TRIAL, "term"), (*TRIAL, "player"), (*TRIAL, "metric")


def _gauge(name: str, text: str, labels: Labels = (), sources: Mapping[str, Labels] | None = None) -> Series:
    return Series(f"i2i_{name}", Kind.gauge, text, labels, sources or {})


def _course(name: str, text: str, labels: Labels, sources: Mapping[str, Labels]) -> Series:
    known = () if labels else ((),)
    return Series(f"i2i_{name}_total", Kind.counter, text, labels, sources, Counted.course, known)


def _attempt(
    name: str, text: str, sources: Mapping[str, Labels], labels: Labels = (), known: tuple[Labels, ...] = ()
) -> Series:
    zeros = known or (() if labels else ((),))
    return Series(f"i2i_{name}_total", Kind.counter, text, labels, sources, Counted.attempt, zeros)


def _count(name: str, text: str, label: str = "", known: tuple[str, ...] = ()) -> Series:
    """A counter of records, or of what they add up to."""
    labels, zeros = ((label,), tuple((one,) for one in known)) if label else ((), ((),))
    return Series(f"i2i_{name}_total", Kind.counter, text, labels, known=zeros)


# Training
IMAGES = _course("train_images", "Training images seen.", TRIAL, {"time/images_seen": ()})
STEPS = _course("train_steps", "Steps trained.", TRIAL, {"step": ()})
MOVES = _course("train_moves", "Moves of a player: updates of its weights.", PLAYER, {"balance/moves_*": (REST,)})
SECONDS = _course("train_seconds", "Seconds of training, evaluations included.", TRIAL, {"time/train_seconds": ()})
PROGRESS = _gauge("train_progress_ratio", "Share of the trial's steps that are done.", TRIAL)
WORKERS = _gauge("train_workers", "Workers that train the trial.", TRIAL, {"resources/workers": ()})
THROUGHPUT = _gauge(
    "train_images_per_second",
    "Training images a second between the last two reports.",
    TRIAL,
    {"time/images_per_second": ()},
)
WAITED = _attempt(
    "train_data_wait_seconds", "Seconds that the first worker waited for data.", {"data/wait_seconds": ()}, TRIAL
)
WAIT_SHARE = _gauge(
    "train_data_wait_ratio",
    "Share of the time between the last two reports that the first worker waited for data.",
    TRIAL,
    {"time/data_wait_share": ()},
)
REPORTED_AT = _gauge("train_last_report_timestamp_seconds", "When the trial reported last.", TRIAL)
HEARD_AT = _gauge("train_last_heard_timestamp_seconds", "When anything was recorded of it last; while it runs.", TRIAL)

# GAN health
LOSS = _gauge(
    "train_loss",
    "A loss term, unweighted, at the last report: penalties among them. NaN and infinities are shown as they are.",
    TERM,
    {"loss/*": (REST,)},
)
WEIGHT = _gauge("train_loss_weight", "The weight of a loss term.", TERM, {"weight/*": (REST,)})
ACCURACY = _gauge(
    "train_critic_accuracy_ratio",
    "Share of patches that the critic of a term judged rightly, real and generated alike.",
    TERM,
    {"balance/accuracy_*": (REST,)},
)
OUTPUT = _gauge(
    "train_critic_output",
    "Mean raw output of the critic of a term for real and for generated pictures (input: real, fake).",
    (*TERM, "input"),
    {"balance/real_*": (REST, "real"), "balance/fake_*": (REST, "fake")},
)
GRADIENT = _gauge(
    "train_gradient_norm", "Norm of a player's gradient in its last move.", PLAYER, {"balance/gradient_*": (REST,)}
)
SKIPPED = _course(
    "train_skipped_updates",
    "Updates of a player that were left out because they were not finite (on_nonfinite: skip).",
    PLAYER,
    {"nonfinite/skipped_*": (REST,)},
)
RETREATS = _course(
    "train_retreats",
    "Times that the trial went back because a number was not finite (on_nonfinite: rollback).",
    TRIAL,
    {"nonfinite/retreats": ()},
)
NONFINITE = Series(
    "i2i_sweep_nonfinite_total",
    Kind.counter,
    "Times that a number of a training was not finite, by what was done about it.",
    ("action",),
    {"nonfinite/skipped_*": ("skip",), "nonfinite/retreats": ("rollback",)},
    Counted.course,
    tuple((action,) for action in ACTIONS),
)
SPREAD = _gauge(
    "eval_output_spread_ratio",
    "How far a domain's outputs differ from one another, over how far its real pictures do: near 0 is a collapse.",
    (*TRIAL, "domain"),
    {"health/spread_*": (REST,)},
)
CHANGE = _gauge(
    "eval_output_change",
    "How far a domain's outputs are from their inputs, of images in [0, 1]: near 0 is the identity.",
    (*TRIAL, "domain"),
    {"health/change_*": (REST,)},
)

# Evaluation
SCORE = _gauge("eval_score", "A score of the last evaluation.", METRIC, {"eval/*": (REST,)})
BEST_SCORE = _gauge("eval_best_score", "The best that the trial came to by an objective.", METRIC)
SAMPLES = _gauge("eval_samples", "Pictures that the last evaluation looked at.", TRIAL, {"eval/samples": ()})
EVALUATED_AT = _gauge("eval_last_timestamp_seconds", "When the trial was evaluated last.", TRIAL)
EVALUATIONS = _count("sweep_evaluations", "Evaluations of all trials.")
EVALUATING = _count("sweep_evaluation_seconds", "Seconds that evaluations took.")

# Checkpoints
SAVED_AT = _gauge("checkpoint_last_success_timestamp_seconds", "When the trial told of its newest checkpoint.", TRIAL)
SAVED_STEP = _gauge("checkpoint_last_step", "Step of the newest checkpoint.", TRIAL, {"checkpoint/step": ()})
SAVED_EVERY = _gauge("checkpoint_interval_steps", "Steps after which a trial is due to be saved again.")
SAVED_IN = _gauge(
    "checkpoint_last_duration_seconds", "Seconds that the newest one took.", TRIAL, {"checkpoint/seconds": ()}
)
SAVED_BYTES = _gauge("checkpoint_last_size_bytes", "Bytes of the newest one.", TRIAL, {"checkpoint/bytes": ()})
CHECKPOINTS = _attempt("checkpoints_written", "Checkpoints written.", {"checkpoint/written": ()})
CHECKPOINT_SECONDS = _attempt(
    "checkpoint_seconds", "Seconds that writing them took, beside the training.", {"checkpoint/written_seconds": ()}
)
CHECKPOINT_BYTES = _attempt("checkpoint_bytes", "Bytes written.", {"checkpoint/written_bytes": ()})
CHECKPOINTS_LEFT = _attempt(
    "checkpoints_skipped", "Checkpoints left out, the last being still written.", {"checkpoint/skipped": ()}
)
CHECKPOINT_FAILURES = _count("checkpoint_failures", "Checkpoints that could not be written.")

# Data and S3
S3_REQUESTS = _attempt(
    "s3_requests", "Requests that training processes sent to the object store, tries included.", {"data/requests": ()}
)
S3_RETRIES = _attempt(
    "s3_retries",
    "Tries that failed and were made again, by cause.",
    {"data/retries_*": (REST,)},
    ("reason",),
    tuple((name.removeprefix("retries_"),) for name in NAMES if name.startswith("retries_")),
)
S3_WAITED = _attempt("s3_retry_wait_seconds", "Seconds between tries.", {"data/retry_wait_seconds": ()})
S3_ERRORS = _attempt("s3_errors", "Calls that were given up.", {"data/given_up": ()})
S3_BYTES = _attempt(
    "s3_bytes",
    "Bytes of content received and sent.",
    {"data/bytes": ("received",), "data/bytes_sent": ("sent",)},
    ("direction",),
    (("received",), ("sent",)),
)
CACHE_HITS = _attempt(
    "cache_hits", "Shards that were in a node's cache when they were wanted.", {"data/cache_hits": ()}
)
CACHE_MISSES = _attempt("cache_misses", "Shards that had to be downloaded then.", {"data/cache_misses": ()})
CACHE_AHEAD = _attempt("cache_ahead", "Shards downloaded before they were wanted.", {"data/cache_ahead": ()})
CACHE_WAITS = _attempt("cache_waits", "Shards that somebody else was downloading then.", {"data/cache_waits": ()})
CACHE_BYTES = _attempt("cache_bytes", "Bytes downloaded into caches.", {"data/cache_bytes": ()})
CACHE_EVICTED = _attempt("cache_evictions", "Shards removed to make room.", {"data/cache_evictions": ()})
CACHE_CORRUPT = _attempt(
    "cache_corrupt", "Shards with another content than the manifest's.", {"data/cache_corrupt": ()}
)
CACHE_OVERRUNS = _attempt("cache_overruns", "Shards taken beyond the cache's limit.", {"data/cache_overruns": ()})
SAMPLES_CORRUPT = _attempt(
    "data_corrupt_samples", "Samples that could not be read and were replaced.", {"data/samples_quarantined": ()}
)

# Sweep and budget
INFO = Series(
    "i2i_sweep_info",
    Kind.info,
    "What the sweep is: 1. criterion: the preset's `hyper.gan`, empty where it has none.",
    ("name", "system", "searcher", "scheduler", "objective", "criterion"),
)
LENGTH = _gauge("sweep_trial_steps", "Steps of a whole training.")
TRIALS = _gauge("sweep_trials", f"Trials by state: {', '.join(STATES)}.", ("state",))
BEST = _gauge("sweep_best_objective", "The best setting's value, as `status` names it.", ("metric",))
SWEEP_IMAGES = _course("sweep_images", "Training images seen by all trials.", (), {"time/images_seen": ()})
SWEEP_STEPS = _course("sweep_steps", "Steps trained by all trials.", (), {"step": ()})
STOPPED = _count("sweep_trials_stopped_early", "Trials stopped before their end, by whom.", "by")
EXPLOITS = _count("sweep_pbt_exploits", "Times that a trial went on from another one's checkpoint.")
GPU_SECONDS = _count("sweep_gpu_seconds", "Seconds of GPUs that trials held, all attempts.")
CPU_SECONDS = _count("sweep_cpu_seconds", "Seconds of CPUs that trials held, all attempts.")
COST = _count("sweep_cost", "What that cost by budget.price_per_gpu_hour, in its money.")
GPU_BUDGET = _gauge("sweep_budget_gpu_seconds", "budget.gpu_hours, in seconds; missing where there is no limit.")
CPU_BUDGET = _gauge("sweep_budget_cpu_seconds", "budget.cpu_hours, in seconds.")
COST_BUDGET = _gauge("sweep_budget_cost", "budget.cost.")
WALL_BUDGET = _gauge("sweep_budget_wall_seconds", "budget.wall of one submit.")
ELAPSED = _gauge("sweep_elapsed_seconds", "Seconds from this driver's start to its last record.")
OPENED_AT = _gauge("sweep_opened_timestamp_seconds", "When this driver opened the sweep.")
RECORDED_AT = _gauge("sweep_last_record_timestamp_seconds", "When the log was written last.")
DRIVERS = _count("sweep_driver_starts", "Drivers that the sweep has had.")
RESTARTED = _count("sweep_trial_restarts", "Trials started again, by why.", "reason", RESTARTS)
FAILED = _count("sweep_trial_failures", "What counted against budget.failures, by kind.", "reason", FAILURES)

GROUPS: Mapping[str, tuple[Series, ...]] = {
    "Training": (
        *(IMAGES, STEPS, MOVES, SECONDS, PROGRESS, WORKERS, THROUGHPUT, WAITED, WAIT_SHARE, REPORTED_AT),
        *(HEARD_AT, SWEEP_IMAGES, SWEEP_STEPS),
    ),
    "GAN health": (*(LOSS, WEIGHT, ACCURACY, OUTPUT, GRADIENT, SKIPPED, RETREATS, NONFINITE, SPREAD, CHANGE),),
    "Evaluation": (SCORE, BEST_SCORE, SAMPLES, EVALUATED_AT, EVALUATIONS, EVALUATING),
    "Checkpoints": (
        *(SAVED_AT, SAVED_STEP, SAVED_IN, SAVED_BYTES, CHECKPOINTS, CHECKPOINT_SECONDS, CHECKPOINT_BYTES),
        *(CHECKPOINTS_LEFT, CHECKPOINT_FAILURES, SAVED_EVERY),
    ),
    "Data and S3": (
        *(S3_REQUESTS, S3_RETRIES, S3_WAITED, S3_ERRORS, S3_BYTES, CACHE_HITS, CACHE_MISSES, CACHE_AHEAD, CACHE_WAITS),
        *(CACHE_BYTES, CACHE_EVICTED, CACHE_CORRUPT, CACHE_OVERRUNS, SAMPLES_CORRUPT),
    ),
    "Sweep and budget": (
        *(
            INFO,
            LENGTH,
            TRIALS,
            BEST,
            STOPPED,
            EXPLOITS,
            GPU_SECONDS,
            CPU_SECONDS,
            COST,
            GPU_BUDGET,
            CPU_BUDGET,
            COST_BUDGET,
        ),
        *(WALL_BUDGET, ELAPSED, OPENED_AT, RECORDED_AT, DRIVERS, RESTARTED, FAILED),
    ),
}
ALL = tuple(series for group in GROUPS.values() for series in group)
