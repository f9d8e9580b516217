"""Sources that are damaged or hostile: each is refused with one line that names the file, and nothing is built."""

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import pytest
from PIL import Image

from data_shards.build.folder import build_folder
from data_shards.decode import decode
from data_shards.errors import DataError
from data_shards.manifest import FILE, Head, Manifest, Row, manifest_bytes
from data_shards.store import local_folder


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be this large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.fixture
def source(tmp_path: Path, paint) -> Path:
    """Three pictures a side, unpaired."""
    for i in range(3):
        paint(tmp_path / "s/a" / f"{i}.png", seed=i)
        paint(tmp_path / "s/b" / f"{i}.png", seed=9 + i)
    return tmp_path / "s"


def refused(source: Path) -> str:
    """The line that refuses to build shards of `source`."""
    with pytest.raises(DataError) as caught:
        build_folder(str(source.parent / "out"), source=str(source))
    assert not (source.parent / "out").exists()
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_a_picture_that_claims_to_be_huge_is_refused(source: Path, side: int) -> None:
    (source / "a/1.png").write_bytes(bomb(side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refused(source) == f"{source}/a/1.png cannot be read as a picture: more than 89,478,485 pixels"
        with pytest.raises(ValueError, match="more than 89,478,485 pixels"):
            decode(bomb(side, side), 3, 8)
    sink = io.BytesIO()
    Image.new("L", (8, 8)).save(sink, "JPEG")
    size = struct.pack(">HH", 8, 8)
    with pytest.raises(ValueError, match="more than 89,478,485 pixels"):
        decode(sink.getvalue().replace(size, struct.pack(">HH", side, side), 1), 3, 8)


def test_no_python_object_is_named_for_a_broken_picture(source: Path) -> None:
    (source / "a/1.png").write_bytes(b"no picture")
    reason = "not a picture of a known kind, or damaged"
    assert refused(source) == f"{source}/a/1.png cannot be read as a picture: {reason}"
    with pytest.raises(ValueError, match=reason):
        decode(b"no picture", 3, 8)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("file,class\na/0.png,x\n".encode("utf-16"), " is not UTF-8 text; save it as UTF-8"),
        (
            b"file,class\na/0.png," + b"x" * 200_000,
            " cannot be read as a table: field larger than field limit (131072)",
        ),
        (b"class,file\nx\n", ", line 2:  is not a picture here; "),
        (
            b"file,class\na/0.png,x\na/0.png,y\n",
            ", line 3: a/0.png has the class x in an earlier line; keep one of the two",
        ),
    ],
)
def test_labels_that_cannot_be_read_are_told(source: Path, labels: bytes, told: str) -> None:
    (source / "labels.csv").write_bytes(labels)
    assert refused(source).startswith(f"{source}/labels.csv{told}")


def test_a_name_that_is_not_utf8_is_no_obstacle(source: Path) -> None:
    try:
        (source / "a/1.png").rename(os.fsdecode(os.fsencode(source / "a") + b"/caf\xe9.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    report = build_folder(str(source.parent / "out"), source=str(source))
    manifest = Manifest.open(report.uri)
    keys = manifest.keys("a", "train") + manifest.keys("a", "validation")
    assert len(keys) == 3
    assert any(key.startswith("a-caf-") for key in keys)


def test_a_side_without_pictures_is_told(source: Path) -> None:
    for file in (source / "b").iterdir():
        file.unlink()
    assert refused(source).startswith(f"{source}/b holds no pictures; read are .png, ")


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("a\0b", r"'a\\x00b' holds a zero byte; give the path of a folder"),
        ("file:///%00", r"'/\\x00' holds a zero byte"),
        ("a\ud800b", r"'a\\ud800b' holds half a character"),
        ("file://[bad", r"'file://\[bad' is no address \(Invalid IPv6 URL\); a local path is written file:///"),
        ("~nosuchperson/x", "'~nosuchperson/x' starts with the home folder of nobody here"),
    ],
)
def test_an_address_that_no_folder_has_is_told(uri: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        local_folder(uri)


def test_a_damaged_manifest_opens_whole_or_not_at_all(tmp_path: Path) -> None:
    rows = [
        Row("0.tar", 9 * i, 9, f"{i}", domain, "one", None, "train" if i < 20 else "validation", i)
        for domain in "ab"
        for i in range(24)
    ]
    whole = manifest_bytes(Head("toy", {"a": (3, 8, 8), "b": (3, 8, 8)}, {}, ("one",), {}), rows)
    refused = 0
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (tmp_path / FILE).write_bytes(damaged)
        try:
            manifest = Manifest.open(str(tmp_path))
        except DataError as error:
            refused += "is not a manifest (damaged?); build the shards again" in str(error)
            continue
        for domain in manifest.domains:
            assert all(manifest.row(domain, key).shard == "0.tar" for key in manifest.keys(domain))
    assert refused > 100
