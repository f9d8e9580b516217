"""What metrics cost a step: a training whose reports are folded and which is scraped every 5 s, over the same training without.

    python -m benchmarks.scraped [--rounds 30] [--wait 60] [--json]

Blocks of five seconds of CPU time in turns, one thread, one scrape by another process in the middle of each block, a report every
tenth step; nine further trials stand in the exporter. It lives in the training's own process, where folding and scrapes take the
interpreter's lock: in a sweep it lives in the driver, so this is more than a training can lose. CPU time is of all threads of the
process; what those beside the training's take is told by itself, since it is known far better than a difference of two blocks.
The interval is that of the median, by ranks, with 95 % confidence.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import torch

from benchmarks.cases import PIX2PIX
from benchmarks.measure import Finding, Watch, conditions, interleave, parser, quartiles, ratio, show, wait_for_quiet
from benchmarks.metrics import numbers, records, unrun
from cluster.job import Endpoint
from cluster.monitoring.exporter import exporting

EVERY_S, REPORT, TRIALS = 5.0, 10, 10  # seconds between scrapes, steps between reports, trials that the exporter has
TARGET = 0.5  # percent
Follow = Callable[[bytes], None]


class Block(NamedTuple):
    """Seconds that the same steps took: CPU time of the process, of its threads beside the training's, and by the wall's clock."""

    cpu: float
    beside: float
    wall: float


class Scraper:
    """Another process, which scrapes when it is told to."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.scraped", "--scrape"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self, url: str) -> None:
        """Scrape there now; this returns at once."""
        assert self._process.stdin is not None
        print(url, file=self._process.stdin, flush=True)

    def end(self) -> None:
        """Wait until it has; an AssertionError where it could not."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "done\n"

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def scrape() -> None:
    """The other process: an address a line."""
    for url in sys.stdin:
        with urlopen(url.strip(), timeout=60) as reply:
            assert reply.read()
        print("done", flush=True)


@contextmanager
def _exporter() -> Iterator[tuple[str, Follow]]:
    """One that has folded what ten trials reported: where to scrape it, and whom to tell more."""
    with exporting(replace(unrun(), metrics=Endpoint())) as metrics:
        assert metrics.url is not None, "no port is free"
        for raw in records(TRIALS):
            metrics.follow(raw)
        with urlopen(metrics.url, timeout=60) as reply:  # which waits until all is folded
            assert reply.read()
        yield metrics.url, metrics.follow


def _report(step: int) -> bytes:
    told = {"v": 2, "at": time.time(), "kind": "reported", "trial": 0, "step": step, "evaluated": False}
    return json.dumps({**told, "metrics": numbers(step, False)}).encode() + b"\n"


def sides(scraper: Scraper) -> dict[str, Callable[[], Block]]:
    """The training of as many steps as take five seconds, with metrics and without."""
    engine = PIX2PIX.engine()
    engine.step()
    began = time.process_time()
    for _ in range(REPORT):
        engine.step()
    steps = max(REPORT, math.ceil(EVERY_S * REPORT / (time.process_time() - began)))

    def train(told: Follow, middle: Callable[[], None]) -> Block:
        engine.step()
        cpu, own, wall = time.process_time(), time.thread_time(), time.perf_counter()
        for step in range(steps):
            engine.step(report=step % REPORT == 0)
            if step % REPORT == 0:
                told(_report(1000 + engine.t))
            if step == steps // 2:
                middle()
        own, wall = time.thread_time() - own, time.perf_counter() - wall
        cpu = time.process_time() - cpu
        return Block(cpu, cpu - own, wall)

    def scraped() -> Block:
        with _exporter() as (url, follow):
            found = train(follow, lambda: scraper.begin(url))
            scraper.end()
        return found

    return {"without": lambda: train(lambda raw: None, lambda: None), "with": scraped}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Of the median, by ranks: it holds the true one in 95 of 100 runs, whatever the values are distributed like."""
    ranked, half = sorted(values), len(values) / 2
    rank = max(0, math.floor(half - 0.98 * math.sqrt(len(values))))
    return ranked[rank], ranked[-1 - rank]


def measure(rounds: int, wait: float) -> list[Finding]:
    """Both clocks; the first round warms up and is dropped."""
    torch.set_num_threads(1)
    scraper = Scraper()
    try:
        wait_for_quiet(wait)
        watch = Watch()
        blocks = {name: found[1:] for name, found in interleave(sides(scraper), rounds + 1).items()}
        others = watch.others()
    finally:
        scraper.close()
    plain, scraped = blocks["without"], blocks["with"]
    shares = [100 * (one.beside - other.beside) / other.cpu for one, other in zip(scraped, plain, strict=True)]
    low, high = quartiles(shares)
    note = f"without metrics, threads beside the training's took {1000 * statistics.median(b.beside for b in plain):.2f} ms a block"
    share, name = statistics.median(shares), "metrics beside a step"
    found = [Finding(name, share, low, high, rounds, TARGET, at_least=False, unit="%", note=note)]
    for clock in ("cpu", "wall"):
        over, under = ([getattr(block, clock) for block in side] for side in (scraped, plain))
        low, high = interval([o / u for o, u in zip(over, under, strict=True)])
        note = f"95 % interval {low:.4f} - {high:.4f}; without: {statistics.median(under):.2f} s a block"
        note += f"; others kept {others:.2f} cores busy"
        found.append(ratio(f"step with metrics, {clock}", over, under, target=None, at_least=False, note=note))
    return found


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--scrape", action="store_true", help="be the other process")
    asked = options.parse_args()
    if asked.scrape:
        scrape()
        return
    where = conditions()
    with tempfile.TemporaryDirectory(prefix="i2i-scraped-") as home:
        os.environ["XDG_STATE_HOME"] = str(Path(home))
        found = measure(asked.rounds, asked.wait)
    show(found, where, asked.json)


if __name__ == "__main__":
    main()
