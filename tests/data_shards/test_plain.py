"""Training on shards without a manifest: every sample once an epoch, resumed where it stopped, the same from S3."""

import io
import json
from collections import Counter
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_shards.augment import Augment
from data_shards.counters import COUNTS
from data_shards.errors import DataError
from data_shards.plain.data import PlainData
from data_shards.plain.lane import Lane, Place
from data_shards.plain.look import held_back, look
from data_shards.plain.validation import PlainValidation
from data_shards.store import open_store
from tests.data_shards.plain_world import (
    DOMAINS,
    PAIRED,
    PATTERNS,
    SIDE,
    UNPAIRED,
    animals,
    drawn,
    flat,
    numbers,
    pairs,
    picture,
    stream,
    write,
)


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 training pairs in 6 shards, and 7 to validate in 2."""
    folder = write(tmp_path_factory.mktemp("paired"), "train-%03d.tar", pairs(60), 10)
    return write(folder, "val-%03d.tar", pairs(7, 60), 4)


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return animals(tmp_path_factory.mktemp("unpaired"))


@pytest.mark.parametrize("replicas", [1, 2])
def test_every_sample_comes_once_an_epoch(paired: Path, replicas: int) -> None:
    with stream(PlainData(str(paired), {}), replicas=replicas, hosted=range(replicas)) as reader:
        epochs = [flat(drawn(reader, range(15 * e, 15 * e + 15), replicas=range(replicas))) for e in range(2)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(60))
    assert epochs[0] != epochs[1]
    assert epochs[0] != sorted(epochs[0])


def test_a_lane_without_a_shard_of_its_own_begins_later_epochs(paired: Path) -> None:
    data = PlainData(str(paired), {})
    with stream(data, batch=8, replicas=8, hosted=range(8)) as reader:
        seen = Counter(flat(drawn(reader, range(30), replicas=range(8))))
    assert seen == dict.fromkeys(range(60), 4)


def test_both_sides_of_a_pair_are_seen_alike(paired: Path) -> None:
    with stream(PlainData(str(paired), {}), augment=Augment(), image=6, prefetch=2) as reader:
        batch = reader.read("ab", 0, 0)
    assert batch["a"].shape == (2, 6, 6, 3)
    assert numbers(batch["a"], "a") == numbers(batch["b"], "b")


def test_workers_share_out_the_same_draws(paired: Path, unpaired: Path) -> None:
    for folder, patterns, setup in ((paired, {}, PAIRED), (unpaired, PATTERNS, UNPAIRED)):
        with stream(PlainData(str(folder), patterns), **setup) as one:
            whole = {(s, d, r): one.read(s, d, r)[s[0]] for s in setup["sources"] for d in range(40) for r in range(2)}
        for rank in range(2):
            with stream(PlainData(str(folder), patterns), hosted=[rank], prefetch=2, **setup) as mine:
                for source in setup["sources"]:
                    for draw in range(40):
                        assert (mine.read(source, draw, rank)[source[0]] == whole[source, draw, rank]).all()
                with pytest.raises(RuntimeError, match=r"^replica \d of source \w+ is read by another worker$"):
                    mine.read(source, 40, 1 - rank)


@pytest.mark.parametrize("block", [3, 25, 1000])  # within a shard, over shards, over epochs
@pytest.mark.parametrize("stop", [0, 1, 7, 15, 16, 23])
def test_a_resumed_run_draws_what_an_undisturbed_one_draws(
    paired: Path, monkeypatch: pytest.MonkeyPatch, block: int, stop: int
) -> None:
    monkeypatch.setattr("data_shards.plain.lane.BLOCK_SAMPLES", block)
    data = PlainData(str(paired), {})
    with stream(data) as reader:
        undisturbed = drawn(reader, range(40))
    with stream(data, prefetch=3) as reader:  # what is ready but was not read is no part of the state
        before = drawn(reader, range(stop))
        states = json.loads(json.dumps([reader.state()]))
    after: list[list[list[int]]] = []
    for rank in range(2):  # on two workers instead of one
        with stream(PlainData(str(paired), {}), hosted=[rank], prefetch=rank) as mine:
            mine.restore(states)
            after.append(drawn(mine, range(stop, 40), replicas=range(rank, rank + 1)))
    assert before + [batch for both in zip(*after, strict=True) for batch in both] == undisturbed
    with stream(data) as again:  # and back from the states of two
        again.restore([{"lanes": [row]} for row in states[0]["lanes"]])
        assert drawn(again, range(stop, 40)) == undisturbed[2 * stop :]


def test_a_jump_is_refused(paired: Path) -> None:
    with stream(PlainData(str(paired), {}), prefetch=1) as reader:
        reader.read("ab", 0, 0)
        with pytest.raises(RuntimeError) as caught:
            reader.read("ab", 2, 0)
        assert str(caught.value) == (
            "source ab, replica 0: draw 2 was asked for, and 1 is next; without a manifest, samples can be drawn only in order"
        )
        with pytest.raises(RuntimeError, match="draw 0 was asked for, and 1 is next"):
            reader.read("ab", 0, 0)
        reader.read("ab", 1, 0)
        with pytest.raises(DataError, match=r"^unknown source 'ac'; has: ab$"):
            reader.read("ac", 0, 0)
        with pytest.raises(RuntimeError, match="how many samples source ab has is unknown without a manifest"):
            reader.size("ab")


def test_named_shards_validate(paired: Path) -> None:
    data = PlainData(str(paired), {})
    assert look(data, DOMAINS, paired=True).shapes == {"a": (3, SIDE, SIDE), "b": (3, SIDE, SIDE)}
    assert held_back(data, DOMAINS, paired=True) == ({"a": None, "b": None}, True)
    kept = PlainValidation(data, domains=DOMAINS, paired=False, channels={"a": 3, "b": 1}, image=4, limit=5)
    assert kept.truth and kept.keys("a") == kept.keys("b")
    assert numbers(np.stack([kept.read("a", key) for key in kept.keys("a")]), "a") == [60, 61, 62, 63, 64]
    assert kept.read("b", kept.keys("b")[0]).shape == (4, 4, 1)


def test_without_such_shards_a_tenth_of_the_keys_validates_and_is_never_trained_on(unpaired: Path) -> None:
    data = PlainData(str(unpaired), PATTERNS)
    assert held_back(data, DOMAINS, paired=False) == ({"a": None, "b": None}, False)
    kept = PlainValidation(data, domains=DOMAINS, paired=False, channels={"a": 3, "b": 3}, image=SIDE, limit=128)
    assert not kept.truth
    held = {d: set(numbers(np.stack([kept.read(d, key) for key in kept.keys(d)]), d)) for d in "a"}
    with stream(data, **UNPAIRED) as reader:
        trained = set(flat(drawn(reader, range(40), "a")))
    assert 0 < len(held["a"]) < 20
    assert trained == set(range(60)) - held["a"]


def test_the_identity_is_the_listing_and_the_patterns(paired: Path, tmp_path: Path) -> None:
    data = PlainData(str(paired), {})
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in paired.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "notes.txt").write_text("no shard")
    assert PlainData(str(copy), {}).sha256 == data.sha256
    assert PlainData(str(copy), {"a": "png"}).sha256 != data.sha256
    (copy / "val-001.tar").rename(copy / "val-002.tar")
    assert PlainData(str(copy), {}).sha256 != data.sha256


def test_s3_gives_what_the_folder_gives(
    paired: Path, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("data_shards.plain.look.BEGINNING", 20_000)
    store = open_store(bucket)
    for file in sorted(paired.iterdir()):
        store.upload(file.name, file)
    data, local = PlainData(bucket, {}), PlainData(str(paired), {})
    before = COUNTS.snapshot()["bytes"]
    assert look(data, DOMAINS, paired=True) == look(local, DOMAINS, paired=True)
    assert COUNTS.snapshot()["bytes"] == before + 20_000, "the beginning of one shard tells"
    fixed = [
        PlainValidation(d, domains=DOMAINS, paired=True, channels={"a": 3, "b": 3}, image=SIDE, limit=6)
        for d in (data, local)
    ]
    assert fixed[0].keys("a") == fixed[1].keys("a")
    with stream(local) as reader:
        expected = drawn(reader, range(20))
    for workers in (1, 2):
        got: list[list[list[int]]] = []
        for rank in range(workers):
            mine = range(rank * 2 // workers, (rank + 1) * 2 // workers)
            with stream(data, hosted=mine, prefetch=2) as reader:
                got.append(drawn(reader, range(20), replicas=mine))
        assert (got[0] if workers == 1 else [b for both in zip(*got, strict=True) for b in both]) == expected
    assert not list(tmp_path.iterdir())
    shard = paired / "train-003.tar"
    store.write("train-003.tar", shard.read_bytes()[: 7 * 1024])
    with stream(data) as reader, pytest.raises(DataError, match=r"train-003\.tar"):  # another version than was listed
        drawn(reader, range(40))
    with stream(PlainData(bucket, {})) as reader, pytest.raises(DataError) as caught:
        drawn(reader, range(40))
    assert "train-003.tar is cut off: it ends at byte 7,168" in str(caught.value)


def test_a_lane_reads_its_shards_in_turn(paired: Path) -> None:
    data = PlainData(str(paired), {})
    lanes = [Lane(data, "ab", DOMAINS, lane, 4, 0, lambda name: Future(), Place()) for lane in range(4)]
    sequence = [lane.shard(number) for number in range(6) for lane in lanes]
    for epoch in range(4):
        assert sorted(sequence[6 * epoch : 6 * epoch + 6]) == [f"train-{i:03d}.tar" for i in range(6)]


def test_a_domain_is_in_colour_where_one_of_its_first_pictures_is(tmp_path: Path) -> None:
    grey = io.BytesIO()
    Image.new("L", (9, 5)).save(grey, "PNG")
    samples = [{"__key__": str(i), "a.png": grey.getvalue(), "b.png": grey.getvalue()} for i in range(3)]
    samples[0]["b.png"] = b"no picture"
    samples[2]["b.png"] = picture("b", 0)
    found = look(PlainData(str(write(tmp_path, "x-%d.tar", samples, 9)), {}), DOMAINS, paired=True)
    assert found.shapes == {"a": (1, 5, 9), "b": (3, 5, 9)}
    assert found.complete
