"""What a sweep's metrics cost: size and seconds of a scrape at 10, 100 and 500 running trials, memory, and time of a record.

    python -m benchmarks.metrics [--json]

Each number of trials has a process of its own, which is told the records of trials that report as a CycleGAN's do, a hundred times
each with ten evaluations, and is scraped over HTTP. Memory is what the process grows by, from before the exporter is imported. Of a
record it is told how long the driver is held up by handing it over, and how much CPU time another thread takes to fold it.
What all that costs a training's step is measured by `benchmarks.scraped`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.request import urlopen

import psutil

from benchmarks.measure import Finding, conditions, parser, show

if TYPE_CHECKING:  # their memory is measured
    from cluster.job import Job
    from cluster.log.records import TrialState
    from cluster.run import Run

COUNTS = (10, 100, 200, 500)
REPORTS, EVALUATED = 100, 10  # of a trial: reports, and at which of them it is evaluated
SCRAPES = 10
MEMORY_MB, SERIES, JUDGED = 100.0, 12_000, 200  # at most, with so many trials
TERMS = ("adv_ab", "adv_ba", "cyc_a", "cyc_b", "idt_a", "idt_b", "d_a", "d_b")
PLAYERS = ("generators", "critics")
SCORES = ("l1", "psnr", "ssim", "l1_ba", "psnr_ba", "ssim_ba", "cycle", "identity")


def numbers(step: int, evaluated: bool) -> dict[str, float]:
    """Of a report."""
    told = {f"{kind}/{term}": 0.123456789 * step for kind in ("loss", "weight") for term in TERMS}
    told |= {f"balance/{what}_{term}": 0.5123456 for what in ("accuracy", "real", "fake") for term in TERMS[-2:]}
    told |= {f"balance/{what}_{player}": float(step) for what in ("gradient", "moves") for player in PLAYERS}
    told |= {f"checkpoint/{what}": float(step) for what in ("step", "seconds", "bytes", "written", "written_bytes")}
    told |= {f"data/{what}": float(step) for what in ("requests", "bytes", "cache_hits", "wait_seconds")}
    times = ("images_per_second", "images_seen", "train_seconds", "data_wait_share")
    told |= {f"time/{what}": float(step) for what in times} | {"resources/workers": 1.0}
    return told | ({f"eval/{score}": 0.987654321 for score in SCORES} if evaluated else {})


def records(trials: int) -> Iterator[bytes]:
    """The log of so many trials, all of which run."""
    goals = [{"metric": "eval/ssim", "mode": "max"}]
    about = {"system": "cyclegan", "steps": 1000, "objective": goals[0], "objectives": goals, "workers": 1}

    def line(kind: str, **fields: object) -> bytes:
        return json.dumps({"v": 2, "at": 1.7e9, "kind": kind, **fields}).encode() + b"\n"

    yield line("opened", id="bench", name="bench", attempt=1, about=about)
    for trial in range(trials):
        yield line("suggested", trial=trial, params={"weights.cyc": 1.5 * trial})
        yield line("started", trial=trial, attempt=1)
    for step in range(1, REPORTS + 1):
        evaluated = step % EVALUATED == 0
        for trial in range(trials):
            yield line("reported", trial=trial, step=step, metrics=numbers(step, evaluated), evaluated=evaluated)


def serve(trials: int) -> dict[str, float]:
    """Tell, fold and scrape in this process; what it took."""
    process = psutil.Process()
    before = process.memory_info().rss
    from cluster.job import Endpoint
    from cluster.monitoring.exporter import exporting

    count, handed = 0, 0.0
    with exporting(replace(unrun(), metrics=Endpoint())) as metrics:
        assert metrics.url is not None, "no port is free"
        for raw in records(trials):
            now = time.perf_counter()
            metrics.follow(raw)
            handed += time.perf_counter() - now
            count += 1
            if count % 1000 == 0:
                _scrape(metrics.url)  # which waits for what was told: a driver tells a few records a second
        scrapes = [_scrape(metrics.url) for _ in range(SCRAPES)]
        grown = process.memory_info().rss - before
    text = scrapes[-1][1]
    return {
        "series": float(sum(not line.startswith("#") for line in text.splitlines())),
        "bytes": float(len(text.encode())),
        "seconds": statistics.median(seconds for seconds, _ in scrapes),
        "memory_mb": grown / 1e6,
        "hand_over_us": 1e6 * handed / count,
        "fold_us": 1e6 * _folding(trials) / count,
        "records": float(count),
    }


def _folding(trials: int) -> float:
    """CPU seconds that folding the records takes, by itself."""
    from cluster.log.records import read_records
    from cluster.monitoring.fold import Fold

    fold, told = Fold(), list(records(trials))
    began = time.process_time()
    for raw in told:
        for record in read_records(raw):
            fold.apply(record)
    return time.process_time() - began


def unrun() -> Job:
    """One that is not run."""
    from cluster.job import Job

    def run(trial: TrialState) -> Run:
        raise AssertionError("nothing is run")

    return Job(
        id="bench",
        name="bench",
        storage="",
        about={},
        trials=1,
        suggest=lambda index, trials: None,
        run=run,
        metric="eval/ssim",
        mode="max",
        steps=1,
        schedule=None,
        workers=1,
        least_workers=1,
        cpus_per_worker=1.0,
        gpus_per_worker=0.0,
        failures=0,
        wall=None,
    )


def _scrape(url: str) -> tuple[float, str]:
    began = time.perf_counter()
    with urlopen(url, timeout=60) as reply:
        text: str = reply.read().decode()
    return time.perf_counter() - began, text


def measure() -> list[Finding]:
    """Each number of trials."""
    found = []
    for trials in COUNTS:
        command = [sys.executable, "-m", "benchmarks.metrics", "--serve", str(trials)]
        with tempfile.TemporaryDirectory(prefix="i2i-metrics-") as home:
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env={**os.environ, "XDG_STATE_HOME": home}
            )
        told = json.loads(done.stdout.splitlines()[-1])
        judged = trials == JUDGED
        found += [
            _finding(f"series of {trials} running trials", told["series"], SERIES if judged else None, ""),
            _finding(f"a scrape of {trials}", told["seconds"], None, "s", f"{told['bytes'] / 1e6:.2f} MB"),
            _finding(f"memory with {trials}", told["memory_mb"], MEMORY_MB if judged else None, "MB"),
        ]
        if judged:
            found += [
                _finding("handing over a record", told["hand_over_us"], None, "us", "so long the driver waits"),
                _finding("folding it", told["fold_us"], None, "us", f"CPU time; {told['records']:.0f} records"),
            ]
    return found


def _finding(name: str, value: float, target: float | None, unit: str, note: str = "") -> Finding:
    return Finding(name, value, value, value, 1, target, at_least=False, unit=unit, note=note)


def main() -> None:
    """Command line."""
    options = parser(__doc__, waits=False)
    options.add_argument("--serve", type=int, help="tell, fold and scrape so many trials here, and print what it took")
    asked = options.parse_args()
    if asked.serve:
        print(json.dumps(serve(asked.serve)))
        return
    where = conditions()
    show(measure(), where, asked.json)


if __name__ == "__main__":
    main()
