from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_shards.augment import Augment
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from data_shards.stream import Batch, Stream, Validation

UNPAIRED = {"a": ("a",), "b": ("b",)}
PAIRED = {"ab": ("a", "b")}
CROP = Augment(jitter=1.5)  # 12 stored pixels, cropped to 8: no scaling in between


def stream(manifest: Manifest, **changes: Any) -> Stream:
    plain: dict[str, Any] = {"sources": PAIRED, "image": 8, "batch": 8, "replicas": 4, "seed": 0, "augment": CROP}
    plain |= {"hosted": [], "prefetch": 0}
    return Stream(manifest, **(plain | changes))


def same(one: Batch, other: Batch) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 20), st.integers(0, 3)), min_size=1, max_size=12
    ),
    hosted=st.sets(st.integers(0, 3)),
    threads=st.integers(1, 3),
    prefetch=st.integers(0, 3),
    cache_bytes=st.sampled_from([0, 2000, 1 << 20]),
)
def test_a_batch_depends_on_its_address_alone(
    negatives: Manifest, places: Any, hosted: set[int], threads: int, prefetch: int, cache_bytes: int
) -> None:
    setup = {"hosted": sorted(hosted), "threads": threads, "prefetch": prefetch, "cache_bytes": cache_bytes}
    with stream(negatives, sources=UNPAIRED, **setup) as tried:
        for place in places:
            expected = stream(negatives, sources=UNPAIRED, cache_bytes=0).read(*place)
            assert same(tried.read(*place), expected), place


def test_replicas_are_slices_of_one_global_order(negatives: Manifest) -> None:
    one = stream(negatives, replicas=1, augment=None, image=12)
    four = stream(negatives, replicas=4, augment=None, image=12)
    for draw in (0, 3, 17):
        whole = one.read("ab", draw, 0)["a"]
        assert np.array_equal(whole, np.concatenate([four.read("ab", draw, r)["a"] for r in range(4)]))


def test_an_epoch_shows_every_training_pair_once(negatives: Manifest) -> None:
    keys = negatives.pairs("train")
    whole = stream(negatives, batch=len(keys), replicas=1, augment=None, image=12)
    assert whole.size("ab") == len(keys)
    for draw in (0, 1):
        shown = {picture.tobytes() for picture in whole.read("ab", draw, 0)["a"]}
        assert len(shown) == len(keys)
    assert not same(whole.read("ab", 0, 0), whole.read("ab", 1, 0))


def test_both_sides_of_a_pair_are_seen_alike(negatives: Manifest) -> None:
    for draw in range(5):
        batch = stream(negatives).read("ab", draw, 2)
        assert batch["a"].shape == batch["b"].shape == (2, 8, 8, 3)
        assert np.all(batch["a"] + batch["b"] == 255)


def test_one_picture_on_four_replicas_gives_four_views(negatives: Manifest) -> None:
    class OneKey(Manifest):
        def keys(self, domain: str, split: str = "train") -> list[str]:
            return super().keys(domain, split)[:1]

    only = OneKey(negatives.store, negatives.store.read("manifest.parquet"))
    views = {stream(only).read("ab", 0, replica)["a"][0].tobytes() for replica in range(4)}
    assert len(views) == 4


def test_a_batch_is_the_callers_to_change(negatives: Manifest) -> None:
    tried = stream(negatives)
    before = tried.read("ab", 0, 0)
    tried.read("ab", 0, 0)["a"][:] = 0
    assert same(tried.read("ab", 0, 0), before)
    assert before["a"].flags.c_contiguous
    assert before["a"].flags.writeable


def test_several_streams_share_a_manifest_between_threads(negatives: Manifest) -> None:
    fresh = Manifest.open(negatives.uri)
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda r: stream(fresh, hosted=[r]).read("ab", 5, r), range(4)))
    assert all(same(batch, stream(negatives).read("ab", 5, r)) for r, batch in enumerate(batches))


@pytest.fixture
def copied(negatives: Manifest, tmp_path: Path) -> Path:
    """Shards that a test may damage."""
    for name in negatives.store.list():
        (tmp_path / name).write_bytes(negatives.store.read(name))
    return tmp_path


def test_a_flipped_byte_is_never_trained_on(copied: Path) -> None:
    manifest = Manifest.open(str(copied))
    key = manifest.pairs("train")[3]
    row = manifest.row("b", key)
    shard = bytearray((copied / row.shard).read_bytes())
    shard[row.offset + row.size // 2] ^= 1
    (copied / row.shard).write_bytes(shard)
    with (
        stream(manifest, batch=64, hosted=range(4), prefetch=2) as tried,
        pytest.raises(RuntimeError, match=f"{row.shard}: {key} in domain b is damaged: crc32c"),
    ):
        for replica in range(4):
            tried.read("ab", 0, replica)


def test_a_shard_cut_short_is_named(copied: Path) -> None:
    manifest = Manifest.open(str(copied))
    shard = copied / manifest.row("a", manifest.pairs("train")[0]).shard
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(RuntimeError, match=rf"{shard.name}: .* cannot be read: .* ends early"):
        stream(manifest, batch=64, replicas=1).read("ab", 0, 0)


def test_wrong_requests_are_refused(negatives: Manifest) -> None:
    with pytest.raises(DataError, match="a batch of 8 cannot be shared evenly by 3 replicas"):
        stream(negatives, replicas=3)
    with pytest.raises(DataError, match="no domain 'c'; has: a, b"):
        stream(negatives, sources={"c": ("c",)})
    with pytest.raises(DataError, match="unknown source 'a'; nearest: ab; has: ab"):
        stream(negatives).read("a", 0, 0)


def test_validation_is_fixed_whole_and_varied(negatives: Manifest) -> None:
    some = Validation(negatives, domains=("a", "b"), image=12, limit=4)
    assert some.truth
    assert some.keys("a") == some.keys("b") == Validation(negatives, domains=("a", "b"), image=8, limit=4).keys("a")
    assert set(some.keys("a")) <= set(negatives.keys("a", "validation"))
    assert sorted(str(negatives.row("a", key).cls) for key in some.keys("a")) == ["even", "even", "odd", "odd"]
    key = some.keys("a")[0]
    assert np.all(some.read("a", key) + some.read("b", key) == 255)
    assert not Validation(negatives, domains=("a",), image=12, limit=4).truth
