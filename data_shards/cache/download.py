"""One shard from the store into the cache: room, content, checksum.

The store tries again by itself as long as its deadline allows, so nothing here does. Only two things are met with
another try: content with the wrong sha256 (once), and a disk that turns out to be full (while something can go).
"""

import errno
import logging
import math
import os
import time
from collections.abc import Callable, Collection, Mapping

from data_shards.cache.folder import CacheFolder, File
from data_shards.cache.room import FULL, Rank, reserve
from data_shards.counters import COUNTS
from data_shards.errors import DataError
from data_shards.manifest import Shard
from data_shards.store import Store

_POLL = 0.05  # seconds between two looks whether there is room

logger = logging.getLogger(__name__)


class NoRoom(Exception):
    """Raised for what is only fetched ahead: there is no room that is not needed sooner."""


class Downloader:
    """Fills the cache of one ShardCache, which describes the arguments. own: the sha256 of what it has pinned."""

    def __init__(
        self,
        store: Store,
        etags: Mapping[str, str],
        folder: CacheFolder,
        limit: int,
        *,
        rank: Rank,
        own: Callable[[], Collection[str]],
        patience: float,
    ) -> None:
        self._store, self._etags, self._folder, self._limit = store, etags, folder, limit
        self._rank, self._own, self._patience = rank, own, patience
        self._warned = False

    def download(self, name: str, shard: Shard, *, ahead: bool) -> File | None:
        """The shard, pinned. None where it is there by now, or (ahead) another process downloads it."""
        part = self._folder.claim(shard.sha256, shard.bytes, wait=not ahead)
        if part is None:
            return None
        file = None
        try:
            for _ in range(2):
                self._fill(name, part, ahead=ahead)
                found = part.digest()
                if found == shard.sha256:
                    file = self._folder.commit(part)
                if file or not part.is_in_place():  # not so where somebody clears the folder away
                    return file
                COUNTS.add("cache_corrupt")
            raise DataError(
                f"{self._store.uri}: {name} is not the shard that the manifest describes: its sha256 is {found}, the "
                f"manifest says {shard.sha256} (downloaded twice); look with `i2i-cluster shards verify`, then restore "
                "the shard or index the data again"
            )
        finally:
            if file is None:
                try:
                    self._folder.remove(part)
                finally:
                    part.close()

    def _fill(self, name: str, part: File, *, ahead: bool) -> None:
        """The store's content on the disk. Nothing much where somebody clears the folder away meanwhile."""
        until = time.monotonic() + self._patience
        full = False
        while True:
            self._take_room(name, part, until, ahead=ahead, full=full)
            try:
                self._store.download(name, part.path, part.size, self._etags.get(name, ""))
                os.fsync(part.fd)  # a disk may only say here that it is full
            except FileNotFoundError as failure:
                if part.is_in_place():
                    raise DataError(
                        f"{self._store.uri} has no {name}, which the manifest names; see with `i2i-cluster shards "
                        "verify` what else is missing, then restore it or index the data again"
                    ) from failure
                return
            except OSError as failure:
                if failure.errno not in FULL:
                    raise
                full = True
            else:
                COUNTS.add("cache_bytes", part.size)
                return

    def _take_room(self, name: str, part: File, until: float, *, ahead: bool, full: bool) -> None:
        """until: how long others are waited for, on the monotonic clock. full: the disk was, when it was written."""
        after = self._rank(part.sha256) if ahead else -math.inf
        exceed = False
        while True:
            own = self._own()
            room = reserve(self._folder, part, self._limit, self._rank, own, after=after, exceed=exceed, full=full)
            if room.granted:
                break
            if ahead:
                raise NoRoom
            if room.others and time.monotonic() < until and (room.full or not own):
                time.sleep(_POLL)
                full = False  # whoever let go of something has made room on the disk too
            elif room.full:
                raise self._disk_full(name, part.size)
            else:
                exceed = True
        if room.needed > self._limit:
            COUNTS.add("cache_overruns")
            if not self._warned:
                self._warned = True
                logger.warning(
                    "data.cache.limit %s is less than what is read at once in %s; it is exceeded, give at least %s",
                    size_text(self._limit),
                    self._folder.path.parent,
                    size_text(room.needed),
                )

    def _disk_full(self, name: str, size: int) -> OSError:
        failure = OSError(
            f"{self._folder.path.parent}: the disk is full, {name} needs {size_text(size)} and nothing of the cache "
            "can be removed; make room there, or give a folder on a larger disk (data.cache.folder), which can hold "
            f"the limit of {size_text(self._limit)} (data.cache.limit)"
        )
        failure.errno = errno.ENOSPC
        return failure


def size_text(size: int) -> str:
    """Bytes with the largest unit of 1000 that leaves 1 or more, rounded up: what is read here is a size that does."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if size >= 1000**power:
            return f"{math.ceil(size * 100 / 1000**power) / 100:g}{unit}"
    return f"{size}B"
