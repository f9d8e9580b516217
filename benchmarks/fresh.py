"""What is measured in a process that has done nothing else: index, first batch, an epoch's memory.

Each function is run once in a process of its own, and imports what it needs before it looks at the clock or at its size.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import psutil

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

BATCH = 16
MEMORY_BYTES = 16 << 20  # for decoded pictures, small so that it is full after a few batches


def fresh(function: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
    """What the function returns in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()


def index(uri: str) -> Mapping[str, float]:
    """Seconds and growth in MB of: opening a manifest, joining its domains, and the first draw of 16 lanes' order."""
    import pyarrow.compute
    import pyarrow.parquet

    from data_shards.manifest import Manifest
    from data_shards.source import make_source

    assert pyarrow.compute and pyarrow.parquet
    np.random.Philox(0).random_raw(1)
    start, began = _megabytes(), time.perf_counter()
    manifest = Manifest.open(uri)
    opened, open_size = time.perf_counter(), _megabytes()
    domains = tuple(manifest.domains)
    assert len(manifest.join(domains)[domains[0]])
    joined, join_size = time.perf_counter(), _megabytes()
    source = make_source(manifest, "ab", domains, 0, BATCH, 1, {}, False)
    sourced = time.perf_counter()
    for lane in range(BATCH):
        source.order.samples(0, lane)
        source.order.shards(0, lane)
    drawn, draw_size = time.perf_counter(), _megabytes()
    source.order.next_use(0, 0)
    used = time.perf_counter()
    for draw in range(1, 101):
        source.order.samples(draw, 0)
        source.order.shards(draw, 0)
    return {
        "open": opened - began,
        "join": joined - opened,
        "source": sourced - joined,
        "draw": drawn - sourced,
        "next use": used - drawn,
        "later draw": (time.perf_counter() - used) / 100,
        "open MB": open_size - start,
        "join MB": join_size - start,
        "draw MB": draw_size - start,
        "end MB": _megabytes() - start,
        "rows": len(manifest.sizes),
    }


def first_batch(uri: str, image: int, replicas: int, cache: str) -> Mapping[str, float]:
    """Seconds from the address to the first batch of all replicas, and what was fetched for it until then."""
    import boto3
    import pyarrow.parquet

    from data_shards.cache.shards import ShardCache
    from data_shards.counters import COUNTS
    from data_shards.manifest import Manifest
    from data_shards.stream import Stream, open_in_place

    assert boto3 and pyarrow.parquet
    began = time.perf_counter()
    manifest = Manifest.open(uri)
    opened = time.perf_counter()

    def shards(manifest: Manifest, next_use: Callable[[str], float]) -> ShardCache:
        limit = 4 * sum(shard.bytes for shard in manifest.shards.values())
        return ShardCache(Path(cache), limit, manifest.store, manifest.shards, manifest.etags, next_use)

    with Stream(
        manifest,
        sources={"a": ("a",)},
        image=image,
        batch=BATCH,
        replicas=replicas,
        seed=0,
        augment=None,
        hosted=range(replicas),
        shards=shards if manifest.store.remote else open_in_place,
    ) as stream:
        for replica in range(replicas):
            stream.read("a", 0, replica)
        read, counted = time.perf_counter(), COUNTS.snapshot()
    return {"open": opened - began, "first": read - began, "bytes": counted["bytes"]}


def epoch(uri: str, image: int) -> Mapping[str, float]:
    """The process's size in MB after a tenth and after the whole of an epoch, read as fast as it goes."""
    from data_shards.augment import Augment
    from data_shards.manifest import Manifest
    from data_shards.stream import Stream

    with Stream(
        Manifest.open(uri),
        sources={"a": ("a",)},
        image=image,
        batch=BATCH,
        replicas=1,
        seed=0,
        augment=Augment(),
        hosted=[0],
        threads=2,
        memory_bytes=MEMORY_BYTES,
    ) as stream:
        draws = stream.size("a") // BATCH
        sizes = []
        for draw in range(draws):
            stream.read("a", draw, 0)
            sizes.append(_megabytes())
    tenth = draws // 10
    return {"tenth": float(np.median(sizes[tenth : tenth + 10])), "end": float(np.median(sizes[-10:]))}


def _megabytes() -> float:
    """Resident size of this process."""
    return float(psutil.Process().memory_info().rss) / 1e6
