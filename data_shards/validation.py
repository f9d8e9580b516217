"""The fixed pictures that every evaluation looks at, and those that a system measures before its first step."""

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
from data_shards.texts import encoded

MOST_TWINS = 64  # OpenMoji has up to 52 colour pictures of one line drawing
_REQUESTS = 16  # at a time: from a remote store these are ranged reads of a few kilobytes, all waiting for the network


class Validation:
    """Validation pictures, whole and unaugmented.

    domains: which to read. image: side in pixels. limit: at most so many keys per domain, the same ones on every call
    and in every sweep over this data set: a class each where it lasts, else by the keys' hash. split: other pictures than
    the validation's. label_map: a domain of label maps, read beside the pictures that have the same keys; "" for none.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        domains: Sequence[str],
        image: int,
        limit: int,
        split: str = VALIDATION,
        label_map: str = "",
    ) -> None:
        self._manifest, self._split = manifest, split
        self._reader = Reader(manifest, image)
        rows = {domain: manifest.select(domain, split) for domain in domains}
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
        self._chosen = {domain: list(chosen) for domain, chosen in self._rows.items()}
        self._twins: dict[str, dict[str, list[str]]] = {}
        self._label_map, self._maps = label_map, self._find_maps(label_map)
        self._fetched = not manifest.store.remote

    def keys(self, domain: str) -> list[str]:
        """The chosen keys, in a fixed order; with `truth`, the same list for every domain."""
        if domain not in self._chosen:
            raise DataError(f"unknown validation domain {domain!r}{has(domain, self._chosen)}")
        return list(self._chosen[domain])

    def twins(self, domain: str, key: str) -> list[str]:
        """The keys of the pictures of a domain that are stored as that of `key` is, which is among them: at most MOST_TWINS,
        the chosen ones first. With `truth`; they can be read in every domain, whether chosen or not.

        Length and CRC32C decide: no picture is read, and two files that merely look alike are not noticed.
        """
        if domain not in self._twins:
            self._twins[domain] = self._find_twins(domain)
        return self._twins[domain][key]

    def _find_twins(self, domain: str) -> dict[str, list[str]]:
        """Chosen key -> its twins; from then on they can be read."""
        manifest, chosen = self._manifest, self._chosen[domain]
        rows = {other: manifest.select(other, self._split) for other in self._rows}
        stored = manifest.sizes.astype(np.int64) << 32 | manifest.crcs.astype(np.int64)
        alike = np.isin(stored[rows[domain]], stored[[self._rows[domain][key] for key in chosen]])
        # With truth all domains have the same keys in the same order.
        found = {
            key: int(row) for key, row in zip(manifest.keys_of(rows[domain][alike]), rows[domain][alike], strict=True)
        }
        groups: dict[int, list[str]] = {}
        for key in [*chosen, *sorted(found.keys() - set(chosen), key=_hash)]:
            groups.setdefault(int(stored[found[key]]), []).append(key)
        for other, listed in rows.items():
            self._rows[other] |= dict(zip(found, listed[alike].tolist(), strict=True))
        self._fetched = not manifest.store.remote
        return {key: groups[int(stored[found[key]])][:MOST_TWINS] for key in chosen}

    def label(self, domain: str, key: str) -> int:
        """The picture's class, a place in the manifest's list of them; -1 where it has none."""
        return int(self._manifest.class_codes[self._rows[domain][key]])

    def attributes(self, domain: str, key: str) -> NDArray[np.bool_]:
        """[attributes], in the order of the manifest's list: which of them the picture has; none where nobody told."""
        found: NDArray[np.bool_] = self._manifest.attributes.of(np.array([self._rows[domain][key]]))[0]
        return found

    def text(self, domain: str, key: str) -> NDArray[np.int64]:
        """[WORDS]: the words of the picture's text as numbers, see `texts.encoded`."""
        found: NDArray[np.int64] = encoded(self._manifest.texts_of(np.array([self._rows[domain][key]])))[0]
        return found

    def label_map(self, key: str) -> NDArray[np.uint8] | None:
        """[image, image] uint8, read-only: the grey levels of the label map of the picture `key`; None where it has none."""
        if key not in self._maps:
            return None
        if not self._fetched:
            self._fetch_all()
        return self._picture(self._label_map, self._maps[key], key)[:, :, 0]

    def read(self, domain: str, key: str) -> NDArray[np.uint8]:
        """[image, image, C] uint8, read-only. RuntimeError where it cannot be read: no score is made up of the rest."""
        if not self._fetched:
            self._fetch_all()
        return self._picture(domain, self._rows[domain][key], key)

    def _find_maps(self, domain: str) -> dict[str, int]:
        """Chosen key -> the row of its label map in `domain`."""
        if not domain:
            return {}
        rows = self._manifest.select(domain, self._split)
        chosen = {key for keys in self._chosen.values() for key in keys}
        every = zip(self._manifest.keys_of(rows), rows.tolist(), strict=True)
        return {key: row for key, row in every if key in chosen}

    def _fetch_all(self) -> None:
        """Bring all of them into memory at once, as far as it goes: one after the other the network would be waited for."""
        listed = {**self._rows, **({self._label_map: self._maps} if self._maps else {})}
        places = [(domain, row, key) for domain, rows in listed.items() for key, row in rows.items()]
        with ThreadPoolExecutor(_REQUESTS) as pool:
            for _ in pool.map(lambda place: self._picture(*place), places):
                pass
        self._fetched = True

    def _picture(self, domain: str, row: int, key: str) -> NDArray[np.uint8]:
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
