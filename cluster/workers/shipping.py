"""Carries what a worker process prints into the storage, where `i2i-cluster logs` finds it whatever became of the machine.

Ray sends a worker's standard output and error into two files; what is new in them since the trial began is copied every few
seconds, in a thread that touches nothing of the training. The store may fail as it likes: this is worth less than a step. What a
process printed in its last moment before it was killed is carried by the next one on the same machine, which finds its note.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from cluster.output import SEGMENT_BYTES, Segment, mark
from cluster.report import Report, Tell
from cluster.training import Beat
from cluster.workers.notes import Carried, Note, orphans
from data_shards.errors import DataError
from data_shards.store import Store, open_store

LOOK_S = 3.0  # between two looks at the files
FLUSH_S = 5.0  # what a run that has ended waits for its last output
AT_ONCE = (
    4 * SEGMENT_BYTES
)  # bytes of one file that a look takes in, and that may wait for a store that does not answer
STREAMS = (1, 2)
RAY_S = re.compile(rb"^:(?:job_id|actor_name|task_name):.*\n", re.MULTILINE)  # marks for its own readers


class Carrier:
    """Copies files from where they are carried to into segments, as they grow."""

    def __init__(self, store: Store, carried: Carried) -> None:
        self._store, self._folder = store, carried.folder
        self._segment, self._content = Segment(carried.start, carried.rank, carried.number), b""
        self._written = 0  # bytes of the present segment that are in the store
        self._offsets = dict(carried.files)
        self.step: int | None = None  # in which the process is
        self._marked: int | None = None
        self._between = True  # whether the next byte begins a line

    @property
    def carried(self) -> Carried:
        """How far it has come, for somebody who goes on from there."""
        segment, free = self._segment, self._segment.number + bool(self._written)
        return Carried(self._store.uri, self._folder, segment.start, segment.rank, free, dict(self._offsets))

    def carry(self, ending: bool = False) -> bool:
        """Take in whole lines, or all there is, and write it. Says whether anything was written. Raises what the store does."""
        for path, offset in self._offsets.items():
            room = AT_ONCE - len(self._content)
            fresh = _read(path, offset, room)
            whole = fresh if ending or len(fresh) == room else fresh[: fresh.rfind(b"\n") + 1]
            self._offsets[path] += len(whole)
            self._take(RAY_S.sub(b"", whole))
        return self._write()

    def _take(self, lines: bytes) -> None:
        if not lines:
            return
        if self._between and self.step is not None and self.step != self._marked:
            self._marked = self.step
            self._content += mark(self.step)
        self._content += lines
        self._between = lines.endswith(b"\n")

    def _write(self) -> bool:
        wrote = False
        while len(self._content) > self._written:
            piece = self._content[:SEGMENT_BYTES]
            self._store.write(f"{self._folder}/{self._segment.name}", piece)
            self._written, wrote = len(piece), True
            if len(piece) == SEGMENT_BYTES:
                self._segment = replace(self._segment, number=self._segment.number + 1)
                self._content, self._written = self._content[SEGMENT_BYTES:], 0
                if (old := self._segment.superseded) is not None:
                    self._store.delete(f"{self._folder}/{old.name}")
        return wrote


class Shipper:
    """Carries the output of one start of a trial to `folder`. A context manager; what was printed before it is not carried.

    files: what the process prints into, for its own; where that is no file, but a terminal or a pipe, nothing is carried.
    """

    def __init__(self, store: Store, folder: str, start: int, rank: int, files: tuple[str, ...] | None = None) -> None:
        _hand_over()
        self._files = _sizes(_own_output() if files is None else files)
        self._carrier = Carrier(store, Carried(store.uri, folder, start, rank, 0, self._files))
        self._looked = threading.Condition()
        self._asked = self._answered = 0
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)

    def __enter__(self) -> Shipper:
        if self._files:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None and issubclass(kind, Exception):
            traceback.print_exception(kind, error, at)  # whoever catches it may print less
        with self._looked:
            self._ending = True
            self._looked.notify_all()
        if self._files:
            self._thread.join(FLUSH_S)

    def telling(self, tell: Tell) -> Tell:
        """`tell`, once what was printed until then is carried: at once of a run that ends, soon of one that goes on."""

        def told(report: Report) -> bool:
            self.flush(FLUSH_S if report.outcome else 0.0)
            return tell(report)

        return told

    def beating(self, beat: Beat) -> Beat:
        """`beat`, once the step is noted beside which lines are carried."""

        def beaten(step: int, doing: str) -> None:
            self._carrier.step = step
            beat(step, doing)

        return beaten

    def flush(self, wait: float) -> None:
        """Carry what is new; wait for it, but not longer than `wait` seconds."""
        _hand_over()
        with self._looked:
            self._asked += 1
            wanted = self._asked
            self._looked.notify_all()
            if wait and self._thread.is_alive():
                self._looked.wait_for(lambda: self._answered >= wanted, wait)

    def _run(self) -> None:
        folder = Path(next(iter(self._files))).parent
        note = _note_in(folder)
        if note is not None:
            note.write(self._carrier.carried)
        _adopt(folder)
        is_carried = ending = False
        while not ending:
            with self._looked:
                self._looked.wait_for(lambda: self._ending or self._asked > self._answered, LOOK_S)
                ending, asked = self._ending, self._asked
            is_carried = self._carry(ending, note)
            with self._looked:
                self._answered = asked
                self._looked.notify_all()
        if note is not None:
            note.close(keep=not is_carried)

    def _carry(self, ending: bool, note: Note | None) -> bool:
        """Whether all is carried; what is not is tried again at the next look."""
        with suppress(DataError, OSError):
            if self._carrier.carry(ending) and note is not None:
                note.write(self._carrier.carried)
            return True
        return False


def _adopt(folder: Path) -> None:
    """Carry what processes that were killed have printed into files of this folder."""
    for left in orphans(folder):
        with suppress(DataError, OSError):
            Carrier(open_store(left.storage), left).carry(ending=True)


def _note_in(folder: Path) -> Note | None:
    """A note; None where the folder may not be written, and nobody will find what a killed process has printed."""
    try:
        return Note(folder)
    except OSError:
        return None


def _sizes(paths: tuple[str, ...]) -> dict[str, int]:
    """Of those that are there."""
    found = {}
    for path in paths:
        with suppress(OSError):
            found[path] = os.stat(path).st_size
    return found


def _hand_over() -> None:
    """Give the system what this process has printed so far: into a file Python writes by and by."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a full disk, a stream that somebody closed
            stream.flush()


def _own_output() -> tuple[str, ...]:
    """The files that this process prints into."""
    found = []
    for stream in STREAMS:
        with suppress(OSError):
            path = os.readlink(f"/proc/self/fd/{stream}")
            if stat.S_ISREG(os.stat(path).st_mode):
                found.append(path)
    return tuple(dict.fromkeys(found))


def _read(path: str, offset: int, most: int) -> bytes:
    with open(path, "rb") as file:
        return os.pread(file.fileno(), most, offset)
