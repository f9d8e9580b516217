"""The stream over a real S3 server: the same bytes as from a folder, whatever happens on the way."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_shards import order
from data_shards import store as store_module
from data_shards.build import pack
from data_shards.build.folder import build_folder
from data_shards.cache.shards import ShardCache
from data_shards.counters import COUNTS, since
from data_shards.errors import DataError, Unreachable
from data_shards.manifest import FILE, Manifest, manifest_bytes
from data_shards.store import open_store
from data_shards.stream import Batch, Stream
from data_shards.transfer import Patience
from tests.faults import by_seed, faulty, first
from tests.seaweed import Seaweed

SIDE, REPLICAS, PICTURES = 48, 4, 160
LARGEST = 10_000_000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, paint: Callable[..., Any]) -> Manifest:
    """Pictures of noise in some 40 shards of about 30 KB per domain."""
    root = tmp_path_factory.mktemp("many")
    for i in range(PICTURES):
        paint(root / f"source/a/{i:03d}.png", seed=i, size=(SIDE, SIDE))
        paint(root / f"source/b/x{i:03d}.png", seed=1000 + i, size=(SIDE, SIDE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack, "SHARD_BYTES", 25_000)
        build_folder(str(root / "shards"), source=str(root / "source"), validation=0.1)
    return Manifest.open(str(root / "shards"))


@pytest.fixture
def uploaded(many: Manifest, bucket: str) -> str:
    """The same shards in S3."""
    store = open_store(bucket)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.write(name, many.store.read(name)), many.store.list()))
    return bucket


def stream(manifest: Manifest, **changes: Any) -> Stream:
    plain: dict[str, Any] = {"sources": {"a": ("a",), "b": ("b",)}, "image": SIDE, "batch": 8, "replicas": REPLICAS}
    plain |= {"seed": 3, "augment": None, "hosted": range(REPLICAS), "memory_bytes": 0, "threads": 2}
    return Stream(manifest, **(plain | changes))


@contextmanager
def remote(uri: str, cache: Path, limit: int = LARGEST, **changes: Any) -> Iterator[Stream]:
    def shards(manifest: Manifest, next_use: Callable[[str], float]) -> ShardCache:
        return ShardCache(cache, limit, manifest.store, manifest.shards, manifest.etags, next_use)

    with stream(Manifest.open(uri), shards=shards, **changes) as tried:
        yield tried


def epoch(tried: Stream, replicas: range = range(REPLICAS), draws: range | None = None) -> list[Batch]:
    """All batches of an epoch, and a little more."""
    found = []
    for draw in draws or range(-(-tried.size("a") // 8) + 1):
        for source in ("a", "b"):
            found += [tried.read(source, draw, replica) for replica in replicas]
    return found


def same(ones: list[Batch], others: list[Batch]) -> bool:
    return len(ones) == len(others) and all(
        one.keys() == other.keys() and all(np.array_equal(one[d], other[d]) for d in one)
        for one, other in zip(ones, others, strict=True)
    )


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of two shards: with thousands of samples in each the whole of this data would be one."""
    monkeypatch.setattr(order, "WINDOW_SAMPLES", 1)


@pytest.fixture
def expected(many: Manifest) -> list[Batch]:
    with stream(many, prefetch=0) as plain:
        return epoch(plain)


def test_from_s3_as_from_a_folder(many: Manifest, uploaded: str, expected: list[Batch], tmp_path: Path) -> None:
    before = COUNTS.snapshot()
    with remote(uploaded, tmp_path) as tried:
        assert same(epoch(tried), expected)
    training = sum(name.startswith("train") for name in many.shards)
    assert since(before)["cache_misses"] <= training, "every shard was downloaded once"
    with remote(uploaded, tmp_path) as again:
        assert same(epoch(again, draws=range(5, 9)), expected[5 * 8 : 9 * 8])
    assert since(before)["cache_misses"] <= training


def test_two_workers_share_the_shards_between_them(uploaded: str, expected: list[Batch], tmp_path: Path) -> None:
    halves = []
    for rank in (0, 1):
        hosted = range(rank * 2, rank * 2 + 2)
        with remote(uploaded, tmp_path / f"node{rank}", hosted=hosted) as tried:
            halves.append(epoch(tried, hosted))
    merged = [b for i in range(0, len(halves[0]), 2) for b in (*halves[0][i : i + 2], *halves[1][i : i + 2])]
    assert same(merged, expected)


def test_a_cache_smaller_than_the_data(many: Manifest, uploaded: str, expected: list[Batch], tmp_path: Path) -> None:
    largest = max(shard.bytes for shard in many.shards.values())
    before = COUNTS.snapshot()
    with remote(uploaded, tmp_path, limit=40 * largest) as tried:
        assert same(epoch(tried), expected)
    kept = sum(file.stat().st_size for file in tmp_path.rglob("*.tar"))
    assert since(before)["cache_evictions"] > 0
    assert kept <= 40 * largest < sum(shard.bytes for shard in many.shards.values())


def test_a_damaged_file_in_the_cache_is_fetched_again(uploaded: str, expected: list[Batch], tmp_path: Path) -> None:
    with remote(uploaded, tmp_path) as tried:
        epoch(tried)
    for file in tmp_path.rglob("*.tar"):
        content = bytearray(file.read_bytes())
        content[1000 : len(content) : 1000] = bytes(len(content[1000 : len(content) : 1000]))
        file.write_bytes(content)
    with remote(uploaded, tmp_path) as again:
        assert same(epoch(again), expected)
        assert not again.state()["quarantine"]


def test_an_object_replaced_under_our_feet_is_never_trained_on(
    many: Manifest, uploaded: str, expected: list[Batch], tmp_path: Path
) -> None:
    store = open_store(uploaded)
    for name in many.shards:
        store.write(name, os.urandom(many.shards[name].bytes))
    with (
        remote(uploaded, tmp_path) as tried,
        pytest.raises(DataError, match=r"(?s)\.tar.*(changed|is not|sha256)"),
    ):
        epoch(tried)


def test_a_bad_sample_is_set_aside_and_every_other_picture_is_shown(
    many: Manifest, uploaded: str, tmp_path: Path
) -> None:
    """The object is whole, but for one picture the manifest was written from other bytes."""
    rows = [many.row_at(i) for i in range(len(many.crcs))]
    bad = next(row for row in rows if row.domain == "a" and row.split == "train")
    rows[rows.index(bad)] = replace(bad, crc32c=bad.crc32c ^ 1)
    store = open_store(uploaded)
    store.write(FILE, manifest_bytes(many.head, rows))
    before = COUNTS.snapshot()
    with remote(uploaded, tmp_path, hosted=range(2)) as two, remote(uploaded, tmp_path, hosted=range(2, 4)) as others:
        halves = [epoch(two, range(2)), epoch(others, range(2, 4))]
        (told,) = two.state()["quarantine"] + others.state()["quarantine"]
    assert (told["shard"], told["key"], told["domain"]) == (bad.shard, bad.key, "a")
    assert "is damaged: crc32c" in told["reason"]
    counted = since(before)
    assert counted["samples_quarantined"] == 1
    with stream(many, prefetch=0) as whole:
        shown = {picture.tobytes() for batch in epoch(whole) for picture in batch.get("a", ())}
    found = {picture.tobytes() for half in halves for batch in half for picture in batch.get("a", ())}
    assert len(shown - found) == 1, "every picture but the bad one"
    assert not found - shown


PATIENCE = Patience(deadline=60, minimum_rate=8192, window=0.5, read_timeout=0.5, first_pause=0.01, longest_pause=0.1)


def test_an_epoch_through_a_faulty_network(
    seaweed: Seaweed, uploaded: str, expected: list[Batch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of fault, 5 % of the requests together: exactly the expected samples, and nothing set aside."""
    monkeypatch.setattr(store_module, "Patience", lambda: PATIENCE)
    before = COUNTS.snapshot()
    done: Counter[str] = Counter()
    for seed in range(10):
        with faulty(seaweed.endpoint, by_seed(seed, 0.05)) as proxy:
            through = uploaded.replace(seaweed.endpoint, proxy.endpoint)
            with remote(through, tmp_path / f"node{seed}") as tried:
                assert same(epoch(tried), expected)
                assert not tried.state()["quarantine"]
            done += proxy.done
    faults = set(done) - {"passed"}
    assert len(faults) >= 5, f"the seeds must draw many kinds: {done}"
    counted = since(before)
    causes = {name for name in counted if name.startswith("retries_")}
    assert len(causes) >= 4
    assert sum(counted[name] for name in causes) >= sum(done[kind] for kind in faults)


def test_an_outage_is_waited_out(
    seaweed: Seaweed, uploaded: str, expected: list[Batch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "Patience", lambda: PATIENCE)
    before = COUNTS.snapshot()
    with faulty(seaweed.endpoint, first()) as proxy:
        through = uploaded.replace(seaweed.endpoint, proxy.endpoint)
        with remote(through, tmp_path, prefetch=0) as tried:
            start = epoch(tried, draws=range(2))
            proxy.cut()
            with ThreadPoolExecutor(1) as pool:
                rest = pool.submit(epoch, tried, draws=range(2, len(expected) // 8))
                while not since(before).get("retries_refused"):
                    assert not rest.done(), "a part of the shards was still to come"
                proxy.mend()
                assert same(start + rest.result(), expected)


def test_an_outage_beyond_the_deadline_is_told(
    seaweed: Seaweed, uploaded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "Patience", lambda: replace(PATIENCE, deadline=0.5, minimum_rate=1e9))
    with faulty(seaweed.endpoint, first()) as proxy:
        through = uploaded.replace(seaweed.endpoint, proxy.endpoint)
        with remote(through, tmp_path, prefetch=0) as tried:
            tried.read("a", 0, 0)
            proxy.cut()
            with pytest.raises(Unreachable, match=r"shards/test-\d+.*give the same command again"):
                epoch(tried)
