"""The stream of training batches of a data set without a manifest.

It has the surface of `Stream`, and one thing less: batches come in order. What a lane draws follows from the listing of
the shards, the seed and how far it has read, so its state is where each lane stands, and a batch cannot be looked up.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

import numpy as np

from data_shards.augment import Augment
from data_shards.build.atomic import scratch_folder
from data_shards.counters import COUNTS
from data_shards.errors import DataError, TooManyBadSamples, has
from data_shards.plain.data import PlainData
from data_shards.plain.lane import BLOCK_SAMPLES, Lane, Place
from data_shards.plain.pictures import Batch, Pictures

FETCHED_AT_ONCE = 4  # shards, by all lanes


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a lane stands before draw number `draw`, and how many bad samples it has met."""

    source: str
    replica: int
    draw: int = 0
    bad: int = 0
    place: Place = field(default_factory=Place)


@dataclass
class _Replica:
    """A hosted replica's reading of one source: `ready` holds the draws after `stand`, each with where it leads."""

    stand: Stand
    thread: ThreadPoolExecutor | None
    ahead: Stand
    lane: Lane | None = None
    ready: deque[Future[tuple[Batch, Stand]]] = field(default_factory=deque)


class PlainStream:
    """Batches of training pictures for the `hosted` replicas, draw after draw. One owner thread calls `read`.

    sources: name -> domains drawn together: {"a": ("a",), "b": ("b",)} unpaired, {"ab": ("a", "b")} in one sample.
    channels: by domain. image: side in pixels. batch: global batch, in samples; each of the `replicas` draws
    batch / replicas of them. augment: None shows whole pictures. bad_samples: the share of the samples seen that may be
    unreadable. prefetch: draws to keep ready per source and hosted replica; 0 computes on call.
    """

    def __init__(
        self,
        data: PlainData,
        *,
        sources: Mapping[str, tuple[str, ...]],
        channels: Mapping[str, int],
        image: int,
        batch: int,
        replicas: int,
        seed: int,
        augment: Augment | None,
        hosted: Sequence[int],
        bad_samples: float = 0.001,
        prefetch: int = 2,
    ) -> None:
        if batch % replicas:
            raise DataError(f"a batch of {batch} cannot be shared evenly by {replicas} replicas")
        self._data, self._sources = data, {name: tuple(domains) for name, domains in sources.items()}
        self._image, self._share, self._lanes, self._seed = image, batch // replicas, replicas, seed
        self._augment = augment
        self._loaded = augment.load(image) if augment else image  # the side that pictures are decoded to
        self._pictures = Pictures(channels, bad_samples)
        self._prefetch = prefetch
        self._closing = ExitStack()
        self._scratch = self._closing.enter_context(scratch_folder()) if data.store.remote else None
        self._fetching = ThreadPoolExecutor(FETCHED_AT_ONCE, thread_name_prefix="shards")
        self._replicas = {
            (name, replica): self._replica(Stand(name, replica)) for name in sources for replica in hosted
        }

    def size(self, source: str) -> int:
        """RuntimeError: nobody knows how many samples an epoch has."""
        raise RuntimeError(f"how many samples source {source} has is unknown without a manifest")

    def read(self, source: str, draw: int, replica: int) -> Batch:
        """domain -> [batch / replicas, image, image, C] uint8, fresh memory that is the caller's to keep.

        draw: the one after the last one read of this source and replica, RuntimeError for any other. A sample that
        cannot be decoded is passed over. Raises TooManyBadSamples, DataError (a shard is damaged, or not what it was)
        and Unreachable.
        """
        if source not in self._sources:
            raise DataError(f"unknown source {source!r}{has(source, self._sources)}")
        if (source, replica) not in self._replicas:
            raise RuntimeError(f"replica {replica} of source {source} is read by another worker")
        mine = self._replicas[source, replica]
        if draw != mine.stand.draw:
            raise RuntimeError(
                f"source {source}, replica {replica}: draw {draw} was asked for, and {mine.stand.draw} is next; without a "
                "manifest, samples can be drawn only in order"
            )
        since = time.monotonic()
        try:
            self._look_ahead(mine, 1 + self._prefetch)
            batch, mine.stand = mine.ready[0].result()
        finally:
            COUNTS.add("wait_seconds", time.monotonic() - since)
        mine.ready.popleft()
        return batch

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold for `restore`, JSON-able: where each hosted lane stands."""
        return {"lanes": [asdict(mine.stand) for mine in self._replicas.values()]}

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Take over the states of all workers of a checkpoint, before the first read: they may have hosted other lanes."""
        for row in (row for state in states for row in state["lanes"]):
            stand = Stand(**{**row, "place": Place(**row["place"])})
            if (stand.source, stand.replica) in self._replicas:
                self._pictures.count(stand.source, stand.draw * self._share + stand.bad, stand.bad)
                mine = self._replicas[stand.source, stand.replica]
                mine.stand = mine.ahead = stand

    def close(self) -> None:
        """Stop prefetching and wait for the threads. A closed stream cannot be read."""
        threads = [mine.thread for mine in self._replicas.values() if mine.thread]
        for pool in (*threads, self._fetching):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (self._fetching, *threads):
            pool.shutdown(wait=True)
        for mine in self._replicas.values():
            if mine.lane:
                mine.lane.close()
        self._closing.close()

    def __enter__(self) -> "PlainStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _replica(self, stand: Stand) -> _Replica:
        # A thread of its own keeps a lane's draws in order, and another lane's shard can be waited for meanwhile.
        thread = ThreadPoolExecutor(1, thread_name_prefix="lane") if self._prefetch else None
        return _Replica(stand, thread, stand)

    def _look_ahead(self, mine: _Replica, wanted: int) -> None:
        """Have `wanted` draws under way."""
        while len(mine.ready) < wanted:
            if mine.thread:
                mine.ready.append(mine.thread.submit(self._compute, mine))
            else:
                future: Future[tuple[Batch, Stand]] = Future()
                future.set_result(self._compute(mine))
                mine.ready.append(future)

    def _compute(self, mine: _Replica) -> tuple[Batch, Stand]:
        """The draw after `mine.ahead`. For the replica's own thread."""
        at = mine.ahead
        name, domains = at.source, self._sources[at.source]
        if mine.lane is None:
            mine.lane = Lane(self._data, name, domains, at.replica, self._lanes, self._seed, self._fetch, at.place)
        views = (
            self._augment.views(self._image, self._share, self._seed, name, at.draw, at.replica)
            if self._augment
            else None
        )
        batch = {domain: self._memory(domain, self._share, self._image) for domain in domains}
        room = {domain: self._memory(domain, 1, self._loaded)[0] for domain in domains if views}
        bad = at.bad
        for slot in range(self._share):
            target = {domain: pictures[slot] for domain, pictures in batch.items()}
            shown, skipped = self._next_good(mine.lane, name, room or target)
            bad += skipped
            for domain, picture in shown.items():
                if views:
                    views[slot].show(picture, target[domain])
                elif picture is not target[domain]:
                    target[domain][...] = picture
        mine.ahead = Stand(name, at.replica, at.draw + 1, bad, mine.lane.place)
        return batch, mine.ahead

    def _next_good(self, lane: Lane, source: str, room: Batch) -> tuple[Batch, int]:
        """The pictures of the lane's next sample that can be decoded, and how many could not before it."""
        for bad in range(BLOCK_SAMPLES):
            shown = self._pictures.decode(source, lane.take(), self._loaded, room)
            if shown is not None:
                return shown, bad
        raise TooManyBadSamples(f"not one of {BLOCK_SAMPLES:,} samples of source {source} in a row can be decoded")

    def _fetch(self, shard: str) -> Future[BinaryIO]:
        return self._fetching.submit(self._data.open, shard, self._scratch)

    def _memory(self, domain: str, count: int, side: int) -> np.ndarray:
        return np.empty((count, side, side, self._pictures.channels[domain]), np.uint8)
