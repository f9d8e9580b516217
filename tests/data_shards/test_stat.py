"""The numbers of a data set, and the sheet that shows it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_shards.build.folder import build_folder
from data_shards.build.openmoji import build_openmoji
from data_shards.build.openmoji_svg import LABELS
from data_shards.check.sheet import TILE, coloured, sheet_png
from data_shards.check.stat import statistics
from data_shards.errors import DataError
from data_shards.index.index import IndexRequest, index
from data_shards.manifest import Manifest
from tests.data_shards.showing import stored
from tests.data_shards.tars import picture, write_tar


def sheet(manifest: Manifest, samples: int = 36) -> np.ndarray:
    data = sheet_png(manifest, samples)
    assert data.startswith(b"\x89PNG")
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_the_numbers(negatives: Manifest) -> None:
    found = statistics(negatives)
    rows = [negatives.row("a", key) for key in negatives.pairs("train")]
    counts = {cls: sum(row.cls == cls for row in rows) for cls in ("even", "odd")}
    assert {count.name: count.pictures for count in found.balance} == {
        cls: {"a": count, "b": count} for cls, count in counts.items()
    }
    assert found.balance[0].total >= found.balance[1].total
    assert found.unlabelled == {"a": 0, "b": 0}
    sizes = [shard.bytes for shard in negatives.shards.values()]
    assert found.shard_bytes is not None
    assert (found.shard_bytes.least, found.shard_bytes.most) == (min(sizes), max(sizes))
    lengths = sorted(
        len(stored(negatives, "b", key)) for split in ("train", "validation") for key in negatives.pairs(split)
    )
    assert found.picture_bytes["b"].most == lengths[-1]
    assert found.pairs == {split: len(negatives.pairs(split)) for split in ("train", "validation")}


def test_pictures_without_a_class_are_counted(tmp_path: Path) -> None:
    write_tar(tmp_path / "0.tar", {"0.a.png": picture(0), "0.cls": b"x", "1.a.png": picture(1), "2.b.png": picture(2)})
    index(IndexRequest(str(tmp_path), validation=0))
    found = statistics(Manifest.open(str(tmp_path)))
    assert found.unlabelled == {"a": 1, "b": 1}
    assert [(count.name, count.pictures) for count in found.balance] == [("x", {"a": 1, "b": 0})]


def test_texts_are_counted_by_domain(tmp_path: Path) -> None:
    files = {"0.a.png": picture(0), "0.b.png": picture(5), "0.txt": b"zero", "1.a.png": picture(1), "1.txt": b"one"}
    write_tar(tmp_path / "0.tar", {**files, "2.b.png": picture(2)})
    index(IndexRequest(str(tmp_path), validation=0.5))
    assert statistics(Manifest.open(str(tmp_path))).texts == {"a": 2, "b": 1}


def test_domains_of_mixed_sizes_are_known(tmp_path: Path) -> None:
    sizes = {"0.a": (20, 12), "1.a": (9, 30), "0.b": (8, 8), "1.b": (8, 8)}
    write_tar(tmp_path / "0.tar", {f"{key}.png": picture(len(key), size=size) for key, size in sizes.items()})
    index(IndexRequest(str(tmp_path), validation=0))
    found = statistics(Manifest.open(str(tmp_path)))
    assert (found.shapes, found.differing) == ({"a": "9x9x3", "b": "8x8x3"}, ["a"])


def test_the_sheet_shows_pairs_side_by_side(negatives: Manifest) -> None:
    first = sheet(negatives, 1)
    left, right = first[32 : 32 + TILE, 12 : 12 + TILE], first[32 : 32 + TILE, 16 + TILE : 16 + 2 * TILE]
    assert np.abs(left.astype(int) + right - 255).max() <= 1, "noise and its negative"
    assert left.std() > 20
    assert np.array_equal(sheet(negatives, 9), sheet(negatives, 9))
    assert sheet(negatives, 40).shape[0] > sheet(negatives, 4).shape[0]
    with pytest.raises(DataError, match="a sheet of 0 samples shows nothing"):
        sheet_png(negatives, 0)


def test_domains_without_pairs_have_a_block_each(tmp_path: Path, paint) -> None:
    for i in range(5):
        paint(tmp_path / "s/a" / f"{i}.png", seed=i, channels=1)
        paint(tmp_path / "s/b" / f"\u4e2d{i}.png", seed=9 + i)
    manifest = Manifest.open(build_folder(str(tmp_path / "out"), source=str(tmp_path / "s")).uri)
    shown = sheet(manifest)
    assert shown.shape[0] > 2 * TILE
    grey = shown[32 : 32 + TILE, 12 : 12 + TILE]
    assert np.array_equal(grey[..., 0], grey[..., 2])
    assert grey.std() > 20


def test_the_sheet_colours_label_maps(tmp_path: Path) -> None:
    manifest = Manifest.open(build_openmoji(str(tmp_path / "out"), size=24, limit=20, labels=True).uri)
    shown = sheet(manifest, 6)
    tile = shown[32 : 32 + TILE, 12 + 2 * (TILE + 4) : 12 + 2 * (TILE + 4) + TILE].reshape(-1, 3)
    levels = np.array([[[round(255 * i / 4)] for i in range(5)]], np.uint8)
    colours = {tuple(colour) for colour in coloured(levels, len(LABELS))[0].tolist()}
    assert len(colours) == 5
    assert {tuple(colour) for colour in tile.tolist()} <= colours
    legend = shown[-28:].reshape(-1, 3).tolist()
    assert colours <= {tuple(colour) for colour in legend}


def test_a_damaged_picture_is_not_shown(tmp_path: Path, negatives: Manifest) -> None:
    uri = build_folder(
        str(tmp_path / "copy"), source=str(Path(negatives.uri).parent / "source"), paired=True, validation=0.25
    ).uri
    for name in negatives.shards:
        file = Path(uri) / name
        file.write_bytes(bytes(byte ^ 1 for byte in file.read_bytes()))
    with pytest.raises(OSError, match="is damaged; `i2i-cluster shards verify` tells what else is"):
        sheet_png(Manifest.open(uri))
