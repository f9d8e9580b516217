"""What is wrong with shards that nobody has indexed is named, counted or refused, and never the end of an epoch."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from data_shards.counters import COUNTS
from data_shards.errors import DataError, TooManyBadSamples
from data_shards.plain.data import PlainData
from data_shards.plain.look import look
from data_shards.plain.validation import PlainValidation
from tests.data_shards.plain_world import (
    DOMAINS,
    SIDE,
    alone,
    animals,
    drawn,
    flat,
    pairs,
    picture,
    stream,
    write,
)


def test_a_bad_picture_is_passed_over_and_counted(tmp_path: Path) -> None:
    samples = pairs(60)
    samples[17]["b.png"] = samples[17]["b.png"][:60] + b"flipped" + samples[17]["b.png"][67:]
    write(tmp_path, "train-%03d.tar", samples, 10)
    write(tmp_path, "val-%03d.tar", pairs(1, 60), 10)
    before = COUNTS.snapshot()["samples_quarantined"]
    with stream(PlainData(str(tmp_path), {}), batch=2, replicas=1, hosted=[0]) as reader:
        seen = flat(drawn(reader, range(29), replicas=range(1)))
        assert len(set(seen)) == 58 and 17 not in seen
    assert COUNTS.snapshot()["samples_quarantined"] == before + 1
    with (
        stream(PlainData(str(tmp_path), {}), bad_samples=0.0) as strict,
        pytest.raises(TooManyBadSamples) as caught,
    ):
        drawn(strict, range(40))
    assert str(caught.value).startswith("1 of ")
    assert (
        " samples of ab cannot be read, data.bad_samples allows 0; the last one: train-001.tar: s0017 in domain b "
        in str(caught.value)
    )
    assert str(caught.value).endswith("allow more, or find them all with `i2i-cluster shards index`")


def test_shards_of_rubbish_alone_end_the_run(tmp_path: Path) -> None:
    rubbish = [{"__key__": f"{i}", "a.png": b"rubbish", "b.png": b"rubbish"} for i in range(30)]
    data = PlainData(str(write(tmp_path, "train-%03d.tar", rubbish, 10)), {})
    with (
        stream(data, bad_samples=1.0) as reader,
        pytest.raises(TooManyBadSamples, match="not one of 1,000 samples of source ab in a row can be decoded"),
    ):
        reader.read("ab", 0, 0)


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("cut", ["in a picture", "between two files", "in a header"])
def test_a_shard_that_is_cut_off_is_named(tmp_path: Path, prefetch: int, cut: str) -> None:
    write(tmp_path, "train-%03d.tar", pairs(20), 10)
    shard = tmp_path / "train-001.tar"
    with tarfile.open(shard) as tar:
        offset = tar.getmembers()[12].offset
    where = {"in a picture": offset + 600, "between two files": offset, "in a header": offset + 100}[cut]
    shard.write_bytes(shard.read_bytes()[:where])
    with stream(PlainData(str(tmp_path), {}), prefetch=prefetch) as reader, pytest.raises(DataError) as caught:
        drawn(reader, range(20))
    assert str(caught.value).startswith(f"{tmp_path}: train-001.tar is cut off: it ends at byte {where:,}")


def test_a_damaged_header_is_named(tmp_path: Path) -> None:
    write(tmp_path, "train-%03d.tar", pairs(20), 10)
    shard = tmp_path / "train-000.tar"
    with tarfile.open(shard) as tar:
        offset = tar.getmembers()[12].offset
    data = bytearray(shard.read_bytes())
    data[offset] ^= 1
    shard.write_bytes(data)
    with stream(PlainData(str(tmp_path), {})) as reader, pytest.raises(DataError) as caught:
        drawn(reader, range(20))
    assert str(caught.value).startswith(f"{tmp_path}: train-000.tar is damaged at byte {offset:,}")


def test_a_shard_that_does_not_end_where_its_zeros_begin_is_named(tmp_path: Path) -> None:
    write(tmp_path, "train-%03d.tar", pairs(20), 10)
    shard, told = tmp_path / "train-000.tar", f"{tmp_path}: train-000.tar"
    whole = shard.read_bytes()
    with tarfile.open(shard) as tar:
        offset = tar.getmembers()[12].offset
    cases = {
        f"{told} is damaged, or several tars joined, at byte {offset:,}: zeros that end a tar are there, and more follows "
        f"at byte {offset + 512:,}; write it again": whole[:offset] + bytes(512) + whole[offset + 512 :],
        f"{told} may be cut short: from byte {offset:,} on it holds nothing but 99,999 zeros, as a download does that was "
        "not finished (at most 20,480 can end a tar here); copy it again": whole[:offset] + bytes(99_999),
    }
    for text, data in cases.items():
        shard.write_bytes(data)
        with stream(PlainData(str(tmp_path), {})) as reader, pytest.raises(DataError) as caught:
            drawn(reader, range(20))
        assert str(caught.value) == text


def test_a_shard_that_changes_or_goes_is_named(tmp_path: Path) -> None:
    write(tmp_path, "train-%03d.tar", pairs(20), 10)
    data = PlainData(str(tmp_path), {})
    shard = tmp_path / "train-001.tar"
    whole = shard.read_bytes()
    shard.write_bytes(whole + bytes(512))
    with stream(data) as reader, pytest.raises(DataError) as caught:
        drawn(reader, range(20))
    told = f"{tmp_path}: train-001.tar"
    assert str(caught.value) == (
        f"{told} has {len(whole) + 512:,} bytes by now, and had {len(whole):,} when it was listed; submit again"
    )
    assert PlainData(str(tmp_path), {}).sha256 != data.sha256
    shard.unlink()
    with stream(data) as reader, pytest.raises(DataError) as caught:
        drawn(reader, range(20))
    assert str(caught.value) == f"{told} was there when the run began and is gone; restore it from a copy"


@pytest.mark.parametrize(
    ("samples", "patterns", "paired_", "text"),
    [
        (
            [{"__key__": "x", "a.png": b"", "b.png": b""}, {"__key__": "y", "a.png": b""}],
            {},
            True,
            "train-000.tar: y has domain a and not b: without a manifest, the pictures of a pair must be in one sample of "
            "one shard; `i2i-cluster shards index` joins them by key, wherever they are",
        ),
        (
            [{"__key__": "x", "png": b"", "jpg": b""}],
            {"a": "train-*.tar", "b": "png"},
            False,
            "png in train-000.tar fits the patterns of the domains a and b; narrow one",
        ),
        (
            [{"__key__": "x", "png": b"", "jpg": b""}],
            {"a": "train-*.tar"},
            False,
            "train-000.tar: x has two pictures of domain a, jpg and png; narrow its pattern, such as data.domains.a: "
            "'*.tar:png'",
        ),
    ],
)
def test_samples_that_make_no_sense_are_refused(
    tmp_path: Path, samples: Any, patterns: dict[str, str], paired_: bool, text: str
) -> None:
    data = PlainData(str(write(tmp_path, "train-%03d.tar", samples, 10)), patterns)
    with data.open("train-000.tar", None) as file, pytest.raises(DataError) as caught:
        list(data.samples("train-000.tar", file, DOMAINS, paired=paired_))
    assert str(caught.value).endswith(text)


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for _ in range(2):
            info = tarfile.TarInfo("one.a.png")
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
    data = PlainData(str(tmp_path), {})
    with data.open("x.tar", None) as file, pytest.raises(DataError) as caught:
        list(data.samples("x.tar", file, DOMAINS))
    assert str(caught.value) == f"{tmp_path}: x.tar: one.a.png: duplicate file name in tar file a.png"


def looked(folder: Path, patterns: dict[str, str], paired: bool = False) -> str:
    """What a first look says against this."""
    with pytest.raises(DataError) as caught:
        look(PlainData(str(folder), patterns), DOMAINS, paired=paired)
    return str(caught.value)


def test_what_is_no_data_set_is_said(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    unpaired = animals(tmp_path_factory.mktemp("unpaired"))
    assert looked(tmp_path / "x", {}) == f"{tmp_path}/x does not exist; give the folder that the shards are in"
    assert looked(tmp_path, {}) == f"{tmp_path} holds no shards (no file whose name ends in .tar)"
    (tmp_path / "x.tar.gz").touch()
    assert looked(tmp_path, {}).endswith("; unpack the compressed ones first, such as x.tar.gz")
    (tmp_path / "x.tar").write_bytes(b"nonsense")
    assert looked(tmp_path, {}) == f"{tmp_path}: x.tar is no tar: it holds 8 bytes"
    assert looked(unpaired, {}) == (
        f"{unpaired}: no pictures of domain a in horses-000.tar and 8 more shards (extensions found: jpg, png); name them "
        "like a.png, or say what they are with data.domains, such as {a: 'horses-*.tar'} or {a: jpg}"
    )
    assert looked(unpaired, {"a": "lions-*.tar"}) == (
        f"{unpaired}: no shard's name fits 'lions-*.tar'; there is horses-000.tar, horses-001.tar, horses-002.tar and 6 more"
    )
    assert looked(unpaired, {"a": "horses-*.tar", "bb": "jpg"}) == (
        f"{unpaired}: no pattern is given for domain b; nearest: bb; has: a, bb"
    )
    assert looked(unpaired, {"a": "horses-*.tar:webp", "b": "jpg"}) == (
        f"{unpaired}: no pictures of domain a in horses-000.tar and 8 more shards fit data.domains.a (extensions found: png)"
    )
    assert looked(unpaired, {"a": "horses-*", "b": "zebras-*.tar"}, paired=True) == (
        f"{unpaired}: horses-000.tar has domain a and not b: without a manifest, the pictures of a pair must be in one "
        "sample of one shard; `i2i-cluster shards index` joins them by key, wherever they are"
    )
    folder = write(tmp_path / "val", "val-%d.tar", pairs(3), 10)
    assert (
        looked(folder, {})
        == f"{folder}: by their names, all shards are for validation; there must be some for train too"
    )


def test_nothing_left_to_validate_or_to_train_on_is_said(tmp_path: Path) -> None:
    def fixed(data: PlainData) -> PlainValidation:
        return PlainValidation(data, domains=DOMAINS, paired=False, channels={"a": 3, "b": 3}, image=SIDE, limit=9)

    few = PlainData(str(write(tmp_path / "few", "x-%d.tar", pairs(1), 10)), {})
    with pytest.raises(DataError) as caught:
        fixed(few)
    assert str(caught.value) == (
        f"{few.uri}: no sample with a picture of domain a is left to validate with; name a shard for it, such as "
        "val-000.tar, or make a manifest with `i2i-cluster shards index`"
    )
    mixed = [*pairs(2), {"__key__": "z", "a.png": picture("a", 0)}]
    folder = write(tmp_path / "mixed", "val-%d.tar", mixed, 10)
    with pytest.raises(DataError, match="some validation samples have pictures of a and b and some of one alone"):
        fixed(PlainData(str(folder), {}))
    write(folder, "train-%d.tar", alone("x", 3), 10)
    with (
        stream(PlainData(str(folder), {})) as reader,
        pytest.raises(DataError, match=r"has no pairs to train on in 1 shards$"),
    ):
        reader.read("ab", 0, 0)
