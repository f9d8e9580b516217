"""What every benchmark shares: alternating blocks, ratios with their spread, and how busy the machine was meanwhile.

Seconds on a shared machine mean little, so each figure is a ratio of two sides timed in turns. The order of the sides
turns round every other round: whoever goes second may find the caches, or the clock, in another state.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

T = TypeVar("T")

BUSY = 0.15  # cores taken by others above which a measurement that needs the whole machine judges nothing
ENOUGH = 5  # quiet rounds to judge from


@dataclass(frozen=True)
class Finding:
    """One figure against its budget. `low` and `high` are its quartiles over `rounds` (equal to it where there is one).

    `at_least`: whether the target is a floor or a ceiling. `target` None: shown beside the others, not judged.
    `unfit`: why nothing can be judged from this run.
    """

    name: str
    value: float
    low: float
    high: float
    rounds: int
    target: float | None
    at_least: bool
    unit: str = "ratio"
    note: str = ""
    unfit: str = ""

    @property
    def verdict(self) -> str:
        """met, missed, not judged, or a dash where there is no target."""
        if self.target is None:
            return "-"
        if self.unfit:
            return "not judged"
        met = self.value >= self.target if self.at_least else self.value <= self.target
        return "met" if met else "missed"

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Finding:
        """Rebuild a finding from `to_json`."""
        return Finding(**{name: value for name, value in values.items() if name != "verdict"})

    def to_json(self) -> dict[str, Any]:
        """Its fields and the verdict."""
        return {**asdict(self), "verdict": self.verdict}


@dataclass(frozen=True)
class Timed:
    """One block: wall seconds, cores that others kept busy meanwhile, and CPU seconds of this process."""

    seconds: float
    others: float
    cpu: float = 0.0


def interleave(sides: Mapping[str, Callable[[], T]], rounds: int, wait: float = 0.0) -> dict[str, list[T]]:
    """What each side measured in each round. Every round runs each once; the order turns round every other round.

    wait: seconds to wait at most, over all rounds, for others to leave the machine alone when a round begins.
    """
    seconds: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(rounds):
        if wait > 0:
            began = time.monotonic()
            wait_for_quiet(wait)
            wait -= time.monotonic() - began
        names = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in names:
            seconds[name].append(sides[name]())
    return seconds


def ratio(
    name: str,
    over: Sequence[float],
    under: Sequence[float],
    *,
    target: float | None,
    at_least: bool,
    note: str = "",
    unfit: str = "",
) -> Finding:
    """The median over the rounds of `over / under`, both of the same round, with its quartiles."""
    found = [o / u for o, u in zip(over, under, strict=True)]
    low, high = quartiles(found)
    return Finding(name, statistics.median(found), low, high, len(found), target, at_least, note=note, unfit=unfit)


def quiet(found: Mapping[str, Sequence[Timed]]) -> tuple[dict[str, list[Timed]], str]:
    """The blocks of the rounds during which others left the machine alone.

    Where too few rounds are left, all of them are kept, and the second value says why nothing can be judged from them.
    """
    rounds = range(len(next(iter(found.values()))))
    kept = [i for i in rounds if all(blocks[i].others <= BUSY for blocks in found.values())]
    enough = len(kept) >= min(ENOUGH, len(rounds))
    reason = "" if enough else f"others left the machine alone in only {len(kept)} of {len(rounds)} rounds"
    chosen = kept if enough else rounds
    return {name: [blocks[i] for i in chosen] for name, blocks in found.items()}, reason


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The first and the third quartile; the only value twice where there is one."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


class Watch:
    """How many cores others kept busy, from the kernel's counters. Time stolen by other guests counts as theirs."""

    def __init__(self) -> None:
        self._began, self._idle, self._ours = time.monotonic(), _idle_seconds(), _own_seconds()

    def others(self) -> float:
        """Mean number of cores that were neither idle nor ours since the watch was made. Our processes must live on."""
        elapsed = time.monotonic() - self._began
        taken = elapsed * _cores() - (_idle_seconds() - self._idle) - (_own_seconds() - self._ours)
        return max(0.0, taken / elapsed)


def others_now(seconds: float = 1.0) -> float:
    """Cores that others keep busy while this process and its children sleep."""
    watch = Watch()
    time.sleep(seconds)
    return watch.others()


def wait_for_quiet(limit: float) -> float:
    """Wait until others leave the machine alone, at most `limit` seconds; returns the cores they kept busy at the end."""
    began = time.monotonic()
    while (others := others_now()) > BUSY and time.monotonic() - began < limit:
        pass
    return others


def unfit(*others: float) -> str:
    """Why a run that needs the whole machine cannot be judged, given the cores others took; empty if it can."""
    worst = max(others)
    return f"others kept {worst:.2f} cores busy" if worst > BUSY else ""


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _idle_seconds() -> float:
    cores = os.sched_getaffinity(0)
    times = [t for core, t in enumerate(psutil.cpu_times(percpu=True)) if core in cores]
    return sum(t.idle + t.iowait for t in times)


def _own_seconds() -> float:
    """CPU seconds of this process and its descendants."""
    me = psutil.Process()
    return sum(t.user + t.system for t in (p.cpu_times() for p in (me, *me.children(recursive=True))))


def conditions() -> dict[str, Any]:
    """The machine and the versions that a figure belongs to, and the load average of the last minute."""
    return {
        "cpu": _cpu_model(),
        "cores": _cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "ray": metadata.version("ray"),
        "load": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def parser(description: str | None, waits: bool = True) -> argparse.ArgumentParser:
    """A command line with what all benchmarks take, `--wait` where they wait for an idle machine."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    if waits:
        made.add_argument("--wait", type=float, default=60.0, help="seconds to wait at most for an idle machine")
    return made


def show(findings: Sequence[Finding], where: Mapping[str, Any], as_json: bool) -> None:
    """Print the findings to stdout; `where` is what `conditions` said before the run."""
    if as_json:
        print(json.dumps({"conditions": dict(where), "findings": [f.to_json() for f in findings]}, indent=2))
        return
    table = Table(box=box.SIMPLE)
    for heading in ("what", "value", "quartiles", "rounds", "target", "verdict"):
        table.add_column(heading)
    for f in findings:
        sign = ">=" if f.at_least else "<="
        target = "" if f.target is None else f"{sign} {f.target:g}"
        unit = "" if f.unit == "ratio" else f" {f.unit}"
        table.add_row(f.name, f"{f.value:.3f}{unit}", f"{f.low:.3f} - {f.high:.3f}", str(f.rounds), target, f.verdict)
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    for f in findings:
        if f.note or f.unfit:
            console.print(f"{f.name}: {'; '.join(filter(None, [f.unfit, f.note]))}")
    console.print(", ".join(f"{name} {value}" for name, value in where.items()))
