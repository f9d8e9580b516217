"""Shards go both ways: plain webdataset reads what is written here, and what it writes is indexed here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset

from data_shards.check.verify import verify
from data_shards.index.index import IndexRequest, index
from data_shards.manifest import Manifest
from tests.data_shards.showing import shown, stored

# webdataset leaves the tar file to the garbage collector, which complains about it.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*FileIO:pytest.PytestUnraisableExceptionWarning")


def read(shards: list[str]) -> list[dict[str, Any]]:
    return list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False).decode("rgb8"))


def raw(shards: list[str]) -> list[dict[str, Any]]:
    return list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False))


def test_plain_webdataset_reads_our_shards(negatives: Manifest) -> None:
    shards = [f"{negatives.uri}/{name}" for name in negatives.shards if name.startswith("train")]
    samples = read(shards)
    assert sorted(sample["__key__"] for sample in samples) == negatives.pairs("train")
    for sample in samples:
        row = negatives.row("a", sample["__key__"])
        assert np.all(sample["a.png"] + sample["b.png"] == 255)
        assert negatives.head.classes[sample["cls"]] == row.cls
        assert sample["txt"] == row.text


def test_our_shards_can_be_indexed_again(negatives: Manifest, tmp_path: Path) -> None:
    manifest = Manifest.open(index(IndexRequest(negatives.uri, out=str(tmp_path))).uri)
    for split in ("train", "validation"):
        assert manifest.pairs(split) == negatives.pairs(split), "the shards' names tell the sides"
        for domain in "ab":
            for ours, theirs in zip(negatives.select(domain, split), manifest.select(domain, split), strict=True):
                one, other = negatives.row_at(ours), manifest.row_at(theirs)
                assert (one.shard, one.offset, one.size, one.crc32c) == (
                    other.shard,
                    other.offset,
                    other.size,
                    other.crc32c,
                )
                assert (negatives.head.classes[int(other.cls or "")], other.text) == (one.cls, one.text)


@pytest.mark.parametrize("form", ["USTAR_FORMAT", "PAX_FORMAT", "GNU_FORMAT"])
def test_shards_of_webdataset_are_indexed(tmp_path: Path, form: str) -> None:
    numbers = np.random.default_rng(0)
    long = "x" * (80 if form == "USTAR_FORMAT" else 400) + ("" if form == "USTAR_FORMAT" else "\u00e9\u4e2d")
    with webdataset.ShardWriter(f"{tmp_path}/set-%06d.tar", maxcount=4, verbose=0, format=form) as writer:
        for i in range(10):
            writer.write(
                {
                    "__key__": f"part.1/{long}{i}",
                    "left.png": numbers.integers(0, 256, (9, 7, 3), dtype=np.uint8),
                    "right.jpg": numbers.integers(0, 256, (8, 8, 3), dtype=np.uint8),
                    "cls": i % 2,
                    "txt": f"number {i}",
                    "json": {"label": "not this one", "more": [i]},
                    "npy": np.zeros(3),
                }
            )
    uri = index(IndexRequest(str(tmp_path), validation=0)).uri
    manifest = Manifest.open(uri)
    assert manifest.shard_names == [f"set-{n:06d}.tar" for n in range(3)]
    shards = [f"{uri}/{name}" for name in manifest.shard_names]
    samples = raw(shards)
    assert sorted(sample["__key__"] for sample in samples) == manifest.pairs()
    for sample, pixels in zip(samples, read(shards), strict=True):
        for domain, extension in (("left", "left.png"), ("right", "right.jpg")):
            assert stored(manifest, domain, sample["__key__"]) == sample[extension]
            row = manifest.row(domain, sample["__key__"])
            assert (row.cls, row.text) == (sample["cls"].decode(), sample["txt"].decode())
        assert np.array_equal(shown(manifest, "right", sample["__key__"], 8), pixels["right.jpg"])
    assert verify(uri, decode_too=True).good
