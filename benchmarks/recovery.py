"""How long a training of two workers stands still when one of them is killed: from kill -9 to the next step, and in which parts.

    python -m benchmarks.recovery [--rounds 3] [--json]

Seconds of one machine, not ratios; about half a minute a round on two cores. A checkpoint every 10 steps, a report every step. The
parts, as seen from outside: the report that the group died (the controller saw it and has taken the group away); the pause
before it is tried again; the controller's process; the workers' processes (Python, Ray, torch, their connection, the data, the
networks) until rank 0 has found its checkpoint; and the rest: loading it, the first step and its report. Most of it is imports:
the last line is how long two processes at once take for nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import psutil
import ray

from benchmarks.measure import Finding, Watch, conditions, parser, quartiles, show, wait_for_quiet
from benchmarks.pictures import Photographs
from benchmarks.wait import IMAGE, KINDS, cyclegan
from cluster.layout import SweepPaths
from cluster.report import Report
from cluster.run import Every, Run
from cluster.tune_bridge import ATTEMPT, INDEX, REPORT, RUN
from cluster.workers.group_trial import WorkerGroupTrial, grouping

PICTURES = 64  # a side
STEPS = 1_000_000  # it is stopped before
EVERY = 10  # steps between checkpoints
TRAINED = 25  # steps before each kill


@dataclass(frozen=True)
class Recovery:
    """The moments of one recovery, in seconds since the kill. `lost`: steps that were done twice."""

    reported: float
    launched: float
    processes: float
    training: float
    stepped: float
    lost: int

    @property
    def parts(self) -> dict[str, float]:
        """What the seconds went into, in their order."""
        moments = (0.0, self.reported, self.launched, self.processes, self.training, self.stepped)
        names = ("noticed and taken away", "pause", "controller", "workers", "checkpoint and first step")
        return {name: after - before for name, (before, after) in zip(names, pairwise(moments), strict=True)}


class Watched(WorkerGroupTrial):
    """A trial that remembers when it launched a group."""

    launched = 0.0

    def _launch(self) -> Report | None:
        instead = super()._launch()
        self.launched = time.time()
        return instead


def two_workers(folder: Path) -> Run:
    """A small CycleGAN on photographs, on two workers."""
    run = cyclegan(Photographs.make(folder / "data", PICTURES, IMAGE, PICTURES).shards, folder, *KINDS["small"], STEPS)
    every = Every(report=1, evaluate=STEPS, checkpoint=EVERY)
    return replace(run, workers=2, least_workers=2, every=every, data=replace(run.data, replicas=2))


def recover(trial: Watched, run: Run) -> Recovery:
    """Train a while, kill rank 1, and follow it to the next step."""
    last = step(trial)
    for _ in range(TRAINED):
        last = step(trial)
    assert trial._group is not None
    os.kill(trial._group.members[1].pid, signal.SIGKILL)
    killed = time.time()
    while (report := step(trial)).outcome is None:  # what was under way when it died
        last = report
    reported = time.time()
    first = step(trial)
    stepped = time.time()
    assert trial._group is not None and first.outcome is None, first.error
    began = min(psutil.Process(member.pid).create_time() for member in trial._group.members.values())
    found = Recovery(reported, trial.launched, began, marked(run), stepped, last.step - first.step + 1)
    moments = {
        name: getattr(found, name) - killed for name in ("reported", "launched", "processes", "training", "stepped")
    }
    print(json.dumps({**moments, "lost": found.lost}), file=sys.stderr)
    return replace(found, **moments)


def step(trial: WorkerGroupTrial) -> Report:
    """The next report."""
    report: Report = trial.step()[REPORT]
    return report


def marked(run: Run) -> float:
    """When the newest start of the trial had found its checkpoint."""
    folder = Path(run.storage) / SweepPaths(run.sweep).checkpoints(run.trial)
    return max(file.stat().st_mtime for file in folder.glob("attempt-*"))


def imports() -> float:
    """Seconds that two processes at once take to import what a worker does."""
    began = time.monotonic()
    children = [subprocess.Popen([sys.executable, "-c", "import cluster.workers.group"]) for _ in range(2)]
    assert not any(child.wait() for child in children)
    return time.monotonic() - began


def finding(name: str, values: list[float], note: str = "") -> Finding:
    """The median of some seconds."""
    low, high = quartiles(values)
    return Finding(name, statistics.median(values), low, high, len(values), None, at_least=False, unit="s", note=note)


def measure(rounds: int, wait: float) -> list[Finding]:
    """Kill a worker of the same training again and again."""
    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name:
        run = two_workers(Path(name))
        alone = [imports() for _ in range(rounds)]
        wait_for_quiet(wait)
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL
        )
        watch = Watch()
        config = {RUN: run.to_json(), INDEX: 0, ATTEMPT: 1, **grouping(1, 0)}
        trial = Watched.__new__(Watched)  # Tune's part of it would make a folder at home
        trial.setup(config)
        began = time.time()
        step(trial)
        first = time.time() - began
        found = [recover(trial, run) for _ in range(rounds)]
        others = watch.others()
        trial.cleanup()
        ray.shutdown()
    note = (
        f"{statistics.median(one.lost for one in found):.0f} steps were done twice, with a checkpoint every {EVERY}; "
        f"the first start took {first:.1f} s; others kept {others:.2f} cores busy"
    )
    parts = [finding(f"of it: {part}", [one.parts[part] for one in found]) for part in found[0].parts]
    whole = finding("kill -9 of one of 2 workers to the next step", [one.stepped for one in found], note)
    return [whole, *parts, finding("imports of two workers at once", alone)]


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    where = conditions()
    with redirect_stdout(sys.stderr):  # Ray prints a note on each process that was killed
        found = measure(asked.rounds, asked.wait)
    show(found, where, asked.json)


if __name__ == "__main__":
    main()
