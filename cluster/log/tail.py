"""A log that is read on as it grows, by whoever watches a sweep from outside: each look costs what is new.

In a store that cannot append, a record is a segment with a number, and the next one is asked for by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cluster.layout import SweepPaths
from cluster.log.records import SweepState, read_records
from cluster.log.store import read_log, read_state
from data_shards.store import FolderStore, Store

Observe = Callable[[SweepState, Mapping[str, Any]], None]


class Attempts:
    """When a sweep's drivers opened it, and whether the last one said how it ended."""

    def __init__(self) -> None:
        self.opened: list[float] = []  # seconds since 1970, by the drivers' clocks
        self.closed = False

    def add(self, record: Mapping[str, Any]) -> None:
        """Take note of a record."""
        if record["kind"] == "opened":
            self.opened.append(float(record.get("at", 0.0)))
        self.closed = record["kind"] == "closed"


def attempts(raw: bytes) -> Attempts:
    """The attempts that the bytes of a log tell of, without reading what lies between them."""
    found = Attempts()
    lines = raw[: raw.rfind(b"\n") + 1].splitlines(keepends=True)
    for record in read_records(b"".join(line for line in lines[:-1] if b'"opened"' in line) + b"".join(lines[-1:])):
        found.add(record)
    return found


class Tail:
    """What a log adds up to, as far as it was read. `attempts`: of the same records."""

    def __init__(self, store: Store, paths: SweepPaths) -> None:
        self.state, self.attempts = SweepState(), Attempts()
        self._store, self._paths = store, paths
        self._read = 0  # bytes of a file, records of a store

    def read(self, observe: Observe = lambda state, record: None) -> int:
        """Read what is new; `observe` hears of each record once it is folded in. Returns how many there were.

        Raises UnreadableLog, and FileNotFoundError where there is no log.
        """
        count = 0
        try:
            for record in read_records(self._new()):
                self.state.apply(record)
                self.attempts.add(record)
                observe(self.state, record)
                count += 1
        except (KeyError, TypeError, ValueError):
            read_state(self._store, self._paths)  # which says where the log is damaged
            raise
        self.state.id = self._paths.id  # a copied folder is its own sweep
        return count

    def _new(self) -> bytes:
        if not self._store.remote:
            return self._appended()
        if not self._read:
            raw = read_log(self._store, self._paths)
            self._read = raw.count(b"\n")
            return raw
        found = []
        while (segment := self._segment(self._read + 1)) is not None:
            found.append(segment)
            self._read += 1
        return b"".join(found)

    def _appended(self) -> bytes:
        assert isinstance(self._store, FolderStore)
        with self._store.path(self._paths.log).open("rb") as file:
            file.seek(self._read)
            raw = file.read()
        whole = raw[: raw.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole

    def _segment(self, number: int) -> bytes | None:
        try:
            return self._store.read(f"{self._paths.segments}/{number:08d}.jsonl")
        except FileNotFoundError:
            return None
