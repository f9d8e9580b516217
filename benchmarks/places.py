"""From `submit` to the first step of a training, by where it runs; and what a second worker brings on another node.

    python -m benchmarks.places [--rounds 3] [--steps 120] [--json]

The same small sweep (pix2pix, 64 pixels) is submitted to this machine, to a running Ray by its address (RAY_ADDRESS), and to
the Jobs API of a cluster that `up` has started; the parts are read off the clock, the storage and the sweep's log. A new
seed each time, so that each is a sweep of its own. Then one training by one worker, by two on one node, and by two on two
nodes. All nodes are on this machine: nothing is said of a network, and two workers have no more cores than it has.
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import Finding, conditions, interleave, parser, quartiles, show, wait_for_quiet
from cluster.layout import SweepPaths
from cluster.log.records import read_records
from cluster.log.store import read_log
from data_shards.build.openmoji import build_openmoji
from data_shards.store import FolderStore
from tests.beds import raylets

COMMAND = (sys.executable, "-m", "orchestrator.cli")
PORT = 8365
JOBS_API = ("--cluster", f"http://127.0.0.1:{PORT}")
PAIRS = 64
LOCAL, RUNNING, JOBS = "this machine", "a running Ray", "the Jobs API"
PARTS = (
    "plan, the driver, and where there was none yet, Ray",
    "a process for the trial, its imports, networks, data",
    "the first step",
)
ONE, TOGETHER, APART = "1 worker", "2 workers on one node", "2 workers on two nodes"


@dataclass
class Bench:
    """A folder with shards in which sweeps are submitted, each with another seed."""

    folder: Path
    seeds: Iterator[int] = field(default_factory=itertools.count)

    def submit(self, steps: int, workers: int, env: Mapping[str, str], *options: str) -> tuple[float, list[Any]]:
        """Run one sweep to its end; when it was submitted, and the records of its log."""
        file, runs = self.folder / "sweep.yaml", self.folder / "runs"
        file.write_text(yaml.safe_dump(self._sweep(steps, workers, runs), sort_keys=False))
        began = time.time()
        subprocess.run([*COMMAND, "submit", str(file), *options], env=env, stdout=sys.stderr, check=True)
        planning = [*COMMAND, "plan", str(file), "--no-measure", "-o", "json"]
        told = subprocess.run(planning, capture_output=True, text=True, check=True).stdout
        return began, list(read_records(read_log(FolderStore(runs), SweepPaths(json.loads(told)["id"]))))

    def _sweep(self, steps: int, workers: int, runs: Path) -> dict[str, Any]:
        return {
            "system": "pix2pix",
            "data": {"uri": str(self.folder / "shards"), "image": 64, "batch": 8, "replicas": 2},
            "hyper": {"width": 32, "critic_width": 32},
            "steps": steps,
            "seed": next(self.seeds),
            "every": {"report": max(1, steps // 4), "evaluate": steps, "checkpoint": steps},
            "resources": {"workers": workers, "cpus_per_worker": 1},
            "storage": str(runs),
        }


def parts(began: float, records: Sequence[Mapping[str, Any]]) -> list[float]:
    """Seconds from the submission to the log's opening, from there to a training that may begin, and of its first step."""
    opened = next(one["at"] for one in records if one["kind"] == "opened")
    first = next(one for one in records if one["kind"] == "reported")
    step = first["metrics"]["time/train_seconds"]
    return [opened - began, first["at"] - step - opened, step]


@contextmanager
def cluster(nodes: int, cpus: int, state: Path) -> Iterator[dict[str, str]]:
    """The environment for a cluster of `up`, with its token and the address of its Ray."""
    env = {**os.environ, "XDG_STATE_HOME": str(state)}
    up = [*COMMAND, "up", "--nodes", str(nodes), "--cpus", str(cpus), "--port", str(PORT)]
    told = subprocess.run(up, env=env, capture_output=True, text=True, check=True).stdout
    (export,) = (line for line in told.splitlines() if line.startswith("export "))
    name, _, value = export.removeprefix("export ").partition("=")
    try:
        yield {**env, name: shlex.split(value)[0]}
    finally:
        subprocess.run([*COMMAND, "down"], env=env, check=True, stdout=subprocess.DEVNULL)


def of_first_step(bench: Bench, rounds: int, state: Path) -> list[Finding]:
    """Submit to first step, by place."""
    with cluster(1, 2, state) as env, raylets(1, 2) as bed:
        sides = {
            LOCAL: lambda: parts(*bench.submit(2, 1, dict(os.environ))),
            RUNNING: lambda: parts(*bench.submit(2, 1, bed.env)),
            JOBS: lambda: parts(*bench.submit(2, 1, env, *JOBS_API)),
        }
        found = interleave(sides, rounds)
    findings = []
    for place, runs in found.items():
        sums = [sum(run) for run in runs]
        each = ", ".join(f"{part} {statistics.median(run[i] for run in runs):.1f} s" for i, part in enumerate(PARTS))
        low, high = quartiles(sums)
        name = f"submit to first step, {place}"
        findings.append(
            Finding(name, statistics.median(sums), low, high, rounds, None, at_least=False, unit="s", note=each)
        )
    return findings


def of_workers(bench: Bench, rounds: int, steps: int, state: Path) -> list[Finding]:
    """Pictures a second of one training, by its workers and their nodes, against one worker."""
    found: dict[str, list[float]] = {ONE: [], TOGETHER: [], APART: []}
    for _ in range(rounds):
        for nodes, cpus, sides in ((1, 2, {ONE: 1, TOGETHER: 2}), (2, 1, {APART: 2})):
            with cluster(nodes, cpus, state) as env:
                for name, workers in sides.items():
                    _, records = bench.submit(steps, workers, env, *JOBS_API)
                    rates = [one["metrics"] for one in records if one["kind"] == "reported"]
                    found[name].append(statistics.median(rate["time/images_per_second"] for rate in rates[1:]))
    findings = []
    for name, rates in found.items():
        low, high = quartiles(rates)
        against = [rate / alone for rate, alone in zip(rates, found[ONE], strict=True)]
        note = f"{statistics.median(against):.2f} of 1 worker"
        findings.append(
            Finding(f"training, {name}", statistics.median(rates), low, high, rounds, None, True, "images/s", note)
        )
    return findings


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--steps", type=int, default=120, help="of the trainings whose pictures a second are compared")
    asked = options.parse_args()
    where = conditions()
    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name:
        bench, state = Bench(Path(name)), Path(name) / "state"
        build_openmoji(str(bench.folder / "shards"), size=72, limit=PAIRS)
        before = wait_for_quiet(asked.wait)
        found = of_first_step(bench, asked.rounds, state)
        found += of_workers(bench, asked.rounds, asked.steps, state)
    print(f"cores kept busy before: {before:.2f}", file=sys.stderr)
    show(found, where, asked.json)


if __name__ == "__main__":
    main()
