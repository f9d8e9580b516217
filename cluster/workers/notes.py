"""The note that a process leaves beside its output: how far it was carried into the storage, and where to.

Its owner holds a lock on it, which the kernel releases when the process dies, however it dies. So whoever gets the lock has
found an orphan, and carries what was printed last.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

PREFIX = "i2i-output-"


@dataclass(frozen=True)
class Carried:
    """storage, folder: where the segments go. start, rank: theirs. number: of the next one. files: path -> bytes that are
    carried."""

    storage: str
    folder: str
    start: int
    rank: int
    number: int
    files: dict[str, int]


class Note:
    """A process's own note, in the folder of its output. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{PREFIX}{os.getpid()}-{os.urandom(4).hex()}.json"
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def write(self, carried: Carried) -> None:
        """Put this in place of what it said before."""
        text = json.dumps(asdict(carried)).encode()
        os.pwrite(self._handle, text, 0)
        os.ftruncate(self._handle, len(text))

    def close(self, keep: bool) -> None:
        """The process has come to its end; `keep`: not all is carried, and somebody else may."""
        if not keep:
            self._path.unlink(missing_ok=True)
        os.close(self._handle)


def orphans(folder: Path) -> Iterator[Carried]:
    """What the dead processes of this machine have left behind; each is given to one caller only."""
    for path in sorted(folder.glob(f"{PREFIX}*.json")):
        with suppress(OSError, ValueError, TypeError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: its owner lives
            if path.exists():
                path.unlink()
                yield Carried(**json.loads(file.read()))
