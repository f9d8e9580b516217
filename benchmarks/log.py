"""Seconds that a driver needs to write 10,000 events into a sweep's log in a folder, and to read them back.

    python -m benchmarks.log [--events 10000] [--json]

Each event is synced to the disk before anybody acts on it, so the first figure is the disk's; the second is what `status` and
every start of a driver take. The events are a search's: trials that report a dozen numbers eight times each.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Finding, conditions, parser, show
from cluster.layout import SweepPaths
from cluster.log.store import SweepLog, open_log, read_state
from data_shards.store import FolderStore

TARGET_S = 1.0  # for 10,000 events
REPORTS = 8  # of a trial
METRICS = {f"loss/term_{number}": 0.123456789 * number for number in range(12)}


def _append(log: SweepLog, events: int) -> None:
    """Trials one after another, each suggested, started and evaluated REPORTS times."""
    for number in range(events):
        trial, step = divmod(number, REPORTS + 2)
        if step == 0:
            log.append("suggested", trial=trial, params={"weights.l1": 1.5 * trial})
        elif step == 1:
            log.append("started", trial=trial, attempt=1)
        else:
            log.append("reported", trial=trial, step=step, metrics=METRICS, evaluated=True)


def measure(events: int) -> list[Finding]:
    """Append so many events, and read them back."""
    paths = SweepPaths("bench")
    with tempfile.TemporaryDirectory(prefix="i2i-log-") as folder:
        store = FolderStore(Path(folder))
        log = open_log(store, paths, 0)
        began = time.perf_counter()
        _append(log, events)
        appended = time.perf_counter() - began
        log.close()
        size = store.path(paths.log).stat().st_size
        began = time.perf_counter()
        state = read_state(store, paths)
        read = time.perf_counter() - began
        bare = _syncs(Path(folder) / "bare", events, size // events)
    note = f"{events} events, {size / 1e6:.1f} MB, {len(state.trials)} trials"
    target = TARGET_S * events / 10_000
    return [
        _finding("log append", appended, target, f"{note}; the same bytes by bare writes and syncs {bare:.2f} s"),
        _finding("log replay", read, target, note),
    ]


def _syncs(file: Path, events: int, size: int) -> float:
    """Seconds for so many writes of `size` bytes, each synced."""
    with file.open("wb") as target:
        began = time.perf_counter()
        for _ in range(events):
            target.write(b"x" * size)
            target.flush()
            os.fsync(target.fileno())
        return time.perf_counter() - began


def _finding(name: str, seconds: float, target: float, note: str) -> Finding:
    return Finding(name, seconds, seconds, seconds, 1, target, at_least=False, unit="s", note=note)


def main() -> None:
    """Command line."""
    options = parser(__doc__, waits=False)
    options.add_argument("--events", type=int, default=10_000)
    asked = options.parse_args()
    where = conditions()
    show(measure(asked.events), where, asked.json)


if __name__ == "__main__":
    main()
