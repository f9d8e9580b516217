"""The shard files that a stream has open: those of the windows that its lanes are in, and no others.

Where the shards are in a plain folder they are opened there; elsewhere the node's cache hands them out. A lane waits only
for the shards that it reads from; the rest of its window is fetched meanwhile. What is there of a window stays open (and so
pinned in the cache) until the lane enters the next one, by which time that one is being fetched.
"""

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Protocol

from data_shards.errors import DataError


class Held(Protocol):
    """An open shard file, good for os.pread until it is closed."""

    @property
    def fd(self) -> int: ...

    def close(self) -> None: ...


class Shards(Protocol):
    """Whoever can open shards by name. Safe to use from several threads."""

    def open(self, name: str) -> Held:
        """The shard's file; blocks until it is there. DataError where it is not what the manifest says."""

    def open_if_there(self, name: str) -> Held | None:
        """The same where there is nothing to wait for, else None."""

    def discard(self, name: str) -> None:
        """What was read of it is damaged: the next `open` shall not give the same copy, if there is another."""

    def want(self, names: Sequence[str]) -> None:
        """These will be opened soon, in this order."""

    def close(self) -> None:
        """Stop what goes on in the background."""


@dataclass
class OpenFile:
    """A file of a plain folder."""

    fd: int

    def close(self) -> None:
        os.close(self.fd)


@dataclass(frozen=True)
class FolderShards:
    """Shards in a local folder, read where they lie. A damaged one has no other copy."""

    folder: Path

    def open(self, name: str) -> OpenFile:
        try:
            return OpenFile(os.open(self.folder / name, os.O_RDONLY))
        except FileNotFoundError:
            raise DataError(
                f"{self.folder / name} is missing, but the manifest names it; restore it from a copy, or build again"
            ) from None

    def open_if_there(self, name: str) -> OpenFile:
        return self.open(name)

    def discard(self, name: str) -> None:
        pass

    def want(self, names: Sequence[str]) -> None:
        pass

    def close(self) -> None:
        pass


class Session:
    """Reads of one task: every shard is opened once, when it is first read, and closed at the end."""

    def __init__(self, shards: Shards, leave: Callable[[], None]) -> None:
        """leave: called before the shards are closed."""
        self._shards, self._leave = shards, leave
        self._held: dict[str, Held] = {}

    def read(self, name: str, offset: int, size: int) -> bytes:
        """`size` bytes of a shard, or fewer where it ends early."""
        if name not in self._held:
            self._held[name] = self._shards.open(name)
        return os.pread(self._held[name].fd, size, offset)

    def read_again(self, name: str, offset: int, size: int) -> bytes:
        """The same from another copy, where there is one."""
        self._held.pop(name).close()
        self._shards.discard(name)
        return self.read(name, offset, size)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as closing:
            for held in self._held.values():
                closing.callback(held.close)
            self._leave()


class Shelf:
    """Keeps open what lanes are reading, and tells the shards' keeper what comes next."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._lanes: dict[Hashable, dict[str, Held | None]] = {}  # the window of each, None for what is not there yet
        self._lock = Lock()

    def session(self, lane: Hashable) -> Session:
        """A place to read from, for one task of `lane`."""
        return Session(self._shards, partial(self._hold, lane))

    def enter(self, lane: Hashable, names: tuple[str, ...], ahead: Iterable[str]) -> None:
        """`lane` reads these shards from here on: hold those that are there, fetch the others and what is ahead, and let
        go of what it read before."""
        with self._lock:
            if tuple(self._lanes.get(lane, ())) == names:
                return
        coming = dict.fromkeys([*names, *ahead])
        self._shards.want(list(coming))
        with self._lock:
            old = self._lanes.pop(lane, {})
            self._lanes[lane] = dict.fromkeys(names)
        with ExitStack() as leaving:
            leaving.callback(_close, old)  # at the end, so that what is in both windows stays open
            self._hold(lane)

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            for window in self._lanes.values():
                _close(window)
            self._lanes.clear()
        self._shards.close()

    def _hold(self, lane: Hashable) -> None:
        """Keep open what has come of the lane's window."""
        with self._lock:
            window = self._lanes.get(lane, {})
            for name in [name for name, file in window.items() if file is None]:
                window[name] = self._shards.open_if_there(name)


def _close(window: Mapping[str, Held | None]) -> None:
    for file in filter(None, window.values()):
        file.close()
