"""Logs of sweeps, written by hand: what a driver would have recorded, at times that a test chooses."""

import json
from contextlib import contextmanager

from cluster.layout import SweepPaths
from cluster.log.driver import driving
from data_shards.store import open_store

PATHS = SweepPaths("0123456789ab")
START = 1_700_000_000.0  # seconds since 1970
METRIC = "eval/ssim"


def about(**more):
    """What `opened` records of a search over one weight, of 4 trials of 100 steps."""
    return {
        "file": "sweep.yaml",
        "system": "pix2pix",
        "objective": {"metric": METRIC, "mode": "max"},
        "objectives": [{"metric": METRIC, "mode": "max"}],
        "trials": 4,
        "steps": 100,
        "axes": {"weights.l1": "log-uniform from 10 to 200"},
    } | more


def opened(at=0, attempt=1, **more):
    return at, "opened", {"id": PATHS.id, "name": "small", "attempt": attempt, "about": about(**more)}


def suggested(trial, at=1, value=100.0, **more):
    return at, "suggested", {"trial": trial, "params": {"weights.l1": value}, **more}


def started(trial, at=2, attempt=1):
    return at, "started", {"trial": trial, "attempt": attempt}


def reported(trial, step, at, score=None, rate=10.0, workers=1.0):
    """A report of 5 images a step; with a score it is an evaluation."""
    metrics = {"time/images_seen": step * 5.0, "time/images_per_second": rate, "resources/workers": workers}
    metrics |= {} if score is None else {METRIC: score}
    return at, "reported", {"trial": trial, "step": step, "metrics": metrics, "evaluated": score is not None}


def ended(trial, at, state="done", error=None, **more):
    return at, "ended", {"trial": trial, "state": state, "error": error, **more}


def failed(trial, at, count=1, error="worker 0 died"):
    return at, "failed", {"trial": trial, "error": error, "count": count, "what": "a worker died"}


def noticed(trial, at, step, text):
    return at, "noticed", {"trial": trial, "step": step, "text": text}


def closed(at, state, reason=None):
    return at, "closed", {"state": state, "reason": reason}


class Log:
    """A sweep's log in a storage. `add` writes records, `driven` is a context in which this process drives the sweep."""

    def __init__(self, storage):
        self.store, self._count = open_store(storage), 0

    def add(self, *records, torn=b""):
        """Append these; `torn`: what a crash left of one more."""
        lines = [
            json.dumps({"v": 2, "at": START + at, "kind": kind, **fields}).encode() + b"\n"
            for at, kind, fields in records
        ]
        if not self.store.remote:
            before = self.store.read(PATHS.log) if self.store.exists(PATHS.log) else b""
            self.store.write(PATHS.log, before + b"".join(lines) + torn)
        for line in lines if self.store.remote else ():
            self._count += 1
            assert self.store.create(f"{PATHS.segments}/{self._count:08d}.jsonl", line)
        return self

    @contextmanager
    def driven(self):
        with driving(self.store, PATHS):
            yield
