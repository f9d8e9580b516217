"""The dashboard of what is below a sweep. GPUs are Ray's to tell: their series come from its own endpoint, and are not here."""

from __future__ import annotations

from cluster.monitoring import series as s
from scripts.monitoring import thresholds as t
from scripts.monitoring.panels import RATE, Number, Panel, Query, Row
from scripts.monitoring.promql import Clock, increase, of, rate, total
from scripts.monitoring.recording import recordings
from scripts.monitoring.variables import ONE_SWEEP

UID = "i2i-infrastructure"
R = recordings(Clock())


def _rate(series: s.Series, legend: str, by: str = "sweep") -> Query:
    return Query(total(rate(series, RATE, **ONE_SWEEP), by), legend)


def _grown(series: s.Series, legend: str, by: str = "sweep") -> Query:
    return Query(total(increase(series, RATE, **ONE_SWEEP), by), legend)


def _panel(title: str, description: str, unit: str, *queries: Query, alerts: tuple[str, ...] = ()) -> Panel:
    return Panel(title, description, unit, queries, alerts)


ROWS = (
    Row(
        "Driver",
        (
            Number(
                "Silent trials",
                "Running trials that have not reported for ten minutes. Nothing where all report.",
                "short",
                (Query(f"count by (sweep) ({R.silence.of(**ONE_SWEEP)} > {t.SILENT:g})", "silent"),),
            ),
            Number(
                "Since the last record",
                "Age of the newest record in the sweep's log.",
                "s",
                (Query(f"time() - max by (sweep) ({of(s.RECORDED_AT, **ONE_SWEEP)})", "age"),),
            ),
            Number(
                "Drivers",
                "That the sweep has had.",
                "short",
                (Query(f"max by (sweep) ({of(s.DRIVERS, **ONE_SWEEP)})", "drivers"),),
            ),
            Number(
                "Running for",
                "Since this driver opened the sweep.",
                "s",
                (Query(f"max by (sweep) ({of(s.ELAPSED, **ONE_SWEEP)})", "time"),),
            ),
            Number(
                "Checkpoint failures",
                "Within half an hour.",
                "short",
                (Query(R.unsaved_failures.of(**ONE_SWEEP), "failures"),),
                ("checkpoint-failing",),
            ),
            Number(
                "Failed requests",
                "Share of the requests to the object store that failed.",
                "percentunit",
                (Query(R.s3_failed.of(**ONE_SWEEP), "failed"),),
                ("s3-errors",),
            ),
            _panel(
                "Restarts by reason",
                "All of them, also those that were asked for.",
                "short",
                _grown(s.RESTARTED, "{{reason}}", "reason"),
            ),
            _panel(
                "Evaluation",
                "Share of the time that trials spend on evaluations.",
                "percentunit",
                _rate(s.EVALUATING, "evaluating"),
            ),
            _panel("Evaluations", "Of all trials.", "short", _grown(s.EVALUATIONS, "evaluations")),
        ),
    ),
    Row(
        "Object store",
        (
            _panel(
                "Requests that failed",
                "Share of all requests, those that were made again and those that were given up.",
                "percentunit",
                Query(R.s3_failed.of(**ONE_SWEEP), "failed"),
                alerts=("s3-errors",),
            ),
            _panel(
                "Requests",
                "Sent by training processes, tries included, and calls that were given up.",
                "reqps",
                _rate(s.S3_REQUESTS, "requests"),
                _rate(s.S3_ERRORS, "given up"),
            ),
            _panel("Tries made again", "By cause.", "reqps", _rate(s.S3_RETRIES, "{{reason}}", "reason")),
            _panel("Traffic", "Content received and sent.", "Bps", _rate(s.S3_BYTES, "{{direction}}", "direction")),
            _panel(
                "Waiting between tries",
                "Seconds a second, all workers added up.",
                "short",
                _rate(s.S3_WAITED, "waiting"),
            ),
            _panel(
                "Samples replaced", "Samples that could not be read.", "short", _grown(s.SAMPLES_CORRUPT, "samples")
            ),
        ),
    ),
    Row(
        "Shard cache",
        (
            _panel(
                "Shards wanted",
                "In the cache, missing, downloaded ahead, or waited for.",
                "ops",
                _rate(s.CACHE_HITS, "hits"),
                _rate(s.CACHE_MISSES, "misses"),
                _rate(s.CACHE_AHEAD, "ahead"),
                _rate(s.CACHE_WAITS, "waits"),
            ),
            _panel("Downloads", "Into caches.", "Bps", _rate(s.CACHE_BYTES, "downloaded")),
            _panel(
                "Room",
                "Shards removed to make room, taken beyond the limit, or damaged.",
                "short",
                _grown(s.CACHE_EVICTED, "evicted"),
                _grown(s.CACHE_OVERRUNS, "beyond the limit"),
                _grown(s.CACHE_CORRUPT, "damaged"),
            ),
        ),
    ),
    Row(
        "Checkpoints",
        (
            _panel(
                "Checkpoints",
                "Written, left out because the last was still being written, and failed.",
                "short",
                _grown(s.CHECKPOINTS, "written"),
                _grown(s.CHECKPOINTS_LEFT, "left out"),
                _grown(s.CHECKPOINT_FAILURES, "failed"),
            ),
            _panel("Writing", "Bytes a second.", "Bps", _rate(s.CHECKPOINT_BYTES, "written")),
            _panel(
                "Time spent writing",
                "Seconds a second, beside the training.",
                "short",
                _rate(s.CHECKPOINT_SECONDS, "writing"),
            ),
        ),
    ),
)
