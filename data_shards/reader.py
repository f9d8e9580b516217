"""Reads one picture: bytes from its shard, checked against the manifest, decoded, kept in memory while there is room.

The memory never evicts. Training visits pictures in random permutations, where "keep what came first" hits as often
as its share of the data, and "keep what was used last" hits less often and costs more.
"""

from collections.abc import Callable
from threading import Lock

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from data_shards.decode import decode
from data_shards.manifest import Manifest
from data_shards.quarantine import Unreadable

MEMORY_BYTES = 256 << 20
Picture = NDArray[np.uint8]
Read = Callable[[str, int, int], bytes]  # (shard, offset, size) -> bytes, fewer where the shard ends early


class Reader:
    """Decoded pictures of one manifest at one side length. Safe to use from several threads."""

    def __init__(self, manifest: Manifest, side: int, memory_bytes: int = MEMORY_BYTES) -> None:
        self.manifest = manifest
        self._side = side
        self._room = memory_bytes
        self._kept: dict[int, Picture] = {}
        self._lock = Lock()
        self._domains = {name: (d.channels, name in manifest.head.labels) for name, d in manifest.domains.items()}

    def picture(self, domain: str, row: int, read: Read, read_again: Read, out: Picture | None = None) -> Picture:
        """[side, side, C], 0..255, of the manifest's row `row`; not to be changed, unless it is `out`.

        out: memory of that shape that may be used for it: what is not kept need not take its own.

        Bytes that are not the manifest's are asked for once more with `read_again`. Raises Unreadable where they are
        wrong again, or no picture.
        """
        kept = self._kept.get(row)
        if kept is not None:
            return kept
        channels, exact = self._domains[domain]
        data = self._bytes(row, read, read_again)
        keep = self._side * self._side * channels <= self._room
        try:
            picture = decode(data, channels, self._side, labels=exact, out=None if keep else out)
        except (OSError, ValueError) as failure:  # the bytes are right: whoever made the shard let a bad picture in
            raise Unreadable(f"cannot be decoded: {failure}") from failure
        if keep:
            picture.flags.writeable = False
            with self._lock:
                if row not in self._kept and picture.nbytes <= self._room:
                    self._room -= picture.nbytes
                    self._kept[row] = picture
        return picture

    def _bytes(self, row: int, read: Read, read_again: Read) -> bytes:
        manifest = self.manifest
        place = (manifest.shard_names[manifest.shard_codes[row]], int(manifest.offsets[row]), int(manifest.sizes[row]))
        expected = int(manifest.crcs[row])
        data = read(*place)
        if google_crc32c.value(data) != expected:
            data = read_again(*place)
            found = google_crc32c.value(data)
            if len(data) != place[2]:
                raise Unreadable(f"is cut short: {len(data)} of {place[2]} bytes are there")
            if found != expected:
                raise Unreadable(f"is damaged: crc32c {found:08x}, the manifest says {expected:08x}")
        return data
