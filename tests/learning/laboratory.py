"""Sweeps that show that a system learns: submitted as a user does, three seeds each, judged on pictures it never saw."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.systems.pages import BEGIN, END

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (0, 1, 2)
T_975 = 4.303  # Student's t, 2 degrees of freedom: 95 % two-sided
AT_ONCE = 2  # sweeps of one worker each


@dataclass(frozen=True)
class Gain:
    """What a method gains over doing less, seed by seed; positive is better."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.mean(self.values)

    @property
    def margin(self) -> float:
        """Half of the 95 % interval of the mean, by Student's t over the seeds."""
        return T_975 * statistics.stdev(self.values) / math.sqrt(len(self.values))

    @property
    def is_real(self) -> bool:
        """Whether the interval excludes 0 on the good side."""
        return self.mean - self.margin > 0

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.margin:.3f}"


class Laboratory:
    """A folder with data sets, in which commands are given and sweeps submitted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self.env |= {"PYTHONPATH": str(ROOT), "TMPDIR": "/tmp"}

    def command(self, *words: str) -> str:
        """What `i2i-cluster words` prints; an AssertionError with its errors where it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", *words],
            cwd=self.folder, env=self.env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def scores(self, name: str, sweep: Mapping[str, Any]) -> dict[str, float]:
        """Submit a sweep of one trial and give all metrics of its end. A sweep that is done already costs nothing."""
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"name": name, **sweep}, sort_keys=False))
        self.command("submit", file.name)
        (trial,) = json.loads(self.command("results", name, "-o", "json"))["trials"]
        metrics: dict[str, float] = trial["metrics"]
        return metrics

    def over_seeds(self, name: str, sweep: Mapping[str, Any]) -> list[dict[str, float]]:
        """The same with each of SEEDS."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda seed: self.scores(f"{name}-{seed}", {**sweep, "seed": seed}), SEEDS))


def record(page: Path, text: str) -> None:
    """Write `text` between the marks of a system's page."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"{page} has no marks"
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    told = f"{text}\n\n{time.strftime('%Y-%m-%d')}, commit {commit}, {os.cpu_count()} CPUs: `make slow ARGS=tests/learning`."
    page.write_text(f"{before}{begin}\n{told}\n{end}{after}", encoding="utf-8")


def gain(
    better: Sequence[Mapping[str, float]], than: Sequence[Mapping[str, float]], metric: str, sign: float = 1.0
) -> Gain:
    """How much higher `metric` is with each seed; with the sign -1, how much lower."""
    return Gain(tuple(sign * (one[metric] - other[metric]) for one, other in zip(better, than, strict=True)))


def mean(found: Sequence[Mapping[str, float]], metric: str) -> float:
    """Of the seeds."""
    return statistics.mean(one[metric] for one in found)
