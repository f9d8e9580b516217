"""Where a sweep's log lies: one file in a folder, numbered segments in a store that cannot append.

A segment is made by `Store.create`, which never replaces anything: whoever finds its number taken knows that another
driver writes this sweep, and has acted on nothing. So the log is its own fence, whatever a lease may say. The surprise is
the packs: each full hundred of segments is written once more as one object, a pure function of them, so that a long log is
read in few requests and no reader ever sees anything vanish. A file is synced for those records that somebody acts on; the
others go along (docs/decisions/011).
"""

from __future__ import annotations

import json
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from cluster.layout import DRIVERS, JOB, LOG, SweepPaths
from cluster.log.lock import SweepBusy
from cluster.log.records import MAY_WAIT, VERSION, SweepState, UnreadableLog, fold
from data_shards.address import join
from data_shards.store import FolderStore, Store, named, sync_folder

PACKED = 100  # segments of a pack
READERS = 16  # segments read at a time
LONGEST_S = 1.0  # that a record of a file waits to be synced
SEGMENT = re.compile(r"(\d{8})(?:-(\d{8}))?\.jsonl")  # a segment, or a pack of them from the one to the other
Follow = Callable[[bytes], None]  # hears of whole records, in their order, once they are in the log


def nobody(raw: bytes) -> None:
    """Nobody follows."""


class SweepLog(ABC):
    """The one writer of a log. A record outlives its writer once `append` returns, and is folded into `state` by then; it outlives
    the machine as well, except where its kind may wait: then only once something else is appended, or `commit` has returned.

    follow: is told of what is there already, then of each record. It must not raise."""

    def __init__(self, raw: bytes, follow: Follow) -> None:
        self.state, self._follow = fold(raw), follow
        follow(raw)

    def append(self, kind: str, **fields: Any) -> None:
        """Write a record through, then fold it in. Raises OSError, and SweepBusy where another driver writes this log."""
        record = {"v": VERSION, "at": round(time.time(), 3), "kind": kind, **fields}
        line = self._write(record)
        self.state.apply(record)
        self._follow(line)

    @abstractmethod
    def _write(self, record: dict[str, Any]) -> bytes:
        """Store a record; returns it as it is stored."""

    @abstractmethod
    def commit(self, longest: float = 0.0) -> None:
        """Make sure of what was appended, if any of it has waited for `longest` seconds. Raises OSError."""

    @abstractmethod
    def close(self) -> None:
        """Make sure of it all and let go; the log can be opened again."""


class FileLog(SweepLog):
    """A log in a file of this machine. One sync makes sure of all that was written before it."""

    def __init__(self, path: Path, follow: Follow = nobody) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = path.read_bytes() if path.exists() else b""
        try:
            super().__init__(raw, follow)
        except UnreadableLog as error:
            raise type(error)(f"{path}: {error}") from error
        self._path, self._file = path, path.open("ab")
        self._file.truncate(raw.rfind(b"\n") + 1)  # a torn last line would swallow the next record
        self._since: float | None = None  # monotonic time at which the oldest record was written that is not synced yet
        if not raw:
            sync_folder(path.parent)

    def _write(self, record: dict[str, Any]) -> bytes:
        line = _line(record)
        with named(self._path):
            self._file.write(line)
            self._file.flush()
        self._since = time.monotonic() if self._since is None else self._since
        self.commit(LONGEST_S if record["kind"] in MAY_WAIT else 0.0)
        return line

    def commit(self, longest: float = 0.0) -> None:
        """Sync the file."""
        if self._since is not None and time.monotonic() - self._since >= longest:
            os.fsync(self._file.fileno())
            self._since = None

    def close(self) -> None:
        """Sync what is left, also where nobody looked for a while."""
        try:
            self.commit()
        finally:
            with named(self._path):  # what a full disk did not take is tried once more
                self._file.close()


class SegmentLog(SweepLog):
    """A log in a store: one segment a record. `driver` is the number of the writer's claim, which no other one has."""

    def __init__(self, store: Store, folder: str, driver: int, follow: Follow = nobody) -> None:
        self._store, self._folder, self._driver = store, folder, driver
        pieces = _pieces(store, folder)
        contents = _read(store, folder, pieces)
        try:
            super().__init__(b"".join(contents), follow)
        except UnreadableLog as error:
            raise type(error)(f"{join(store.uri, folder)}: {error}") from error
        self._last = pieces[-1][1] if pieces else 0
        packed = max((last for first, last, _ in pieces if first != last), default=0)
        self._loose = [content for (first, _, _), content in zip(pieces, contents, strict=True) if first > packed]
        while len(self._loose) >= PACKED:  # the last driver died before it packed them
            self._pack(self._last - len(self._loose) + PACKED)

    def _write(self, record: dict[str, Any]) -> bytes:
        line, number = _line({**record, "driver": self._driver}), self._last + 1
        path = f"{self._folder}/{number:08d}.jsonl"
        if not self._store.create(path, line):
            raise SweepBusy(
                f"another process drives this sweep by now: it wrote record {number} of the log; this one ends here, "
                "and what it did not record is done by the other"
            )
        self._last = number
        self._loose.append(line)
        if len(self._loose) == PACKED:
            self._pack(number)
        return line

    def _pack(self, last: int) -> None:
        """Write the PACKED segments up to `last` as one; whoever did it before wrote the same bytes."""
        content = b"".join(self._loose[:PACKED])
        self._store.create(f"{self._folder}/{last - PACKED + 1:08d}-{last:08d}.jsonl", content)
        del self._loose[:PACKED]

    def commit(self, longest: float = 0.0) -> None:
        """Nothing: a segment is there for good once it is made."""

    def close(self) -> None:
        """Nothing is held."""


def open_log(store: Store, paths: SweepPaths, driver: int, follow: Follow = nobody) -> SweepLog:
    """The log of a sweep, to write to, by its driver. Raises UnreadableLog and OSError."""
    if store.remote:
        return SegmentLog(store, paths.segments, driver, follow)
    assert isinstance(store, FolderStore)
    return FileLog(store.path(paths.log), follow)


def has_log(store: Store, paths: SweepPaths) -> bool:
    """Whether the sweep has a log; it may be empty, or nothing that can be read."""
    if store.remote:
        return bool(store.list(f"{paths.segments}/"))
    assert isinstance(store, FolderStore)
    return store.path(paths.log).exists()


def read_log(store: Store, paths: SweepPaths) -> bytes:
    """The records of a log, a line each, also while it is written. Raises FileNotFoundError, UnreadableLog."""
    if not store.remote:
        try:
            return store.read(paths.log)
        except IsADirectoryError as error:
            raise UnreadableLog(f"{log_place(store, paths)} is a folder, and should be the log") from error
    pieces = _pieces(store, paths.segments)
    if not pieces:
        raise FileNotFoundError(f"{log_place(store, paths)} is not there")
    return b"".join(_read(store, paths.segments, pieces))


def read_state(store: Store, paths: SweepPaths) -> SweepState:
    """What a log adds up to. Raises UnreadableLog, naming the log, and OSError."""
    raw = read_log(store, paths)
    try:
        return fold(raw)
    except UnreadableLog as error:
        raise type(error)(f"{log_place(store, paths)}: {error}") from error


def opened_as(store: Store, paths: SweepPaths) -> str:
    """The name of a sweep whose log is damaged, as far as one of its lines still tells; empty where none does."""
    with suppress(OSError, UnreadableLog):
        for line in read_log(store, paths).splitlines():
            with suppress(AttributeError, RecursionError, ValueError):
                record = json.loads(line)
                if record.get("kind") == "opened":
                    return str(record.get("name", ""))
    return ""


def log_place(store: Store, paths: SweepPaths) -> str:
    """Where a log lies, for people."""
    return join(store.uri, paths.segments if store.remote else paths.log)


def sweeps_in(store: Store) -> list[str]:
    """The ids of the sweeps in a storage, sorted. One that was just claimed, or submitted elsewhere, may have no log yet."""
    if store.remote:
        return sorted({path.split("/")[1] for path in store.list(f"{DRIVERS}/")})
    assert isinstance(store, FolderStore)
    submitted = (record.parent.name for record in store.root.glob(f"{DRIVERS}/*/{JOB}"))
    return sorted({*submitted, *(log.parent.name for log in store.root.glob(f"*/{LOG}"))})


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, allow_nan=False).encode() + b"\n"


def _pieces(store: Store, folder: str) -> list[tuple[int, int, str]]:
    """(first, last, path) of what holds the segments, in order: packs where there are. UnreadableLog where one is gone."""
    longest: dict[int, tuple[int, str]] = {}
    for path in store.list(f"{folder}/"):
        if match := SEGMENT.fullmatch(path.removeprefix(f"{folder}/")):
            first, last = int(match[1]), int(match[2] or match[1])
            longest[first] = max(longest.get(first, (0, "")), (last, path))
    pieces: list[tuple[int, int, str]] = []
    wanted = 1
    while wanted in longest:
        last, path = longest[wanted]
        pieces.append((wanted, last, path))
        wanted = last + 1
    if any(last >= wanted for last, _ in longest.values()):
        raise UnreadableLog(f"{join(store.uri, folder)}: segment {wanted} of the log is missing")
    return pieces


def _read(store: Store, folder: str, pieces: list[tuple[int, int, str]]) -> list[bytes]:
    """What the pieces hold, read side by side. A segment is stored whole or not at all: a torn one is damage."""
    with ThreadPoolExecutor(READERS) as readers:
        contents = list(readers.map(store.read, [path for _, _, path in pieces]))
    for (first, _, _), content in zip(pieces, contents, strict=True):
        if not content.endswith(b"\n"):
            raise UnreadableLog(f"{join(store.uri, folder)}: segment {first} of the log is damaged")
    return contents
