"""The stream of training batches.

A batch is a pure function of (manifest, seed, batch, replicas, source, draw, replica) and of the samples set aside as
unreadable. Threads, prefetching, caches and the number of workers only decide when and where it is computed, so there
is nothing to save but those samples: to resume is to ask for the next draw. One surprise follows: a replica is a lane
of the order, so each worker asks for the replicas it hosts and fetches (but for cuts) no other's shards.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_shards.augment import Augment
from data_shards.counters import COUNTS
from data_shards.errors import DataError, TooManyBadSamples, has
from data_shards.manifest import Manifest
from data_shards.quarantine import BadSample, Quarantine, Unreadable
from data_shards.reader import MEMORY_BYTES, Reader
from data_shards.shelf import FolderShards, Session, Shards, Shelf
from data_shards.source import Source, make_source
from data_shards.store import local_folder
from data_shards.texts import encoded

Batch = dict[str, NDArray[Any]]
OpenShards = Callable[[Manifest, Callable[[str], float]], Shards]
_Place = tuple[str, int, int]  # (source, draw, replica)


class Stream:
    """Batches of training pictures, addressed by (source, draw, replica). One owner thread calls `read`.

    sources: name -> domains drawn together: {"a": ("a",), "b": ("b",)} unpaired, {"ab": ("a", "b")} joined by key.
    image: side in pixels. batch: global batch, in samples; each of the `replicas` draws batch / replicas of them.
    augment: None shows whole pictures. hosted: the replicas that this process will read: prefetching is for them
    alone. limit: domain -> most samples to train on. balance: whether classes come equally often. bad_samples: the
    share of a source that may be unreadable. shards: opens the shards, given the manifest and when a shard is wanted
    next; those of a local folder are read in place without. labelled: domain -> the name under which its samples'
    classes, [batch / replicas] int64 places in the manifest's list of classes, stand in a batch. attributed: the same
    for their attributes, [batch / replicas, attributes] bool in the order of the manifest's list. captioned: the same
    for the words of their texts, [batch / replicas, WORDS] int64, see `texts.encoded`. threads: decoders beside the
    caller. prefetch: draws to keep ready per source and hosted replica; 0 computes on call. memory_bytes: memory for
    decoded pictures.
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
        limit: Mapping[str, int] | None = None,
        balance: bool = False,
        bad_samples: float = 0.001,
        shards: OpenShards | None = None,
        labelled: Mapping[str, str] | None = None,
        attributed: Mapping[str, str] | None = None,
        captioned: Mapping[str, str] | None = None,
        threads: int = 1,
        prefetch: int = 2,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        if batch % replicas:
            raise DataError(f"a batch of {batch} cannot be shared evenly by {replicas} replicas")
        self._manifest = manifest
        self._sources = {
            name: make_source(manifest, name, tuple(domains), seed, replicas, batch // replicas, limit or {}, balance)
            for name, domains in sources.items()
        }
        self._image, self._share, self._seed, self._augment = image, batch // replicas, seed, augment
        self._loaded = augment.load(image) if augment else image  # the side that pictures are decoded to
        self._reader = Reader(manifest, self._loaded, memory_bytes)
        self._labelled, self._attributed = dict(labelled or {}), dict(attributed or {})
        self._captioned = dict(captioned or {})
        self._quarantine = Quarantine({name: source.size for name, source in self._sources.items()}, bad_samples)
        self._numbers = {name: number for number, name in enumerate(manifest.shard_names)}
        self._at = dict.fromkeys(self._sources, 0)  # the draw each source was last read at
        self._shelf = Shelf((shards or open_in_place)(manifest, self.next_use))
        self._hosted = frozenset(hosted)
        self._prefetch = prefetch
        self._ready: dict[_Place, Future[Batch]] = {}
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="stream") if prefetch else None

    def size(self, source: str) -> int:
        """How many samples an epoch of the source has: the epoch is the number of samples drawn // size."""
        return self._sources[source].order.size

    def read(self, source: str, draw: int, replica: int) -> Batch:
        """domain -> [batch / replicas, image, image, C] uint8, and labels where asked for; fresh memory, the caller's to keep.

        A sample that cannot be read is set aside and another one takes its place. Raises TooManyBadSamples, DataError
        (a shard is not what the manifest says) and Unreachable.
        """
        if source not in self._sources:
            raise DataError(f"unknown source {source!r}{has(source, self._sources)}")
        self._at[source] = draw
        future = self._ready.pop((source, draw, replica), None)
        self._look_ahead(source, draw, replica)
        if future is not None and future.done():
            return future.result()
        since = time.monotonic()
        try:
            return future.result() if future else self._compute(source, draw, replica)
        finally:
            COUNTS.add("wait_seconds", time.monotonic() - since)

    def next_use(self, shard: str) -> float:
        """The draw at which a shard is wanted next, by whichever lane; infinity where that is not in sight."""
        number, soonest = self._numbers.get(shard, -1), math.inf
        for source in self._sources.values():
            at = self._at[source.name]
            for home in source.homes.get(number, ()):
                soonest = min(soonest, source.order.next_use(home, at))
        return soonest

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold for `restore`, JSON-able: the samples set aside. Draws are counted elsewhere."""
        return {"quarantine": self._quarantine.rows()}

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Take over the states of all workers of a checkpoint, before the first read."""
        for state in states:
            self._quarantine.restore(state["quarantine"])

    def close(self) -> None:
        """Stop prefetching and wait for the threads. A closed stream cannot be read."""
        if self._threads:
            self._threads.shutdown(wait=True, cancel_futures=True)
        self._ready.clear()
        self._shelf.close()

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

    def _compute(self, name: str, draw: int, replica: int) -> Batch:
        source = self._sources[name]
        if replica in self._hosted:
            now, ahead = (source.shards(numbers) for numbers in source.order.shards(draw, replica))
            names = self._manifest.shard_names
            self._shelf.enter((name, replica), tuple(names[n] for n in now), [names[n] for n in ahead])
        samples = source.order.samples(draw, replica).tolist()
        views = (
            self._augment.views(self._image, self._share, self._seed, name, draw, replica) if self._augment else None
        )
        batch = {domain: self._memory(domain, self._share, self._image) for domain in source.rows}
        room = {domain: self._memory(domain, 1, self._loaded)[0] for domain in source.rows if views}
        with self._shelf.session((name, replica)) as session:
            for slot, sample in enumerate(samples):
                target = {domain: pictures[slot] for domain, pictures in batch.items()}
                shown = self._pictures(source, sample, session, room or target)
                if shown is None:
                    others = source.order.substitutes(draw, replica, slot)
                    samples[slot], shown = self._first_good(source, others, session, room or target)
                for domain, picture in shown.items():
                    if views:
                        views[slot].show(picture, target[domain])
                    elif picture is not target[domain]:
                        target[domain][...] = picture
        return batch | self._labels(source, samples)

    def _labels(self, source: Source, samples: Sequence[int]) -> Batch:
        """What is asked for beside the pictures."""
        manifest, rows = self._manifest, {domain: found[samples] for domain, found in source.rows.items()}
        classes = {
            name: manifest.class_codes[rows[domain]].astype(np.int64)
            for domain, name in self._labelled.items()
            if domain in rows
        }
        attributes = {name: manifest.attributes.of(rows[d]) for d, name in self._attributed.items() if d in rows}
        texts = {name: encoded(manifest.texts_of(rows[d])) for d, name in self._captioned.items() if d in rows}
        return classes | attributes | texts

    def _memory(self, domain: str, count: int, side: int) -> NDArray[np.uint8]:
        return np.empty((count, side, side, self._manifest.domains[domain].channels), np.uint8)

    def _first_good(self, source: Source, samples: Iterator[int], session: Session, room: Batch) -> tuple[int, Batch]:
        """The first of these samples that can be read, and its pictures."""
        for sample in samples:
            pictures = self._pictures(source, sample, session, room)
            if pictures is not None:
                return sample, pictures
        raise TooManyBadSamples(f"not one of the {source.size:,} samples of source {source.name} can be read")

    def _pictures(self, source: Source, sample: int, session: Session, room: Batch) -> Batch | None:
        """domain -> picture of a sample, in `room` or elsewhere; None where it is set aside, be it just now."""
        if (source.name, sample) in self._quarantine:
            return None
        pictures = {}
        for domain, rows in source.rows.items():
            row = int(rows[sample])
            try:
                pictures[domain] = self._reader.picture(domain, row, session.read, session.read_again, room[domain])
            except Unreadable as failure:
                known = self._manifest.row_at(row)
                self._quarantine.add(BadSample(source.name, sample, domain, known.shard, known.key, str(failure)))
                return None
        return pictures


def open_in_place(manifest: Manifest, next_use: Callable[[str], float]) -> Shards:
    """The shards of a local folder, where they lie."""
    return FolderShards(local_folder(manifest.store.uri))
