"""Texts on their way from a folder to a batch: numbers for words, the same everywhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_shards.build.folder import build_folder
from data_shards.errors import DataError
from data_shards.manifest import FILE, Head, Manifest, Row, manifest_bytes
from data_shards.split import SPLITS
from data_shards.stream import Stream
from data_shards.texts import WORDS, encoded, words
from data_shards.validation import Validation
from tests.data_shards.conftest import SIDE, Paint
from tests.data_shards.showing import shown
from tests.data_shards.test_stream import damage

CAT = 2599905913221905311
TEXTS = [f"a {word} cat" for word in ("black", "white", "red", "old", "big", "wet", "mad", "sad")]


@pytest.fixture
def source(tmp_path: Path, paint: Paint) -> Path:
    """8 pictures a domain; of those of b there are texts, as files beside them."""
    for i, text in enumerate(TEXTS):
        paint(tmp_path / "s/a" / f"x{i}.png", seed=i)
        paint(tmp_path / "s/b" / f"{i}.png", seed=50 + i)
        (tmp_path / f"s/b/{i}.txt").write_text(f"{text}\n")
    return tmp_path / "s"


@pytest.fixture
def told(source: Path, tmp_path: Path) -> Manifest:
    """Its data set."""
    return Manifest.open(build_folder(str(tmp_path / "shards"), source=str(source), validation=0.25).uri)


def test_words_are_what_stands_between_spaces_and_punctuation() -> None:
    assert words("Man, medium-dark skin tone: O'Neill") == ["man", "medium", "dark", "skin", "tone", "o", "neill"]
    assert words("ﬁne CAFÉ cafe\u0301") == ["fine", "café", "café"], "one form of Unicode, one case"
    assert words("--- !") == []


def test_a_word_has_one_number_for_all_time() -> None:
    numbers = encoded(["cat", "a cat", "Cat!", None, "..."])
    assert numbers.dtype == np.int64
    assert numbers.shape == (5, WORDS)
    assert numbers[0, 0] == numbers[1, 1] == numbers[2, 0] == CAT
    assert (numbers[1, :2] > 0).all()
    assert numbers[1, 0] != numbers[1, 1]
    assert not numbers[3:].any()
    assert not numbers[0, 1:].any()


def test_of_a_long_text_the_first_words_are_read() -> None:
    told = [f"w{i}" for i in range(WORDS + 5)]
    assert (encoded([" ".join(told)]) == encoded([" ".join(told[:WORDS])])).all()
    assert len(set(encoded([" ".join(told)])[0].tolist())) == WORDS


def test_a_text_beside_a_picture_is_its_own(told: Manifest) -> None:
    assert [told.row("b", f"b-{i}").text for i in range(8)] == TEXTS
    assert told.row("a", "a-x0").text is None
    assert told.head.notes == ("8 of 16 samples have no text",)
    assert told.head.record()["format"] == 1


def test_other_texts_are_another_data_set(source: Path, told: Manifest, tmp_path: Path) -> None:
    (source / "b/0.txt").write_text("another")
    again = Manifest.open(build_folder(str(tmp_path / "again"), source=str(source), validation=0.25).uri)
    assert again.row("b", "b-0").text == "another"
    assert again.sha256 != told.sha256


def test_the_table_goes_before_the_file_and_needs_no_class(source: Path, tmp_path: Path) -> None:
    (source / "labels.csv").write_text("file,text\nb/0.png,of the table\nb/1.png,\n")
    made = Manifest.open(build_folder(str(tmp_path / "t"), source=str(source)).uri)
    assert [made.row("b", f"b-{i}").text for i in range(3)] == ["of the table", *TEXTS[1:3]]
    assert made.row("b", "b-0").cls is None
    assert made.head.notes == (
        "14 of 16 samples are not in labels.csv and have no text",
        "8 of 16 samples have no text",
    )


def test_a_text_that_is_none_is_left_out_or_refused(source: Path, tmp_path: Path) -> None:
    (source / "b/0.txt").write_text(" \n")
    assert Manifest.open(build_folder(str(tmp_path / "t"), source=str(source)).uri).row("b", "b-0").text is None
    (source / "b/1.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"s/b/1\.txt is not UTF-8 text; save it as UTF-8"):
        build_folder(str(tmp_path / "u"), source=str(source))


def test_a_batch_has_those_of_the_pictures_that_are_shown(told: Manifest) -> None:
    """... of the substitutes, too, where a sample cannot be read."""
    keys = told.keys("b")
    damage(Path(told.uri), "b", keys[0])
    of = {shown(told, "b", key, SIDE).tobytes(): told.row("b", key).text for key in keys[1:]}
    plain: dict[str, Any] = {"image": SIDE, "batch": 8, "replicas": 4, "seed": 0, "augment": None, "hosted": []}
    sources = {"a": ("a",), "b": ("b",)}
    with Stream(told, sources=sources, captioned={"b": "told"}, bad_samples=0.5, prefetch=0, **plain) as stream:
        for draw in range(4):
            for replica in range(4):
                batch = stream.read("b", draw, replica)
                assert (batch["told"] == encoded([of[picture.tobytes()] for picture in batch["b"]])).all()
        assert set(stream.read("a", 0, 0)) == {"a"}


def test_a_validation_picture_has_its_own(told: Manifest) -> None:
    for split in SPLITS:
        some = Validation(told, domains=("b",), image=SIDE, limit=8, split=split)
        for key in some.keys("b"):
            assert (some.text("b", key) == encoded([told.row("b", key).text])[0]).all()


def test_texts_are_found_by_row_whatever_the_order(tmp_path: Path) -> None:
    rows = [Row("0.tar", 0, 9, f"{i}", "b", None, text, "train", 0) for i, text in enumerate(("x", None, "z"))]
    (tmp_path / FILE).write_bytes(manifest_bytes(Head("toy", {"b": (3, 8, 8)}, {}, (), {}), rows))
    assert Manifest.open(str(tmp_path)).texts_of(np.array([2, 0, 1, 2])) == ["z", "x", None, "z"]
