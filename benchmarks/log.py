"""Seconds that a driver needs to write 10,000 events into a sweep's log in a folder, and to read them back.

    python -m benchmarks.log [--events 10000] [--json]

The events are a search's: trials that report a dozen numbers a hundred times each, every tenth time with an evaluation, which a
scheduler decides on. Synced to the disk are those that somebody acts on; how long so many bare syncs take is told beside them,
and how long it would take to sync each event. Reading is what `status` and every start of a driver do.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

from benchmarks.measure import Finding, conditions, parser, show
from cluster.layout import SweepPaths
from cluster.log.records import MAY_WAIT
from cluster.log.store import open_log, read_state
from data_shards.store import FolderStore

TARGET_S = 1.0  # for 10,000 events
REPORTS, EVALUATED = 100, 10  # of a trial: reports, and at which of them it is evaluated
METRICS = {f"loss/term_{number}": 0.123456789 * number for number in range(12)}
Event = tuple[str, dict[str, Any]]


def _events() -> Iterator[Event]:
    """Of one trial after another, each from its suggestion to its end."""
    yield "opened", {"id": "bench", "name": "bench", "attempt": 1, "about": {}}
    for trial in count():
        yield "suggested", {"trial": trial, "params": {"weights.l1": 1.5 * trial}}
        yield "started", {"trial": trial, "attempt": 1}
        for step in range(1, REPORTS + 1):
            evaluated = step % EVALUATED == 0
            yield "reported", {"trial": trial, "step": step, "metrics": METRICS, "evaluated": evaluated}
            if evaluated:
                yield "decided", {"trial": trial, "step": step, "value": 0.123456789, "action": "continue"}
        yield "ended", {"trial": trial, "state": "done", "error": None}


def measure(events: int) -> list[Finding]:
    """Append so many events, and read them back."""
    paths, told = SweepPaths("bench"), list(islice(_events(), events))
    with tempfile.TemporaryDirectory(prefix="i2i-log-") as folder:
        store = FolderStore(Path(folder))
        log = open_log(store, paths, 0)
        began = time.perf_counter()
        for kind, fields in told:
            log.append(kind, **fields)
        appended = time.perf_counter() - began
        log.close()
        size = store.path(paths.log).stat().st_size
        began = time.perf_counter()
        state = read_state(store, paths)
        read = time.perf_counter() - began
        syncs = sum(kind not in MAY_WAIT for kind, _ in told)
        some, each = (_syncs(Path(folder) / "bare", number, size // number) for number in (syncs, events))
    note = f"{events} events, {size / 1e6:.1f} MB, {len(state.trials)} trials"
    target = TARGET_S * events / 10_000
    return [
        _finding(
            "log append", appended, target, f"{note}; the same bytes by {syncs} bare writes and syncs {some:.2f} s"
        ),
        _finding("each event synced", each, None, "bare writes and syncs of the same bytes"),
        _finding("log replay", read, target, note),
    ]


def _syncs(file: Path, number: int, size: int) -> float:
    """Seconds for so many writes of `size` bytes, each synced."""
    with file.open("wb") as target:
        began = time.perf_counter()
        for _ in range(number):
            target.write(b"x" * size)
            target.flush()
            os.fsync(target.fileno())
        return time.perf_counter() - began


def _finding(name: str, seconds: float, target: float | None, note: str) -> Finding:
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
