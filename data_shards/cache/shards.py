"""The shard cache of a node: whole shards of a remote store on a local disk, shared by all who read there.

A shard is downloaded once per node, by whoever asks first, and is given out only once its sha256 is the manifest's.
Workers of a run, trials of a sweep and several sweeps may use one folder without knowing of each other. The surprise:
no process owns the cache and none has to clean up. All claims are file locks, so a process that is killed loses its
claims at that moment, and the next one removes what it left half done.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from data_shards.cache.ahead import Ahead
from data_shards.cache.download import Downloader, NoRoom, size_text
from data_shards.cache.folder import CacheFolder, File
from data_shards.cache.room import scan
from data_shards.counters import COUNTS
from data_shards.errors import DataError, has
from data_shards.manifest import Shard
from data_shards.store import Store, local_folder

PATIENCE = 30.0  # seconds
_OFTEN = 100  # times that a shard may be gone again when it is opened
_FAILURES = (OSError, ValueError, RuntimeError)  # of the disk and the store, DataError included


def default_cache_folder() -> Path:
    """Where shards are kept unless the user names a folder: $I2I_CACHE_DIR, or i2i-cluster in the user's cache."""
    if chosen := os.environ.get("I2I_CACHE_DIR"):
        return local_folder(chosen)
    return local_folder(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "i2i-cluster"


@dataclass(slots=True, eq=False)
class _Pin:
    """A shard that this process has open, once for all who read it."""

    file: File
    holders: int


class Held:
    """A shard that stays while this is open. `fd` is for os.pread: it is shared, and so is its position."""

    def __init__(self, pin: _Pin, release: Callable[[_Pin], None]) -> None:
        self.fd = pin.file.fd
        self.path = pin.file.path
        self._pin, self._release = pin, release

    def close(self) -> None:
        """Let go of the shard. To close again does nothing."""
        if self.fd >= 0:
            self.fd = -1  # the number may belong to another file from here on
            self._release(self._pin)

    def __enter__(self) -> "Held":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ShardCache:
    """Shards of one manifest, by name, from a folder of this node. Safe to use from several threads.

    folder: on a local disk. limit: bytes that all files of the cache may take together. store, shards, etags: where
    the shards come from, what they are, and their versions there where known. next_use: the draw at which this
    process reads a shard next, infinity where that is not in sight. It is called by several threads, with locks of
    the cache held, and must not wait for a call to the cache. patience: seconds, see below.

    Room is made by removing what is used last: shards that this process knows no use for (the longest unused first;
    those of other manifests are among them), then its own by `next_use`. What any process has pinned stays. Where
    that leaves no room within the limit,

    - a process that has shards pinned itself goes beyond the limit by the one that it opens: to wait could be to wait
      for itself, or for another process that waits for it;
    - a process that has none waits for the others, which may be paused, and after `patience` goes beyond as well.

    Going beyond is counted, and logged once with the limit that would do. A full disk cannot be gone beyond: where
    nothing can be removed it is an OSError, after the same patience where others may let go of something.
    """

    def __init__(
        self,
        folder: Path,
        limit: int,
        store: Store,
        shards: Mapping[str, Shard],
        etags: Mapping[str, str],
        next_use: Callable[[str], float],
        *,
        patience: float = PATIENCE,
        threads: int = 2,
    ) -> None:
        """threads: downloads ahead at a time. DataError: the folder is unfit, or a shard is larger than the limit."""
        largest = max(shards, key=lambda name: shards[name].bytes, default="")
        if largest and limit < shards[largest].bytes:
            raise DataError(
                f"data.cache.limit {size_text(limit)} is too small: {largest} alone takes "
                f"{size_text(shards[largest].bytes)}; give several times that"
            )
        self._where, self._folder = folder, CacheFolder(folder)
        with self._folder.locked():
            scan(self._folder)  # removes what killed processes left behind
        self._uri, self._shards, self._next_use = store.uri, shards, next_use
        self._names: dict[str, list[str]] = {}  # by sha256: equal content is one file
        for name, shard in shards.items():
            self._names.setdefault(shard.sha256, []).append(name)
        self._pins: dict[str, _Pin] = {}  # by sha256
        self._under_way: dict[str, Future[None]] = {}  # by sha256: what threads of this process are downloading
        self._lock = Lock()
        self._downloader = Downloader(
            store, etags, self._folder, limit, rank=self._rank, own=self._own, patience=patience
        )
        self._ahead = Ahead(self._fetch_ahead, next_use, threads)

    def open(self, name: str) -> Held:
        """The shard's file, downloaded if need be, and pinned until it is closed.

        DataError: the store has no such shard, or one that is not what the manifest says. Unreachable: from the
        store, which has tried long enough. OSError: the disk is full, or fails.
        """
        shard = self._known(name)
        self._ahead.forget(name)
        for turn in range(_OFTEN):
            if pin := self._pinned(shard):
                COUNTS.add("cache_waits" if turn else "cache_hits")
                return Held(pin, self._release)
            if pin := self._obtain(name, shard, ahead=False):
                COUNTS.add("cache_misses")
                return Held(pin, self._release)
        raise OSError(f"{self._where}: {name} is gone whenever it has come; do not clear a cache that is in use")

    def open_if_there(self, name: str) -> Held | None:
        """The same where it has come already, else None: nothing is waited for."""
        pin = self._pinned(self._known(name))
        if pin is None:
            return None
        COUNTS.add("cache_hits")
        return Held(pin, self._release)

    def discard(self, name: str) -> None:
        """A reader found it damaged: unless the file has the manifest's sha256 after all, `open` downloads it again.

        Who holds the damaged file keeps it.
        """
        shard = self._known(name)
        if file := self._folder.open(shard.sha256):
            try:
                if not file.is_intact():
                    COUNTS.add("cache_corrupt")
                    self._folder.remove(file)
            finally:
                file.close()
        with self._lock:
            pin = self._pins.get(shard.sha256)
            if pin and not pin.file.is_in_place():  # also where another process has replaced it already
                del self._pins[shard.sha256]

    def want(self, names: Sequence[str]) -> None:
        """These will be opened soon: fetch them in the background, the soonest first. Returns at once.

        Nothing is removed for them that is used sooner, and no failure comes of it: `open` meets that too.
        """
        for name in names:
            self._known(name)
        self._ahead.want(names)

    def close(self) -> None:
        """Fetch nothing more in the background. What is held stays good until it is closed."""
        self._ahead.close()

    def _known(self, name: str) -> Shard:
        if name not in self._shards:
            raise DataError(f"{self._uri}: the manifest names no shard {name!r}{has(name, self._shards)}")
        return self._shards[name]

    def _rank(self, sha256: str) -> float:
        return min((self._next_use(name) for name in self._names.get(sha256, ())), default=math.inf)

    def _own(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._pins)

    def _pinned(self, shard: Shard) -> _Pin | None:
        """The shard where it is there, with one more holder."""
        with self._lock:
            if pin := self._pins.get(shard.sha256):
                pin.holders += 1
                return pin
        file = self._folder.open(shard.sha256)
        if file is None:
            return None
        if file.size == shard.bytes:
            return self._adopt(file)
        try:
            COUNTS.add("cache_corrupt")
            self._folder.remove(file)
        finally:
            file.close()
        return None

    def _adopt(self, file: File) -> _Pin:
        with self._lock:
            pin = self._pins.get(file.sha256)
            if pin is None:
                pin = self._pins[file.sha256] = _Pin(file, 1)
                return pin
            pin.holders += 1
        file.close()  # another thread opened it first
        return pin

    def _release(self, pin: _Pin) -> None:
        with self._lock:
            pin.holders -= 1
            if pin.holders:
                return
            if self._pins.get(pin.file.sha256) is pin:
                del self._pins[pin.file.sha256]
        pin.file.close()
        self._ahead.retry()

    def _obtain(self, name: str, shard: Shard, *, ahead: bool) -> _Pin | None:
        """Download a shard. None where another thread or process did: it is probably there."""
        mine = Future[None]()
        with self._lock:
            under_way = self._under_way.setdefault(shard.sha256, mine)
        if under_way is not mine:
            if not ahead:
                under_way.result()  # fails as that download did: the store has been asked for long enough
            return None
        try:
            file = self._downloader.download(name, shard, ahead=ahead)
            if file and ahead:
                COUNTS.add("cache_ahead")
            return self._adopt(file) if file else None
        except _FAILURES as failure:
            mine.set_exception(failure)
            raise
        finally:
            with self._lock:
                del self._under_way[shard.sha256]
            if not mine.done():
                mine.set_result(None)

    def _fetch_ahead(self, name: str) -> bool:
        """Whether the shard is there, or will not be: False where there is no room for the time being."""
        shard = self._shards[name]
        try:
            pin = self._pinned(shard) or self._obtain(name, shard, ahead=True)
        except NoRoom:
            return False
        except _FAILURES:
            return True
        if pin:
            self._release(pin)
        return True
