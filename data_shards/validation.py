"""The fixed pictures that every evaluation looks at."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from data_shards.errors import DataError, has
from data_shards.manifest import Manifest
from data_shards.quarantine import Unreadable
from data_shards.reader import Reader
from data_shards.split import VALIDATION

_REQUESTS = 16  # at a time: from a remote store these are ranged reads of a few kilobytes, all waiting for the network


class Validation:
    """Validation pictures, whole and unaugmented.

    domains: which to read. image: side in pixels. limit: at most so many keys per domain, the same ones on every call
    and in every sweep over this data set: a class each where it lasts, else by the keys' hash.
    """

    def __init__(self, manifest: Manifest, *, domains: Sequence[str], image: int, limit: int) -> None:
        self._manifest = manifest
        self._reader = Reader(manifest, image)
        rows = {domain: manifest.select(domain, VALIDATION) for domain in domains}
        keys = {domain: manifest.keys_of(listed) for domain, listed in rows.items()}
        self.truth: bool = (
            len(keys) > 1 and len({tuple(listed) for listed in keys.values()}) == 1 and all(keys.values())
        )
        """Whether every key exists in all domains, so that a translation can be compared with what it should be."""
        self._rows: dict[str, dict[str, int]] = {}
        for domain, listed in rows.items():
            classes = manifest.class_codes[listed].tolist()
            chosen = _varied(keys[domain], classes)[:limit]
            places = dict(zip(keys[domain], listed.tolist(), strict=True))
            self._rows[domain] = {key: places[key] for key in chosen}
        self._fetched = not manifest.store.remote

    def keys(self, domain: str) -> list[str]:
        """The chosen keys, in a fixed order; with `truth`, the same list for every domain."""
        if domain not in self._rows:
            raise DataError(f"unknown validation domain {domain!r}{has(domain, self._rows)}")
        return list(self._rows[domain])

    def read(self, domain: str, key: str) -> NDArray[np.uint8]:
        """[image, image, C] uint8, read-only. RuntimeError where it cannot be read: no score is made up of the rest."""
        if not self._fetched:
            self._fetch_all()
        return self._picture(domain, key)

    def _fetch_all(self) -> None:
        """Bring all of them into memory at once, as far as it goes: one after the other the network would be waited for."""
        places = [(domain, key) for domain, rows in self._rows.items() for key in rows]
        with ThreadPoolExecutor(_REQUESTS) as pool:
            for _ in pool.map(lambda place: self._picture(*place), places):
                pass
        self._fetched = True

    def _picture(self, domain: str, key: str) -> NDArray[np.uint8]:
        row = self._rows[domain][key]
        try:
            return self._reader.picture(domain, row, self._read, self._read)
        except Unreadable as failure:
            shard = self._manifest.row_at(row).shard
            raise RuntimeError(
                f"{self._manifest.uri}/{shard}: validation picture {key} in domain {domain} {failure}; "
                "restore the shard from a copy or build it again"
            ) from failure

    def _read(self, shard: str, offset: int, size: int) -> bytes:
        return self._manifest.store.read_range(shard, offset, size, self._manifest.etags.get(shard, ""))


def _varied(keys: Sequence[str], classes: Sequence[int]) -> list[str]:
    """In the order of their hash, but with every class once before any comes twice: a small limit shows much."""
    class_of = dict(zip(keys, classes, strict=True))
    seen: Counter[int] = Counter()
    rounds = {}
    for key in sorted(keys, key=_hash):
        rounds[key] = seen[class_of[key]]
        seen[class_of[key]] += 1
    return sorted(rounds, key=lambda key: rounds[key])  # stable: by hash within a round


def _hash(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=8, person=b"validation").digest()
