"""A sweep of 500 trials of one step each: the driver's memory, the log's size, seconds a trial, and how fast `status` answers.

    python -m benchmarks.many [--trials 500] [--json]

The driver is a process of its own. Beside its memory stand what it is with 20 trials, so that the growth is that of trials alone,
and how much of it no other process shares: code that is mapped from files is one copy for all, the trials' processes included.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.measure import Finding, conditions, parser, show
from benchmarks.sweep import PAIRS, SWEEP, Sweep, Trials, make_job
from cluster.layout import SweepPaths

MEMORY_MB, STATUS_S = 300.0, 1.0
FEW = 20


def drive(folder: Path, count: int) -> dict[str, float]:
    """Run the sweep in this process; its peak memory in MB, its own at the end, and seconds from the first trial to the last."""
    sweep = Sweep(folder / SWEEP)
    sweep.launch(make_job(Trials(folder, steps=1), count, cores=2))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    own = psutil.Process().memory_full_info().uss / 1e6
    return {"peak_mb": peak, "own_mb": own, "seconds": sweep.seconds(), "launched": sweep.launched}


def _driven(folder: Path, count: int) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.many", "--drive", str(folder), "--trials", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(count: int) -> list[Finding]:
    """A few trials, then many."""
    from data_shards.build.openmoji import build_openmoji

    with tempfile.TemporaryDirectory(prefix="i2i-many-") as name:
        folders = [Path(name) / "few", Path(name) / "many"]
        for folder in folders:
            folder.mkdir()
            build_openmoji(str(folder / "shards"), size=72, limit=PAIRS)
        few, many = _driven(folders[0], FEW), _driven(folders[1], count)
        storage = folders[1] / SWEEP
        size = (storage / SweepPaths(SWEEP).log).stat().st_size
        began = time.perf_counter()
        status = [sys.executable, "-m", "orchestrator.cli", "status", SWEEP, "--storage", str(storage)]
        subprocess.run(status, capture_output=True, check=True)
        answered = time.perf_counter() - began
    note = f"{count} trials, {many['launched']:.0f} s in all; with {FEW} trials {few['peak_mb']:.0f} MB"
    grown = 1000 * (many["peak_mb"] - few["peak_mb"]) / (count - FEW)
    return [
        _finding("driver's peak memory", many["peak_mb"], MEMORY_MB, "MB", note),
        _finding("its own, at the end", many["own_mb"], None, "MB", "what no other process shares"),
        _finding("its growth a trial", grown, None, "kB", f"from {FEW} to {count} trials"),
        _finding("a trial of one step", many["seconds"] / count, None, "s", "two at a time"),
        _finding("log", size / 1e6, None, "MB", ""),
        _finding("status", answered, STATUS_S, "s", "the whole command"),
    ]


def _finding(name: str, value: float, target: float | None, unit: str, note: str) -> Finding:
    return Finding(name, value, value, value, 1, target, at_least=False, unit=unit, note=note)


def main() -> None:
    """Command line."""
    options = parser(__doc__, waits=False)
    options.add_argument("--trials", type=int, default=500)
    options.add_argument("--drive", type=Path, help="run the sweep of this folder here, and print what it took")
    asked = options.parse_args()
    if asked.drive:
        print(json.dumps(drive(asked.drive, asked.trials)))
        return
    where = conditions()
    show(measure(asked.trials), where, asked.json)


if __name__ == "__main__":
    main()
