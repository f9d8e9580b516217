"""A folder of photographs brought to a size: JPEGs stay JPEGs."""

import io
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageOps

from data_shards.build.folder import build_folder
from data_shards.decode import JPEG, decode, square
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from tests.data_shards.showing import shown, stored

TURN = 0x0112  # the EXIF tag of how a camera was held


def made(source: Path, **options) -> Manifest:
    return Manifest.open(build_folder(str(source.parent / "shards"), source=str(source), **options).uri)


def test_at_another_size_a_jpeg_stays_one_and_loses_little(tmp_path: Path, paint) -> None:
    colours = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)).resize((80, 60))
    turned = Image.Exif()
    turned[TURN] = 6
    files = [tmp_path / "s/a" / name for name in ("0.jpg", "1.jpg", "2.jpg", "3.webp", "4.png")]
    files[0].parent.mkdir(parents=True)
    colours.save(files[0], quality=95, subsampling=0)
    colours.save(files[1], quality=95, subsampling=0, exif=turned)
    colours.resize((48, 48)).save(files[2], quality=50)
    colours.save(files[3])
    colours.save(files[4])
    paint(tmp_path / "s/b/0.jpg", seed=9, size=(80, 60), channels=1)
    manifest = made(tmp_path / "s", size=48)
    kept = [stored(manifest, "a", f"a-{i}") for i in range(5)]
    assert kept[2] == files[2].read_bytes(), "it has the size already"
    off = []
    for file, data, form in zip(files, kept, ["JPEG", "JPEG", "JPEG", "PNG", "PNG"], strict=True):
        with Image.open(io.BytesIO(data)) as picture, Image.open(file) as source:
            assert (picture.format, picture.size, dict(picture.getexif())) == (form, (48, 48), {})
            wanted = np.asarray(square(ImageOps.exif_transpose(source).convert("RGB"), 48))
        off.append(np.abs(decode(data, 3, 48).astype(int) - wanted).mean())
    assert off[2:] == [0, 0, 0]
    assert all(0 < mean < 3 for mean in off[:2]), "of 256 levels"
    assert [simplejpeg.decode_jpeg_header(data)[3] for data in kept[:2]] == ["444", "444"]
    assert (manifest.domains["b"].channels, shown(manifest, "b", "b-0", 48).shape) == (1, (48, 48, 1))


def test_halves_of_a_jpeg_are_only_encoded_again_if_they_are_scaled(tmp_path: Path, paint) -> None:
    for side in ("train", "val"):
        paint(tmp_path / f"s/{side}/0.jpg", seed=len(side), size=(24, 12))
    manifest = made(tmp_path / "s", layout="side-by-side")
    with Image.open(tmp_path / "s/train/0.jpg") as source:
        assert np.array_equal(shown(manifest, "b", "train-0", 12), np.asarray(source)[:, 12:])
    scaled = build_folder(str(tmp_path / "scaled"), source=str(tmp_path / "s"), layout="side-by-side", size=8)
    assert stored(Manifest.open(scaled.uri), "b", "train-0").startswith(JPEG)


def test_the_encoding_is_part_of_the_recipe_where_there_are_jpegs(tmp_path: Path, paint) -> None:
    for i in range(3):
        for domain in "ab":
            paint(tmp_path / f"s/{domain}/{i}.png", seed=10 * i + (domain == "b"), size=(20, 16))
    plain = {"layout": "folders", "paired": False, "size": 8, "validation": 0.1}
    assert made(tmp_path / "s", size=8).head.recipe["arguments"] == plain
    Image.open(tmp_path / "s/b/2.png").save(tmp_path / "s/b/2.jpg")
    (tmp_path / "s/b/2.png").unlink()
    with pytest.raises(DataError, match="holds other shards: jpeg_quality unset there, 95 wanted"):
        made(tmp_path / "s", size=8)
