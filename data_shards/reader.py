"""Reads one picture: bytes from the shard, checked against the manifest, decoded, kept in memory while there is room.

The memory never evicts. Training visits pictures in random permutations, where "keep what came first" hits as often
as its share of the data, and "keep what was used last" hits less often and costs more.
"""

from threading import Lock

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from data_shards.decode import decode
from data_shards.manifest import Manifest

CACHE_BYTES = 256 << 20


class Reader:
    """Decoded pictures of one manifest at one side length. Safe to use from several threads."""

    def __init__(self, manifest: Manifest, side: int, cache_bytes: int = CACHE_BYTES) -> None:
        self._manifest = manifest
        self._side = side
        self._room = cache_bytes
        self._kept: dict[tuple[str, str], NDArray[np.uint8]] = {}
        self._lock = Lock()

    def read(self, domain: str, key: str) -> NDArray[np.uint8]:
        """[side, side, C], read-only, 0..255. Wrong bytes are a RuntimeError that names the shard and the key."""
        kept = self._kept.get((domain, key))
        if kept is not None:
            return kept
        picture = self._load(domain, key)
        picture.flags.writeable = False
        with self._lock:
            if (domain, key) not in self._kept and picture.nbytes <= self._room:
                self._room -= picture.nbytes
                self._kept[domain, key] = picture
        return picture

    def _load(self, domain: str, key: str) -> NDArray[np.uint8]:
        row = self._manifest.row(domain, key)
        place = f"{self._manifest.uri}/{row.shard}: {key} in domain {domain}"
        try:
            data = self._manifest.store.read_range(row.shard, row.offset, row.size)
        except OSError as failure:
            raise RuntimeError(f"{place} cannot be read: {failure}") from failure
        found = google_crc32c.value(data)
        if found != row.crc32c:
            raise RuntimeError(
                f"{place} is damaged: crc32c {found:08x}, the manifest says {row.crc32c:08x}; "
                "restore the shard from a copy or build it again"
            )
        try:
            return decode(data, self._manifest.domains[domain].channels, self._side)
        except (
            OSError,
            ValueError,
        ) as failure:  # the bytes are the manifest's own: the writer let a bad picture in
            raise RuntimeError(f"{place} cannot be decoded: {failure}") from failure
