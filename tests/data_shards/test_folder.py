import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_shards.build.folder import build_folder
from data_shards.build.picture import keep
from data_shards.decode import decode
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from tests.data_shards.showing import shown


def made(source: Path, **options) -> Manifest:
    return Manifest.open(build_folder(str(source.parent / "shards"), source=str(source), **options).uri)


def every(manifest: Manifest, domain: str) -> list[str]:
    return sorted(manifest.keys(domain, "train") + manifest.keys(domain, "validation"))


def test_two_folders_unpaired_never_make_pairs(tmp_path: Path, paint) -> None:
    for i in range(10):
        paint(tmp_path / "s/a" / f"{i}.png", seed=i)
        paint(tmp_path / "s/B" / f"{i}.png", seed=100 + i)
    manifest = made(tmp_path / "s")
    assert every(manifest, "a") == [f"a-{i}" for i in range(10)]
    assert every(manifest, "b") == [f"b-{i}" for i in range(10)]
    assert manifest.pairs("train") == []
    assert manifest.domains["a"].validation > 0
    assert sorted(manifest.shards) == [f"{s}-{d}-000000.tar" for s in ("train", "validation") for d in "ab"]


def test_two_folders_paired_by_name(tmp_path: Path, paint) -> None:
    pixels = [paint(tmp_path / f"s/a/{i}.png", seed=i) for i in range(4)]
    for i in range(4):
        paint(tmp_path / f"s/b/{i}.bmp", seed=100 + i)
    manifest = made(tmp_path / "s", paired=True)
    assert every(manifest, "a") == every(manifest, "b") == ["0", "1", "2", "3"]
    assert all(np.array_equal(shown(manifest, "a", str(i), 12), pixels[i]) for i in range(4))


def test_train_and_test_folders_and_a_picture_in_both(tmp_path: Path, paint) -> None:
    for name, first, count in (("trainA", 0, 6), ("trainB", 50, 5), ("testA", 100, 2), ("testB", 150, 3)):
        for i in range(count):
            paint(tmp_path / "s" / name / f"{i}.png", seed=first + i)
    paint(tmp_path / "s/trainA/leak.png", seed=150)  # what testB/0.png shows
    manifest = made(tmp_path / "s")
    a, b = manifest.domains["a"], manifest.domains["b"]
    assert (a.train, a.validation, b.train, b.validation) == (6, 2, 5, 3)
    assert manifest.keys("b", "validation") == ["validation-b-0", "validation-b-1", "validation-b-2"]
    note = "dropped 1 training samples that show a picture of the validation side: train-a-leak"
    assert manifest.head.notes == (note,)


def test_side_by_side(tmp_path: Path, paint) -> None:
    wide = {f"{side}/{i}": paint(tmp_path / f"s/{side}/{i}.png", seed=n, size=(24, 12))
            for n, (side, i) in enumerate([("train", 0), ("train", 1), ("val", 0)])}  # fmt: skip
    manifest = made(tmp_path / "s", layout="side-by-side")
    assert manifest.pairs("train") == ["train-0", "train-1"]
    assert manifest.pairs("validation") == ["val-0"]
    for name, pixels in wide.items():
        key = name.replace("/", "-")
        assert np.array_equal(
            np.concatenate([shown(manifest, "a", key, 12), shown(manifest, "b", key, 12)], axis=1), pixels
        )


def test_equal_pictures_stay_together_whatever_their_names(tmp_path: Path, paint) -> None:
    for i in range(30):
        paint(tmp_path / f"s/a/{i}.png", seed=i // 3)  # every picture three times
        paint(tmp_path / f"s/b/{i}.png", seed=1000 + i)
    manifest = made(tmp_path / "s", paired=True, validation=0.4)
    sides = [manifest.row("a", str(i)).split for i in range(30)]
    assert all(len(set(sides[i : i + 3])) == 1 for i in range(0, 30, 3))
    assert set(sides) == {"train", "validation"}


def test_without_a_size_files_are_kept_and_with_one_they_are_squared(tmp_path: Path, paint) -> None:
    for i in range(3):
        for domain in "ab":
            paint(tmp_path / f"s/{domain}/{i}.jpg", seed=10 * i + (domain == "b"), size=(20, 16))
    kept = made(tmp_path / "s")
    row = kept.row("a", "a-1")
    assert kept.store.read_range(row.shard, row.offset, row.size) == (tmp_path / "s/a/1.jpg").read_bytes()
    assert (kept.domains["a"].width, kept.domains["a"].height) == (20, 16)
    squared = Manifest.open(build_folder(str(tmp_path / "squared"), source=str(tmp_path / "s"), size=8).uri)
    assert (squared.domains["a"].width, squared.domains["a"].height) == (8, 8)


def test_grey_pictures_have_one_channel_only_if_all_are_grey(tmp_path: Path, paint) -> None:
    for i in range(3):
        paint(tmp_path / f"s/a/{i}.png", seed=i, channels=1)
        paint(tmp_path / f"s/b/{i}.png", seed=9 + i, channels=1 if i else 3)
    manifest = made(tmp_path / "s")
    assert (manifest.domains["a"].channels, manifest.domains["b"].channels) == (1, 3)
    assert shown(manifest, "b", "b-1", 12).shape == (12, 12, 3)


def test_labels(tmp_path: Path, paint) -> None:
    for i in range(3):
        paint(tmp_path / f"s/a/{i}.png", seed=i)
        paint(tmp_path / f"s/b/x{i}.png", seed=9 + i)
    (tmp_path / "s/labels.csv").write_text("file,class,text\na/0.png,cat,a cat\nx1.png,dog,\n")
    manifest = made(tmp_path / "s")
    assert (manifest.row("a", "a-0").cls, manifest.row("a", "a-0").text) == ("cat", "a cat")
    assert (manifest.row("b", "b-x1").cls, manifest.row("b", "b-x1").text) == ("dog", None)
    assert manifest.row("a", "a-1").cls is None
    assert manifest.head.notes == ("4 of 6 samples are not in labels.csv and have no class",)


def test_odd_names_become_plain_and_distinct_keys(tmp_path: Path, paint) -> None:
    for seed, name in enumerate(["a photo.v1", "a photo.v2", "caf\u00e9", "n" * 150]):
        paint(tmp_path / f"s/a/{name}.png", seed=seed)
        paint(tmp_path / f"s/b/{name}.png", seed=99 + seed)
    manifest = made(tmp_path / "s", paired=True)
    assert len(every(manifest, "a")) == 4
    assert all(key.isascii() and "." not in key and len(key) < 80 for key in every(manifest, "a"))


@pytest.mark.parametrize(
    ("files", "options", "error"),
    [
        (["x/0.png"], {}, "has neither folders a and b nor trainA and trainB; .* give the layout side-by-side"),
        (["a/0.png", "b/0.png"], {"layout": "folder"}, "unknown layout 'folder'; nearest: folders; has: auto, folders"),
        (["a/0.png", "c/0.png"], {"layout": "folders"}, "has no folder b; has: a, c"),
        (["trainA/0.png", "trainB/0.png", "testA/0.png"], {}, "has no folder testB; nearest: testA"),
        (["a/0.txt", "b/0.txt"], {}, "holds no pictures for the layout folders"),
        (
            ["a/0.png", "a/1.png", "b/0.png"],
            {"paired": True},
            "1 of 2 pictures in .*a have no partner of that name: 1.png",
        ),
        (["a/0.png", "a/0.jpg", "b/0.png"], {}, "0.jpg and 0.png differ only in their ending; rename one"),
        (
            ["0.png"],
            {"layout": "side-by-side"},
            "0.png is 13 pixels wide: two pictures side by side need an even number",
        ),
        (["a/0.png", "b/0.png"], {"size": 2}, r"a size of 2 pixels is not in 8\.\.4096"),
    ],
)
def test_folders_that_cannot_be_read_so(tmp_path: Path, paint, files, options, error) -> None:
    for seed, file in enumerate(files):
        if file.endswith(".txt"):
            (tmp_path / "s" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "s" / file).write_text("words")
        else:
            paint(tmp_path / "s" / file, seed=seed, size=(13, 12))
    with pytest.raises(DataError, match=error):
        made(tmp_path / "s", **options)
    assert not (tmp_path / "shards").exists()


def test_broken_and_unequal_pictures_are_named(tmp_path: Path, paint) -> None:
    paint(tmp_path / "s/a/0.png", seed=0)
    paint(tmp_path / "s/b/0.png", seed=1)
    whole = (tmp_path / "s/a/0.png").read_bytes()
    (tmp_path / "s/a/1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a/1\.png cannot be read as a picture"):
        made(tmp_path / "s")
    (tmp_path / "s/a/1.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"a/1\.png cannot be read as a picture"):
        made(tmp_path / "s")
    paint(tmp_path / "s/a/1.png", seed=2, size=(9, 9))
    with pytest.raises(DataError, match=r"domain a differ in size: 12x12 \(a-0\) and 9x9 \(a-1\); --size 9 brings all"):
        made(tmp_path / "s")


def test_the_first_picture_of_another_size_ends_the_build(tmp_path: Path, paint) -> None:
    for i in range(60):
        paint(tmp_path / f"s/a/{i:02d}.png", seed=i, size=(40, 30) if i != 3 else (20, 35))
        paint(tmp_path / f"s/b/{i:02d}.png", seed=100 + i)
    (tmp_path / "s/a/50.png").write_bytes((tmp_path / "s/a/50.png").read_bytes()[:200])
    told: list[int] = []
    with pytest.raises(DataError) as caught:
        made(tmp_path / "s", progress=lambda done, total: told.append(done))
    assert str(caught.value) == (
        "pictures of domain a differ in size: 40x30 (a-00) and 20x35 (a-03); --size 20 brings all to squares of 20 pixels"
    )
    assert max(told) == 3, "nothing after it was read"
    paint(tmp_path / "s/a/50.png", seed=50)
    assert made(tmp_path / "s", size=20).domains["a"].width == 20


def test_tiny_pictures_are_told_a_size_that_is_allowed(tmp_path: Path, paint) -> None:
    for i in range(2):
        paint(tmp_path / f"s/a/{i}.png", seed=i, size=(4 + i, 5))
        paint(tmp_path / f"s/b/{i}.png", seed=9 + i)
    with pytest.raises(DataError, match=r"4x5 \(a-0\) and 5x5 \(a-1\); --size 8 brings all to squares of 8 pixels"):
        made(tmp_path / "s")


def test_a_few_pictures_validate_in_both_folders(tmp_path: Path, paint) -> None:
    for seed in range(5):
        for i in range(4):
            for domain in "ab":
                paint(tmp_path / f"{seed}/s/{domain}/{i}.png", seed=100 * seed + 2 * i + (domain == "b"))
        manifest = made(tmp_path / f"{seed}/s")
        assert all(min(domain.train, domain.validation) > 0 for domain in manifest.domains.values())


def test_a_single_picture_cannot_be_on_both_sides_and_that_is_told(tmp_path: Path, paint) -> None:
    paint(tmp_path / "s/b/0.png", seed=77)
    for i in range(3):
        paint(tmp_path / f"s/a/{i}.png", seed=i)
    (note,) = made(tmp_path / "s").head.notes
    assert note.startswith("domain b has no ")
    assert note.endswith("so --validation cannot give it both sides")


@pytest.mark.parametrize(
    ("csv", "error"),
    [
        ("name,class\n", "has no column file; its first line must be file and one or more of class, text, "),
        ("file,class\n7.png,cat\n", "line 2: 7.png is not a picture here; nearest"),
        ("file,class\n0.png,cat\n", "line 2: 0.png names several pictures; give its path"),
        ("file,class\na/0.png,\n", "line 2: a/0.png has no class"),
        ("file,class\na/0.png,cat\nb/0.png,dog\n", "gives the two pictures of pair 0 different classes"),
    ],
)
def test_labels_that_cannot_be_right(tmp_path: Path, paint, csv: str, error: str) -> None:
    paint(tmp_path / "s/a/0.png", seed=0)
    paint(tmp_path / "s/b/0.png", seed=1)
    (tmp_path / "s/labels.csv").write_text(csv)
    with pytest.raises(DataError, match=error):
        made(tmp_path / "s", paired=True)


def saved(image: Image.Image, form: str, **options) -> bytes:
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def test_every_kind_of_picture_becomes_one_that_training_reads() -> None:
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert decode(keep(saved(clear, "PNG"), 3).data, 3, 8).min() == 255, "transparency becomes white"
    assert np.array_equal(decode(keep(saved(grey.convert("P"), "PNG"), 1).data, 1, 8)[:, :, 0], np.asarray(grey))
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    assert np.array_equal(decode(keep(saved(deep, "PNG"), 1).data, 1, 8)[:, :, 0], np.asarray(grey))
    turned = Image.Exif()
    turned[0x0112] = 6
    sideways = keep(saved(Image.new("RGB", (8, 4)), "JPEG", exif=turned), 3)
    assert (sideways.width, sideways.height, sideways.suffix) == (4, 8, "png")
    webp = keep(saved(grey.convert("RGB"), "WEBP", lossless=True), 3)
    assert webp.suffix == "webp"
    assert np.array_equal(decode(webp.data, 3, 8)[:, :, 0], np.asarray(grey))
    assert keep(saved(grey, "PNG"), 1).digest == keep(saved(grey.convert("RGB"), "PNG"), 3).digest
    jpeg = saved(grey.convert("RGB"), "JPEG", quality=95)
    assert np.array_equal(decode(jpeg, 3, 8), np.asarray(Image.open(io.BytesIO(jpeg)))), "the two decoders agree"
