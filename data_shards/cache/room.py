"""Room in the cache: what may stay there, what goes first, and what a download has to wait for.

The order of samples is known, so the shard that is used last goes first (Belady's rule, which no other rule beats),
not the one that was used longest ago. A download takes its room before it starts, all of it, under the folder's lock:
that is how the sum of all files keeps within the limit at every moment, with any number of processes.
"""

import errno
import math
import os
import re
import stat
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from data_shards.cache.folder import GRANTED, CacheFolder, File, exclusively
from data_shards.counters import COUNTS

FULL = (errno.ENOSPC, errno.EDQUOT)
_SHARD = re.compile(r"([0-9a-f]{64})\.tar")
_PART = re.compile(r"[0-9a-f]{64}\.([0-9]{1,18})\.part")

Rank = Callable[[str], float]  # sha256 -> when it is used next; infinity: never, as far as is known


@dataclass(frozen=True, slots=True)
class Room:
    """What became of a request for room."""

    granted: bool
    needed: int  # bytes in the folder with this shard, after all was removed that may be
    full: bool  # no room on the disk, whatever the limit says
    others: bool  # some of the room may be given back: somebody else reads what is there, or a download is under way


@dataclass(frozen=True, slots=True)
class Shelved:
    """A shard that is there. size: bytes. used: when it was opened last, ns."""

    sha256: str
    path: str
    size: int
    used: int


def reserve(
    folder: CacheFolder,
    part: File,
    limit: int,
    rank: Rank,
    own: Collection[str] = (),
    *,
    after: float = -math.inf,
    exceed: bool = False,
    full: bool = False,
) -> Room:
    """Take room for a part, which is emptied, on the disk and within `limit` bytes, by removing what is used last.

    Pinned shards stay; those of one rank go in the order of their last use, oldest first.
    own: what the caller has pinned itself. after: only shards of a later rank may go, and none of them in vain.
    exceed: the disk counts, the limit does not. full: the disk was found full while the part was being written.
    """
    with folder.locked():
        part.empty()
        shards, downloading = scan(folder)
        taken = downloading + sum(shard.size for shard in shards) + part.size
        freed, pinned = _remove(shards, taken - limit, rank, after)
        granted = exceed or taken - freed <= limit
        if granted:
            granted, pinned = _take_disk(folder, part, rank, after, full)
            full = not granted
        if granted:
            os.fchmod(part.fd, GRANTED)  # counts in full from here on, whatever length it has while it is written
        return Room(granted, taken - freed, full, downloading > 0 or not pinned.issubset(own))


def scan(folder: CacheFolder) -> tuple[list[Shelved], int]:
    """The shards that are there and the bytes that downloads take; removes the parts that nobody downloads any more.

    For callers that have the folder locked.
    """
    shards, downloading = list[Shelved](), 0
    with os.scandir(folder.path) as entries:
        for entry in entries:
            shard = _SHARD.fullmatch(entry.name)
            part = None if shard else _PART.fullmatch(entry.name)
            if not (shard or part) or not entry.is_file(follow_symlinks=False):
                continue
            with suppress(FileNotFoundError):  # cleared away by hand
                about = entry.stat(follow_symlinks=False)
                if shard:
                    shards.append(Shelved(shard[1], entry.path, about.st_size, about.st_mtime_ns))
                elif part and not _removed(entry.path):
                    named = int(part[1]) if stat.S_IMODE(about.st_mode) == GRANTED else 0
                    downloading += max(about.st_size, named)
    return shards, downloading


def _remove(shards: list[Shelved], enough: int, rank: Rank, after: float) -> tuple[int, set[str]]:
    """Remove `enough` bytes; returns how many they were, and the sha256 of what was met and is pinned."""
    freed, pinned = 0, set[str]()
    if enough <= 0:
        return freed, pinned
    ranked = sorted(((rank(shard.sha256), shard) for shard in shards), key=lambda pair: (-pair[0], pair[1].used))
    later = [shard for when, shard in ranked if when > after]
    if after > -math.inf and not _suffice(later, enough):
        return freed, pinned
    for shard in later:
        if freed >= enough:
            break
        if _removed(shard.path):
            COUNTS.add("cache_evictions")
            freed += shard.size
        else:
            pinned.add(shard.sha256)
    return freed, pinned


def _suffice(shards: list[Shelved], enough: int) -> bool:
    """Whether enough of the first shards can be removed."""
    for shard in shards:
        with exclusively(shard.path) as alone:
            enough -= shard.size if alone else 0
        if enough <= 0:
            return True
    return False


def _take_disk(folder: CacheFolder, part: File, rank: Rank, after: float, full: bool) -> tuple[bool, set[str]]:
    """Whether the disk has the part's bytes, if need be after removing shards; and which of those are pinned."""
    while full or not _allocated(part):
        full = False
        disk = os.fstatvfs(part.fd)
        enough = max(1, part.size - disk.f_bavail * disk.f_frsize)  # a quota may be full where the disk is not
        freed, pinned = _remove(scan(folder)[0], enough, rank, after)
        if not freed:
            return False, pinned
    return True, set()


def _allocated(part: File) -> bool:
    """Whether the disk has set the part's bytes aside; True also where its file system cannot say."""
    try:
        os.posix_fallocate(part.fd, 0, part.size)
    except OSError as failure:
        os.ftruncate(part.fd, 0)
        if failure.errno in FULL:
            return False
        if failure.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise OSError(failure.errno, failure.strerror, str(part.path)) from failure
    return True


def _removed(path: str) -> bool:
    """Remove a file unless somebody, in whatever process, has it locked."""
    with exclusively(path) as alone:
        if alone:
            os.unlink(path)
        return alone
