"""Logs of sweeps for tests of what is exported: records by hand, and one log in which everything happens that is counted."""

import json
import math

from cluster.log.records import CHECKPOINT, CRASH, HALT, STALL, jsonable, read_records
from cluster.monitoring.fold import Fold
from cluster.monitoring.series import ALL

START = 1_700_000_000.0  # seconds since 1970
ABOUT = {
    "system": "cyclegan",
    "searcher": "random",
    "scheduler": "pbt",
    "steps": 100,
    "checkpoint_every": 10,
    "objective": {"metric": "eval/ssim", "mode": "max"},
    "gan": "lsgan",
    "objectives": [{"metric": "eval/ssim", "mode": "max"}, {"metric": "loss/d", "mode": "min"}],
    "workers": 2,
    "gpus": 1.0,
    "cpus": 3.0,
    "price": 36.0,
    "limits": {"gpu_seconds": 7200.0, "cpu_seconds": 7200.0, "cost": 10.0, "wall_seconds": 600.0},
}


def opened(at=0, attempt=1, **about):
    return at, "opened", {"id": "a1", "name": "toy", "attempt": attempt, "about": ABOUT | about}


def suggested(trial, at=1):
    return at, "suggested", {"trial": trial, "params": {"weights.cyc": 1.5}}


def started(trial, at=2):
    return at, "started", {"trial": trial, "attempt": 1}


def reported(trial, step, at, evaluated=False, **numbers):
    """A report of a trial of five images a step; `numbers` with a double underscore for the slash."""
    metrics = {"time/images_seen": 5.0 * step, "resources/workers": 2.0}
    metrics |= {name.replace("__", "/"): value for name, value in numbers.items()}
    return at, "reported", {"trial": trial, "step": step, "metrics": jsonable(metrics), "evaluated": evaluated}


def failed(trial, at, what=CRASH, kind="failed"):
    return at, kind, {"trial": trial, "error": "it died", "count": 1, "what": what}


def ended(trial, at, state="done", **more):
    return at, "ended", {"trial": trial, "state": state, "error": None, **more}


def preempted(trial, at, **more):
    return at, "preempted", {"trial": trial, "step": 10, **more}


def resized(trial, at):
    return at, "resize", {"trial": trial, "step": 10}


def retried(trial, at):
    return at, "retried", {"trial": trial}


def settled(at, step, decisions):
    return at, "settled", {"step": step, "by": "pbt", "decisions": decisions}


def lines(*told):
    """The records as a log has them."""
    return b"".join(
        json.dumps({"v": 2, "at": START + at, "kind": kind, **fields}, allow_nan=False).encode() + b"\n"
        for at, kind, fields in told
    )


def folded(raw, fold=None):
    """What a log's bytes add up to, on top of what `fold` holds."""
    fold = fold or Fold(lambda state: {"eval/ssim": 0.5})
    for record in read_records(raw):
        fold.apply(record)
    return fold


def samples(fold):
    """(name, label values) -> value."""
    found = {(series.name, labels): value for series, labels, value in fold.samples()}
    assert len(found) == len(list(fold.samples())), "no series is told twice"
    return found


# Every number that a training of two players reports, a round one each, so that sums can be told by heart.
EVERYTHING = {
    "time__images_per_second": 12.5,
    "time__train_seconds": 8.0,
    "time__data_wait_share": 0.25,
    "time__evaluate_seconds": 3.0,
    "loss__adv": 1.5,
    "loss__d": math.nan,
    "loss__gp": math.inf,
    "weight__adv": 10.0,
    "balance__accuracy_d": 0.75,
    "balance__real_d": 0.9,
    "balance__fake_d": -0.9,
    "balance__gradient_critic": 4.0,
    "balance__moves_critic": 20.0,
    "nonfinite__skipped_critic": 2.0,
    "nonfinite__retreats": 1.0,
    "health__spread_b": 0.5,
    "health__change_b": 0.125,
    "eval__ssim": 0.75,
    "eval__samples": 128.0,
    "checkpoint__step": 10.0,
    "checkpoint__seconds": 0.5,
    "checkpoint__bytes": 1000.0,
    "checkpoint__written": 2.0,
    "checkpoint__written_seconds": 1.0,
    "checkpoint__written_bytes": 2000.0,
    "checkpoint__skipped": 1.0,
    "checkpoint__failed": 0.0,
    "data__wait_seconds": 2.0,
    "data__requests": 100.0,
    "data__retries_timeout": 3.0,
    "data__retry_wait_seconds": 1.5,
    "data__given_up": 1.0,
    "data__bytes": 5000.0,
    "data__bytes_sent": 700.0,
    "data__cache_hits": 8.0,
    "data__cache_misses": 2.0,
    "data__cache_ahead": 3.0,
    "data__cache_waits": 1.0,
    "data__cache_bytes": 4000.0,
    "data__cache_evictions": 1.0,
    "data__cache_corrupt": 1.0,
    "data__cache_overruns": 1.0,
    "data__samples_quarantined": 1.0,
}
CLONE = {"action": "clone", "trial": 1, "donor": 0, "params": {"weights.cyc": 2.0}}
STOPPED = {"action": "stop", "trial": 2, "why": "the worst"}
# Two drivers, four trials: one that lives through everything, one that is given its checkpoint, one stopped, one by its numbers.
STORY = (
    opened(),
    *(suggested(trial) for trial in range(4)),
    *(started(trial) for trial in range(4)),
    reported(0, 10, 12, True, **EVERYTHING),
    reported(1, 10, 12, True, eval__ssim=0.25),
    reported(2, 10, 12, True, eval__ssim=0.125),
    settled(13, 10, [CLONE, STOPPED]),
    ended(3, 14, "failed", nonfinite=True),
    (14, "given", {"trial": 1}),
    started(1, 15),
    failed(0, 16),
    started(0, 17),
    failed(0, 18, STALL),
    started(0, 19),
    preempted(0, 20),
    started(0, 21),
    preempted(0, 22, why="it starts in another process"),
    started(0, 23),
    resized(0, 24),
    started(0, 25),
    failed(0, 26, CHECKPOINT, "stumbled"),
    failed(0, 27, HALT),
    ended(0, 27, "failed"),
    opened(30, attempt=2),
    retried(0, 31),
    *(started(trial, 32) for trial in (0, 1)),
    reported(0, 20, 42, True, **EVERYTHING | {"time__train_seconds": 16.0, "checkpoint__step": 20.0}),
    reported(1, 20, 42, True, eval__ssim=0.5),
)


def names():
    """Of every declared series."""
    return {series.name for series in ALL}
