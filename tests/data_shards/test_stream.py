from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_shards.augment import Augment
from data_shards.errors import DataError, TooManyBadSamples
from data_shards.manifest import Manifest
from data_shards.stream import Batch, Stream
from data_shards.validation import Validation

UNPAIRED = {"a": ("a",), "b": ("b",)}
PAIRED = {"ab": ("a", "b")}
CROP = Augment(jitter=1.5)  # 12 stored pixels, cropped to 8: no scaling in between
REPLICAS = 8


def stream(manifest: Manifest, **changes: Any) -> Stream:
    plain: dict[str, Any] = {"sources": PAIRED, "image": 8, "batch": 16, "replicas": REPLICAS, "seed": 0}
    plain |= {"augment": CROP, "hosted": [], "prefetch": 0}
    return Stream(manifest, **(plain | changes))


def same(one: Batch, other: Batch) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def by_workers(manifest: Manifest, workers: int, places: list[tuple[str, int]], **setup: Any) -> list[list[Batch]]:
    """place -> the batches of all replicas, as `workers` processes would read them that resume at each place."""
    each = REPLICAS // workers
    found: list[list[Batch]] = [[] for _ in places]
    for rank in range(workers):
        hosted = range(rank * each, (rank + 1) * each)
        with stream(manifest, sources=UNPAIRED, hosted=hosted, **setup) as tried:
            for batches, (source, draw) in zip(found, places, strict=True):
                batches += [tried.read(source, draw, replica) for replica in hosted]
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 20)), min_size=1, max_size=6),
    workers=st.sampled_from([1, 2, 4, 8]),
    seed=st.integers(0, 5),
    threads=st.integers(1, 3),
    prefetch=st.integers(0, 3),
    memory_bytes=st.sampled_from([0, 2000, 1 << 20]),
)
def test_a_global_batch_is_the_same_for_any_number_of_workers(
    negatives: Manifest, places: Any, workers: int, **setup: Any
) -> None:
    """... for any prefetching, and before and after a resume at any draw."""
    found = by_workers(negatives, workers, places, **setup)
    for (source, draw), batches in zip(places, found, strict=True):
        fresh = stream(negatives, sources=UNPAIRED, memory_bytes=0, seed=setup["seed"])
        expected = [fresh.read(source, draw, replica) for replica in range(REPLICAS)]
        assert all(same(one, other) for one, other in zip(batches, expected, strict=True)), (source, draw)


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


def test_a_limit_keeps_the_same_few_pictures_and_shows_them_differently(negatives: Manifest) -> None:
    one = stream(negatives, sources=UNPAIRED, limit={"a": 1})
    assert (one.size("a"), one.size("b")) == (1, len(negatives.keys("b")))
    views = {one.read("a", 0, replica)["a"][0].tobytes() for replica in range(REPLICAS)}
    assert len(views) > 4, "one picture on several replicas gives several views"
    plain = {"augment": None, "image": 12, "sources": UNPAIRED}
    few = [stream(negatives, limit={"a": 3}, seed=seed, **plain) for seed in (0, 1)]
    shown = [{p.tobytes() for r in range(REPLICAS) for p in s.read("a", 0, r)["a"]} for s in few]
    assert shown[0] == shown[1]
    assert len(shown[0]) == 3


def test_balanced_classes_come_equally_often(negatives: Manifest) -> None:
    """Four pictures of the first class and one of the second come as often as each other."""
    classes = {negatives.row("a", key).cls for key in negatives.keys("a")}
    assert classes == {"even", "odd"}
    tried = stream(negatives, sources={"a": ("a",)}, balance=True, augment=None, image=12)
    of = {tried_picture(negatives, key): str(negatives.row("a", key).cls) for key in negatives.keys("a")}
    size = tried.size("a")
    shown = [p.tobytes() for d in range(-(-size // 16)) for r in range(REPLICAS) for p in tried.read("a", d, r)["a"]]
    counts = [sum(of[picture] == cls for picture in shown[:size]) for cls in ("even", "odd")]
    assert counts == [size // 2, size // 2]


def tried_picture(manifest: Manifest, key: str) -> bytes:
    from data_shards.decode import decode

    row = manifest.row("a", key)
    return decode(manifest.store.read_range(row.shard, row.offset, row.size), 3, 12).tobytes()


def test_classes_are_those_of_the_pictures_that_are_shown(copied: Path, negatives: Manifest) -> None:
    """... of the substitutes, too, where a sample cannot be read."""
    damage(copied, "a", *negatives.keys("a")[:3])
    of = {tried_picture(negatives, key): negatives.row("a", key).cls for key in negatives.keys("a")}
    plain: dict[str, Any] = {"sources": UNPAIRED, "augment": None, "image": 12, "bad_samples": 0.5}
    with stream(Manifest.open(str(copied)), labelled={"a": "a.class"}, **plain) as tried:
        for draw in range(4):
            for replica in range(REPLICAS):
                batch = tried.read("a", draw, replica)
                assert batch["a.class"].dtype == np.int64
                names = [negatives.class_names[place] for place in batch["a.class"]]
                assert names == [of[picture.tobytes()] for picture in batch["a"]]
        assert set(tried.read("b", 0, 0)) == {"b"}, "nobody asked for the classes of the other domain"
        assert len(tried.state()["quarantine"]) == 3


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


def damage(folder: Path, domain: str, *keys: str) -> None:
    """Turn a bit in the middle of the pictures' files."""
    manifest = Manifest.open(str(folder))
    for key in keys:
        row = manifest.row(domain, key)
        shard = bytearray((folder / row.shard).read_bytes())
        shard[row.offset + row.size // 2] ^= 1
        (folder / row.shard).write_bytes(shard)


def test_a_damaged_sample_is_replaced_and_shifts_nobody(copied: Path, negatives: Manifest) -> None:
    keys = negatives.pairs("train")
    damage(copied, "b", keys[3])
    plain: dict[str, Any] = {"augment": None, "image": 12, "batch": 8}
    bad = tried_picture(negatives, keys[3])
    with stream(Manifest.open(str(copied)), hosted=range(REPLICAS), prefetch=2, threads=2, **plain) as tried:
        good = stream(negatives, **plain)
        replaced = 0
        for draw in range(12):
            for replica in range(REPLICAS):
                found, expected = tried.read("ab", draw, replica), good.read("ab", draw, replica)
                if expected["a"][0].tobytes() == bad:
                    replaced += 1
                    assert found["a"][0].tobytes() != bad
                    assert np.all(found["a"] + found["b"] == 255), "a pair is replaced as a whole"
                else:
                    assert same(found, expected)
        assert replaced >= 2
        (row,) = tried.state()["quarantine"]
    assert (row["source"], row["domain"], row["key"]) == ("ab", "b", keys[3])
    assert row["reason"].startswith("is damaged: crc32c")

    mended = stream(negatives, **plain)  # the shard is whole again, but this run goes on as it began
    mended.restore([{"quarantine": [row]}])
    again = stream(Manifest.open(str(copied)), **plain)
    for draw in range(12):
        for replica in range(REPLICAS):
            assert same(mended.read("ab", draw, replica), again.read("ab", draw, replica))


def read_all(tried: Stream, draws: int = 6) -> None:
    for draw in range(draws):
        for replica in range(REPLICAS):
            tried.read("ab", draw, replica)


def test_too_many_damaged_samples_stop_the_run(copied: Path, negatives: Manifest) -> None:
    keys = negatives.pairs("train")
    damage(copied, "a", *keys[:2])
    with pytest.raises(TooManyBadSamples) as caught:
        read_all(stream(Manifest.open(str(copied)), bad_samples=0.001))
    text = str(caught.value)
    assert text.startswith(f"2 of the {len(keys)} samples of source ab cannot be read, data.bad_samples allows 1; ")
    assert "is damaged: crc32c" in text
    with pytest.raises(TooManyBadSamples, match=r"data\.bad_samples allows 0"):
        read_all(stream(Manifest.open(str(copied)), bad_samples=0))
    read_all(stream(Manifest.open(str(copied)), bad_samples=0.2))
    damage(copied, "a", *keys[2:])
    with pytest.raises(TooManyBadSamples, match=r"not one of the \d+ samples of source ab can be read"):
        read_all(stream(Manifest.open(str(copied)), bad_samples=1))


def test_a_shard_cut_short_and_one_that_is_gone_are_named(copied: Path) -> None:
    manifest = Manifest.open(str(copied))
    shard = copied / manifest.row("a", manifest.pairs("train")[0]).shard
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(TooManyBadSamples, match=rf"{shard.name}: .* is cut short: 0 of \d+ bytes are there"):
        read_all(stream(manifest))
    shard.unlink()
    with pytest.raises(DataError, match=rf"{shard.name} is missing, but the manifest names it"):
        read_all(stream(manifest))


def test_wrong_requests_are_refused(negatives: Manifest) -> None:
    with pytest.raises(DataError, match="a batch of 8 cannot be shared evenly by 3 replicas"):
        stream(negatives, batch=8, replicas=3)
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


def test_a_damaged_validation_picture_is_never_scored(copied: Path, negatives: Manifest) -> None:
    some = Validation(negatives, domains=("a",), image=12, limit=4)
    damage(copied, "a", some.keys("a")[0])
    with pytest.raises(RuntimeError, match=r"validation picture \S+ in domain a is damaged: crc32c"):
        Validation(Manifest.open(str(copied)), domains=("a",), image=12, limit=4).read("a", some.keys("a")[0])
