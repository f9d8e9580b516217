"""What a source of samples consists of: the pictures of one domain, or pairs joined by key; all of them or a few.

A sample is a number. Its pictures are rows of the manifest, one per domain, kept in plain arrays: a million samples
take a few megabytes.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_shards.errors import DataError
from data_shards.manifest import Manifest
from data_shards.order import Order, balanced

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """Samples 0 to N-1 in the order of their keys. rows: domain -> [N] rows of the manifest."""

    name: str
    rows: Mapping[str, Rows]
    order: Order
    companions: Mapping[int, tuple[int, ...]]  # a sample's home shard -> all shards that its samples have pictures in
    homes: Mapping[int, tuple[int, ...]]  # the other way round

    @property
    def size(self) -> int:
        """How many samples there are."""
        return len(next(iter(self.rows.values())))

    def shards(self, homes: Iterable[int]) -> tuple[int, ...]:
        """All shards with pictures of the samples that are at home in `homes`."""
        return tuple(dict.fromkeys(shard for home in homes for shard in self.companions[home]))


def training_rows(manifest: Manifest, domains: tuple[str, ...], limit: Mapping[str, int]) -> dict[str, Rows]:
    """domain -> rows of the training samples that have a picture in each of `domains`; at most as many as `limit` says.

    Which ones a limit leaves depends on their keys alone. Raises DataError where there are none.
    """
    rows = dict(manifest.join(domains))
    count = len(rows[domains[0]])
    if not count:
        raise DataError(f"{manifest.uri} has no training pictures with a side in each of: {', '.join(domains)}")
    most = within_limit(count, domains, limit)
    if most == count:
        return rows
    keys = manifest.keys_of(rows[domains[0]])
    kept = np.sort(np.array(sorted(range(count), key=lambda i: _hash(keys[i]))[:most], np.int64))
    return {domain: mine[kept] for domain, mine in rows.items()}


def within_limit(count: int, domains: Iterable[str], limit: Mapping[str, int]) -> int:
    """How many of `count` samples with pictures of `domains` a limit (domain -> most samples) leaves."""
    return min([count, *(limit[domain] for domain in domains if domain in limit)])


def make_source(
    manifest: Manifest, name: str, domains: tuple[str, ...], seed: int, lanes: int, share: int, limit: Mapping[str, int],
    balance: bool,
) -> Source:  # fmt: skip
    """The source `name`: lanes and share as in `Order`; limit: domain -> most samples; balance: classes equally often."""
    rows = training_rows(manifest, domains, limit)
    home = rows[domains[0]]
    shards = {domain: manifest.shard_codes[mine].astype(np.int64) for domain, mine in rows.items()}
    members = balanced(manifest.class_codes[home], seed, name) if balance else None
    order = Order(seed, name, shards[domains[0]], lanes, share, members)
    homes: dict[int, tuple[int, ...]] = {}
    companions: dict[int, tuple[int, ...]] = {}
    together = np.stack([shards[domain] for domain in domains])
    flat = np.ravel_multi_index(tuple(together), (len(manifest.shard_names),) * len(domains))  # unique by axis is slow
    for column in together[:, np.unique(flat, return_index=True)[1]].T.tolist():
        for shard in column:
            companions[column[0]] = tuple(dict.fromkeys([*companions.get(column[0], ()), shard]))
            homes[shard] = tuple(dict.fromkeys([*homes.get(shard, ()), column[0]]))
    return Source(name, rows, order, companions, homes)


def _hash(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=8, person=b"limit").digest()
