"""A picture of a data set as numbers, read the plain way: past the reader, its memory and its cache."""

import numpy as np
from numpy.typing import NDArray

from data_shards.decode import decode
from data_shards.manifest import Manifest


def stored(manifest: Manifest, domain: str, key: str) -> bytes:
    """The file as it lies in its shard."""
    row = manifest.row(domain, key)
    return manifest.store.read_range(row.shard, row.offset, row.size)


def shown(manifest: Manifest, domain: str, key: str, side: int) -> NDArray[np.uint8]:
    """[side, side, C], 0..255."""
    return decode(stored(manifest, domain, key), manifest.domains[domain].channels, side)
