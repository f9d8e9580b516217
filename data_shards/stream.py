"""The stream of training batches, and the fixed pictures of validation.

A batch is a pure function of (manifest, seed, batch, source, draw, replica). Threads, prefetching and the cache only
decide when it is computed, so nothing here has to be saved: to resume is to ask for the next draw. One surprise
follows: a replica draws its own slice of every global batch, so each worker asks for the replicas it hosts and no
others.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from data_shards.augment import Augment, View
from data_shards.errors import DataError, has
from data_shards.manifest import Manifest
from data_shards.order import Order
from data_shards.reader import CACHE_BYTES, Reader
from data_shards.split import TRAIN, VALIDATION

Batch = dict[str, NDArray[np.uint8]]
_Place = tuple[str, int, int]  # (source, draw, replica)


class Stream:
    """Batches of training pictures, addressed by (source, draw, replica). One owner thread calls `read`.

    sources: name -> domains drawn together: {"a": ("a",), "b": ("b",)} unpaired, {"ab": ("a", "b")} joined by key.
    image: side in pixels. batch: global batch, in samples; each of the `replicas` draws batch / replicas of them.
    augment: None shows whole pictures. hosted: the replicas that this process will read: prefetching is for them
    alone. threads: decoders beside the caller. prefetch: draws to keep ready per source and hosted replica; 0
    computes on call. cache_bytes: memory for decoded pictures.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        sources: Mapping[str, tuple[str, ...]],
        image: int,
        batch: int,
        replicas: int,
        seed: int,
        augment: Augment | None,
        hosted: Sequence[int],
        threads: int = 1,
        prefetch: int = 2,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        if batch % replicas:
            raise DataError(f"a batch of {batch} cannot be shared evenly by {replicas} replicas")
        self._sources = {name: tuple(domains) for name, domains in sources.items()}
        self._keys = {name: _training_keys(manifest, domains) for name, domains in self._sources.items()}
        self._orders = {name: Order(seed, name, len(keys)) for name, keys in self._keys.items()}
        self._image, self._batch, self._share, self._seed = image, batch, batch // replicas, seed
        self._augment = augment
        self._reader = Reader(manifest, augment.load(image) if augment else image, cache_bytes)
        self._hosted = frozenset(hosted)
        self._prefetch = prefetch
        self._ready: dict[_Place, Future[Batch]] = {}
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="stream") if prefetch else None

    def size(self, source: str) -> int:
        """How many training samples the source has: its epoch is the number of samples drawn // size."""
        return self._orders[source].size

    def read(self, source: str, draw: int, replica: int) -> Batch:
        """domain -> [batch / replicas, image, image, C] uint8, fresh memory that is the caller's to keep.

        Slot i of replica r at draw d is the global sample d * batch + r * (batch / replicas) + i of the source's
        order. Raises RuntimeError for a damaged picture: it is never trained on.
        """
        if source not in self._sources:
            raise DataError(f"unknown source {source!r}{has(source, self._sources)}")
        future = self._ready.pop((source, draw, replica), None)
        self._look_ahead(source, draw, replica)
        return future.result() if future else self._compute(source, draw, replica)

    def close(self) -> None:
        """Stop prefetching and wait for the threads. A closed stream cannot be read."""
        if self._threads:
            self._threads.shutdown(wait=True, cancel_futures=True)
        self._ready.clear()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _look_ahead(self, source: str, draw: int, replica: int) -> None:
        """Order the next draws of a hosted replica, and forget what a jump to another draw left behind."""
        if self._threads is None or replica not in self._hosted:
            return
        wanted = [(source, later, replica) for later in range(draw + 1, draw + 1 + self._prefetch)]
        for place in [p for p in self._ready if p[0] == source and p[2] == replica and p not in wanted]:
            self._ready.pop(place).cancel()
        for place in wanted:
            if place not in self._ready:
                self._ready[place] = self._threads.submit(self._compute, *place)

    def _compute(self, source: str, draw: int, replica: int) -> Batch:
        first = draw * self._batch + replica * self._share
        order, keys = self._orders[source], self._keys[source]
        chosen = [keys[order.index(slot)] for slot in range(first, first + self._share)]
        views = [View(0, 0, False)] * self._share
        if self._augment:
            views = self._augment.views(self._image, self._share, self._seed, source, draw, replica)
        return {domain: self._stack(domain, chosen, views) for domain in self._sources[source]}

    def _stack(self, domain: str, keys: Sequence[str], views: Sequence[View]) -> NDArray[np.uint8]:
        pictures = (self._reader.read(domain, key) for key in keys)
        return np.stack([view.apply(picture, self._image) for view, picture in zip(views, pictures, strict=True)])


class Validation:
    """The fixed pictures that every evaluation looks at, whole and unaugmented.

    domains: which to read. image: side in pixels. limit: at most so many keys per domain, the same ones on every call
    and in every sweep over this data set: a class each where it lasts, else by the keys' hash.
    """

    def __init__(self, manifest: Manifest, *, domains: Sequence[str], image: int, limit: int) -> None:
        self._reader = Reader(manifest, image)
        keys = {domain: manifest.keys(domain, VALIDATION) for domain in domains}
        self.truth: bool = (
            len(keys) > 1 and len({tuple(listed) for listed in keys.values()}) == 1 and all(keys.values())
        )
        """Whether every key exists in all domains, so that a translation can be compared with what it should be."""
        self._keys = {domain: _varied(manifest, domain, listed)[:limit] for domain, listed in keys.items()}

    def keys(self, domain: str) -> list[str]:
        """The chosen keys, in a fixed order; with `truth`, the same list for every domain."""
        if domain not in self._keys:
            raise DataError(f"unknown validation domain {domain!r}{has(domain, self._keys)}")
        return list(self._keys[domain])

    def read(self, domain: str, key: str) -> NDArray[np.uint8]:
        """[image, image, C] uint8, read-only."""
        return self._reader.read(domain, key)


def _training_keys(manifest: Manifest, domains: tuple[str, ...]) -> list[str]:
    """The samples of a source: the keys that all of its domains have in the training split, sorted."""
    shared = set.intersection(*(set(manifest.keys(domain, TRAIN)) for domain in domains))
    if not shared:
        raise DataError(f"{manifest.uri} has no training pictures with a side in each of: {', '.join(domains)}")
    return sorted(shared)


def _varied(manifest: Manifest, domain: str, keys: list[str]) -> list[str]:
    """In the order of their hash, but with every class once before any comes twice: a small limit shows much."""
    seen: Counter[str | None] = Counter()
    rounds = {}
    for key in sorted(keys, key=_hash):
        cls = manifest.row(domain, key).cls
        rounds[key] = seen[cls]
        seen[cls] += 1
    return sorted(rounds, key=lambda key: rounds[key])  # stable: by hash within a round


def _hash(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=8, person=b"validation").digest()
