"""Attributes on their way from labels.csv to a batch: any number for a picture, none, or not known."""

import tarfile
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest

from data_shards.attributes import Attributes
from data_shards.build.folder import build_folder
from data_shards.check.stat import statistics
from data_shards.errors import DataError
from data_shards.index.index import IndexRequest, index
from data_shards.manifest import FILE, Head, Manifest, Row, manifest_bytes
from data_shards.split import SPLITS
from data_shards.store import FolderStore
from data_shards.stream import Stream
from data_shards.validation import Validation
from tests.data_shards.conftest import SIDE, Paint
from tests.data_shards.showing import shown
from tests.data_shards.test_stream import damage

TOLD = ["old red", "", "red", "big old red", "big", "red old"]  # of the pictures 0, 1, ... of a; 6 and 7 have no line
SPELLED = ["old red", "", "red", "big old red", "big", "old red", None, None]
NAMES = ("big", "old", "red")
Make = Callable[..., Manifest]


@pytest.fixture
def make(tmp_path: Path, paint: Paint) -> Make:
    """make("file,attributes\\n..."): a data set of 8 pictures a domain, with this labels.csv."""
    for i in range(8):
        paint(tmp_path / "s/a" / f"{i}.png", seed=i)
        paint(tmp_path / "s/b" / f"x{i}.png", seed=50 + i)

    def made(csv: str | None = None, out: str = "shards", **options: Any) -> Manifest:
        if csv is not None:
            (tmp_path / "s/labels.csv").write_text(csv)
        return Manifest.open(build_folder(str(tmp_path / out), source=str(tmp_path / "s"), **options).uri)

    return made


@pytest.fixture
def told(make: Make) -> Manifest:
    """Unpaired pictures; those of b have no attributes that are known."""
    return make("file,attributes\n" + "".join(f"{i}.png,{text}\n" for i, text in enumerate(TOLD)), validation=0.25)


def has(*names: str) -> list[bool]:
    return [name in names for name in NAMES]


def test_attributes_are_kept_by_name(told: Manifest) -> None:
    assert told.head.attributes == told.attributes.names == NAMES
    assert [told.row("a", f"a-{i}").attributes for i in range(8)] == SPELLED
    assert told.row("a", "a-0").cls is None
    assert told.row("b", "b-x0").attributes is None
    assert told.head.notes == ("10 of 16 samples are not in labels.csv and have no attributes",)
    assert told.head.recipe["arguments"]["attributes"] is True


def test_they_stand_in_the_shards_as_text(told: Manifest) -> None:
    members: dict[str, bytes] = {}
    for name in told.shards:
        with tarfile.open(Path(told.uri) / name) as tar:
            members |= {member.name: tar.extractfile(member).read() for member in tar if member.name.endswith(".attrs")}  # type: ignore[union-attr]
    assert members == {f"a-{i}.attrs": text.encode() for i, text in enumerate(SPELLED) if text is not None}


def test_an_index_of_such_shards_knows_them(told: Manifest, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    for name in told.shards:
        (tmp_path / "theirs" / name).write_bytes((Path(told.uri) / name).read_bytes())
    index(IndexRequest(str(tmp_path / "theirs")))
    found = Manifest.open(str(tmp_path / "theirs"))
    assert found.head.attributes == NAMES
    assert [found.row("a", f"a-{i}").attributes for i in range(8)] == SPELLED


def test_classes_texts_and_attributes_go_together(make: Make) -> None:
    csv = "file,attributes,text,class\na/0.png,red,a cat,cat\nb/x0.png,,,dog\n"
    row = make(csv).row("a", "a-0")
    assert (row.cls, row.text, row.attributes) == ("cat", "a cat", "red")
    other = make().row("b", "b-x0")
    assert (other.cls, other.text, other.attributes) == ("dog", None, "")
    assert make().head.notes == ("14 of 16 samples are not in labels.csv and have no class and no attributes",)


def test_a_pair_has_what_is_told_of_either_side(make: Make, tmp_path: Path) -> None:
    for i in range(8):
        (tmp_path / "s/b" / f"x{i}.png").rename(tmp_path / "s/b" / f"{i}.png")
    pairs = make("file,attributes\na/0.png,red\nb/1.png,big old\na/2.png,\nb/2.png,\n", paired=True)
    for i, text in enumerate(("red", "big old", "")):
        assert {pairs.row(domain, str(i)).attributes for domain in "ab"} == {text}


def test_what_has_no_attributes_is_written_as_it_was(make: Make) -> None:
    """Neither the head nor the table knows the word, and the recipe does not either."""
    plain = make("file,class\na/0.png,cat\n", paired=False)
    assert "attributes" not in str(plain.head.record())
    assert "attributes" not in parquet.ParquetFile(f"{plain.uri}/{FILE}").schema_arrow.names
    assert plain.head.record()["format"] == 1
    assert plain.attributes.of(np.arange(3)).shape == (3, 0)


def test_a_batch_has_those_of_the_pictures_that_are_shown(told: Manifest) -> None:
    """... of the substitutes, too, where a sample cannot be read."""
    keys = told.keys("a")
    damage(Path(told.uri), "a", keys[0])
    of = {shown(told, "a", key, SIDE).tobytes(): told.row("a", key).attributes for key in keys[1:]}
    plain: dict[str, Any] = {"image": SIDE, "batch": 8, "replicas": 4, "seed": 0, "augment": None, "hosted": []}
    sources = {"a": ("a",), "b": ("b",)}
    with Stream(told, sources=sources, attributed={"a": "told"}, bad_samples=0.5, prefetch=0, **plain) as stream:
        for draw in range(6):
            for replica in range(4):
                batch = stream.read("a", draw, replica)
                assert batch["told"].dtype == np.bool_
                assert batch["told"].shape == (2, 3)
                texts = [of[picture.tobytes()] or "" for picture in batch["a"]]
                assert batch["told"].tolist() == [has(*text.split()) for text in texts]
        assert set(stream.read("b", 0, 0)) == {"b"}


def test_a_validation_picture_has_its_own(told: Manifest) -> None:
    for split in SPLITS:
        some = Validation(told, domains=("a", "b"), image=SIDE, limit=8, split=split)
        for key in some.keys("a"):
            assert some.attributes("a", key).tolist() == has(*(told.row("a", key).attributes or "").split())
        assert some.attributes("b", some.keys("b")[0]).tolist() == [False] * 3, "nobody told"


def test_the_training_pictures_that_have_one_are_counted(told: Manifest) -> None:
    training = [(told.row("a", key).attributes or "").split() for key in told.keys("a")]
    counts = {name: sum(name in names for names in training) for name in NAMES}
    found = statistics(told).attributes
    assert {count.name: count.pictures for count in found} == {name: {"a": counts[name], "b": 0} for name in NAMES}
    assert [count.total for count in found] == sorted(counts.values(), reverse=True)


ROWS = [
    Row("0.tar", 0, 9, f"{i}", "a", None, None, "train", 0, text)
    for i, text in enumerate(("x y", None, "", "y", "x y"))
]
HEAD = Head("toy", {"a": (3, 8, 8)}, {}, (), {}, attributes=("x", "y", "z"))


def test_a_manifest_keeps_each_set_once(tmp_path: Path) -> None:
    FolderStore(tmp_path).write(FILE, manifest_bytes(HEAD, ROWS))
    manifest = Manifest.open(str(tmp_path))
    assert manifest.head == HEAD
    assert [manifest.row_at(i) for i in range(5)] == ROWS
    assert sorted(manifest.attributes.sets) == ["", "x y", "y"]
    expected = [[True, True, False], [False] * 3, [False] * 3, [False, True, False], [True, True, False]]
    assert manifest.attributes.of(np.array([0, 1, 2, 3, 4])).tolist() == expected
    assert manifest.attributes.of(np.array([3, 0])).tolist() == [expected[3], expected[0]]


def test_an_older_reader_is_told_by_the_format() -> None:
    assert HEAD.record()["format"] == replace(HEAD, home="s3://bucket/x").record()["format"] == 3
    assert replace(HEAD, attributes=()).record()["format"] == 1


def test_a_name_that_the_head_does_not_know_is_damage(tmp_path: Path) -> None:
    FolderStore(tmp_path).write(FILE, manifest_bytes(replace(HEAD, attributes=("x",)), ROWS))
    with pytest.raises(DataError, match=r"manifest\.parquet is not a manifest \(damaged\?\); build the shards again"):
        Manifest.open(str(tmp_path))
    with pytest.raises(KeyError, match="y"):
        Attributes(("x",), ("x y",), np.zeros(1, np.int32))


@pytest.mark.parametrize(
    ("csv", "error"),
    [
        ("file,attributes\n0.png,red;old\n", ", line 2: 0.png has the attribute 'red;old'; put spaces between names, not ';'"),
        ('file,attributes\n0.png,"red,old"\n', ", line 2: 0.png has the attribute 'red,old'; put spaces between names, not ','"),
        ("file,attributes\n0.png,red|old\n", ", line 2: 0.png has the attribute 'red|old'; put spaces between names, not '|'"),
        ("file,attributes\n0.png,a red a\n", ", line 2: 0.png has the attribute a 2 times; keep one of them"),
        (
            "file,attributes\n0.png,red,old\n",
            ", line 2: 0.png has more cells than the first line has columns (2); quote a text with commas",
        ),
        (
            "file,class,attributes\n0.png,cat\n",
            ", line 2: 0.png has no cell of attributes; end the line with a comma where it has none",
        ),
        ("file,class,attributes\n0.png,,red\n", ", line 2: 0.png has no class; fill it in or drop the line"),
        (
            "file,attributes\n0.png,red\n0.png,old\n",
            ", line 3: 0.png has the attributes red in an earlier line; keep one of the two",
        ),
        (
            "file,attributes\n0.png,\n0.png,old\n",
            ", line 3: 0.png has the attributes none in an earlier line; keep one of the two",
        ),
        (
            "file,attributes\n0.png,\n1.png, \n",
            " has a column attributes in which no line names one; fill it in or drop the column",
        ),
        ("file,class,Attributes\n0.png,cat,red\n", " has a column 'Attributes', which is not read; nearest: attributes"),
        ("file,class,attribute\n0.png,cat,red\n", " has a column 'attribute', which is not read; nearest: attributes"),
        ("file,attributes,attributes\n0.png,red,old\n", " has 2 columns attributes; make one of them"),
        (
            "attributes\nred\n",
            " has no column file; its first line must be file and one or more of class, text, attributes",
        ),
        ("file;class\n0.png;cat\n", " has ';' between its columns; put commas there, as in file,class"),
        ("file\tclass\n0.png\tcat\n", " has '\\t' between its columns; put commas there, as in file,class"),
        ("file,Class\n0.png,cat\n", " has a column 'Class', which is not read; nearest: class"),
        ("file,class,txt\n0.png,cat,x\n", " has a column 'txt', which is not read; nearest: text"),
        (
            "file,class\na\\0.png,cat\n",
            ", line 2: a\\0.png is not a picture here; nearest: a/0.png; has: 0.png, a/0.png, 1.png, a/1.png, 2.png, a/2.png, "
            "3.png, a/3.png, 4.png, a/4.png, 5.png, a/5.png, ...; the parts of a path are joined by /",
        ),
        (
            "file,words\n0.png,red\n",
            " has no column class; its first line must be file and one or more of class, text, attributes",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_told(make: Make, tmp_path: Path, csv: str, error: str) -> None:
    with pytest.raises(DataError) as caught:
        make(csv)
    assert str(caught.value) == f"{tmp_path}/s/labels.csv{error}"
    assert not (tmp_path / "shards").exists()


def test_a_name_that_only_looks_like_a_files_is_told(make: Make, tmp_path: Path) -> None:
    (tmp_path / "s/a/0.png").rename(tmp_path / "s/a" / unicodedata.normalize("NFD", "é.png"))
    with pytest.raises(DataError) as caught:
        make(unicodedata.normalize("NFC", "file,class\né.png,cat\n"))
    assert str(caught.value) == (
        f"{tmp_path}/s/labels.csv, line 2: {unicodedata.normalize('NFC', 'é.png')} is not a picture here; "
        f"{unicodedata.normalize('NFD', 'é.png')} is, which looks the same: its accents are decomposed and those of this line are "
        "composed (Unicode)"
    )


def test_a_folder_is_no_table_of_labels(make: Make, tmp_path: Path) -> None:
    (tmp_path / "s/labels.csv").mkdir()
    with pytest.raises(DataError) as caught:
        make()
    assert str(caught.value) == (
        f"{tmp_path}/s/labels.csv is a folder, and should be a table; rename it if it is something else"
    )


def test_columns_that_nobody_reads_are_told(make: Make) -> None:
    made = make("file,class,author,year\n" + "".join(f"{i}.png,cat,me,1999\n" for i in range(8)))
    assert "columns of labels.csv that are not read: author, year" in made.head.notes


def test_a_pair_cannot_have_different_attributes(make: Make, tmp_path: Path) -> None:
    for i in range(8):
        (tmp_path / "s/b" / f"x{i}.png").rename(tmp_path / "s/b" / f"{i}.png")
    with pytest.raises(DataError) as caught:
        make("file,attributes\na/3.png,red\nb/3.png,\n", paired=True)
    assert str(caught.value) == "labels.csv gives the two pictures of pair 3 different attributes"
