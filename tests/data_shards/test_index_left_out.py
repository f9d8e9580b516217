"""What an index leaves out and tells: links, pictures of 16 bits a channel, and files of other kinds called pictures."""

import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_shards.build.picture import keep
from data_shards.decode import decode, opened
from data_shards.errors import DataError
from data_shards.index.index import IndexRequest, index
from data_shards.index.shard import shape_of
from data_shards.manifest import Manifest
from tests.data_shards.tars import picture, write_tar

DEREFERENCE = "tar --dereference --hard-dereference writes files in their place"
DEEP = "more than 8 bits a channel; `shards build folder` brings such pictures to 8"


def pairs(count: int) -> dict[str, bytes]:
    return {f"{i}.{domain}.png": picture(2 * i + (domain == "b")) for i in range(count) for domain in "ab"}


def refused(uri: str, **request) -> str:
    with pytest.raises(DataError) as caught:
        index(IndexRequest(uri, validation=0, **request))
    return str(caught.value)


def add_links(path: Path, count: int) -> None:
    with tarfile.open(path, "a") as tar:
        for i in range(count):
            for domain, kind in (("a.png", tarfile.LNKTYPE), ("b.png", tarfile.SYMTYPE), ("txt", tarfile.SYMTYPE)):
                info = tarfile.TarInfo(f"link{i}.{domain}")
                info.type, info.linkname = kind, f"0.{domain}"
                tar.addfile(info)


def deep_png(colour: int, channels: int) -> bytes:
    """A PNG of 8 x 8 pixels with 16 bits a channel. colour: 0 grey, 2 RGB, 4 grey and 6 RGB with transparency."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + np.full((8, channels), 30000, ">u2").tobytes()) * 8)
    head = struct.pack(">IIBBBBB", 8, 8, 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_links_to_pictures_are_told(tmp_path: Path) -> None:
    add_links(write_tar(tmp_path / "0.tar", pairs(3)), 2)
    assert refused(str(tmp_path), strict=True) == (
        f"{tmp_path}: 0.tar: link0.a.png is a link, which holds no picture; {DEREFERENCE}"
    )
    report = index(IndexRequest(str(tmp_path), validation=0))
    assert report.pictures["a"]["train"] == report.pictures["b"]["train"] == 3
    assert list(report.notes) == [
        "left out, as they are links, which hold no picture: 4 (0.tar: link0.a.png, 0.tar: link0.b.png, 0.tar: "
        f"link1.a.png, ...); {DEREFERENCE}"
    ]


def test_a_shard_of_links_alone_is_refused(tmp_path: Path) -> None:
    add_links(write_tar(tmp_path / "0.tar", {"0.txt": b"words"}), 1)
    told = f"{tmp_path}: 0.tar: link0.a.png is a link, which holds no picture; {DEREFERENCE}"
    assert refused(str(tmp_path)) == told


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bits_a_channel_are_left_out_and_told(tmp_path: Path, colour: int, channels: int) -> None:
    write_tar(tmp_path / "0.tar", {**pairs(2), "deep.a.png": deep_png(colour, channels)})
    report = index(IndexRequest(str(tmp_path), validation=0))
    told = f"left out, as they are no pictures that can be read: 1 (0.tar: deep.a.png ({DEEP}))"
    assert list(report.notes) == [told]
    assert len(Manifest.open(report.uri).pairs("train")) == 2


def test_a_build_brings_16_bits_a_channel_to_8() -> None:
    kept = keep(deep_png(2, 3), 3)
    assert shape_of(kept.data) == (3, 8, 8)
    assert np.unique(decode(kept.data, 3, 8)).tolist() == [30000 >> 8]


@pytest.mark.parametrize("head", [b"P6 8 8 1023\n", b"P6 8 8 65535\n", b"P5 8 8 65535\n", b"P5 8 8 300\n"])
def test_16_bits_of_a_ppm(head: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        shape_of(head + bytes(384))
    assert str(caught.value) == DEEP


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP", "PPM", "TIFF", "GIF", "JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_8_bits_a_channel_of_every_kind(form: str, mode: str) -> None:
    data = picture(1, form, mode=mode)
    width_height = shape_of(data)[1:]
    assert width_height == (8, 8)
    assert decode(data, 3, 8).shape == (8, 8, 3)


def test_other_kinds_are_no_pictures_whatever_their_name(tmp_path: Path) -> None:
    icon = io.BytesIO()
    Image.new("RGB", (16, 16)).save(icon, "ICO")
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n"
    for data in (icon.getvalue(), script):
        with pytest.raises(ValueError) as caught, opened(io.BytesIO(data)):
            pass
        assert str(caught.value) == "not a picture of a known kind, or damaged"
    write_tar(tmp_path / "0.tar", {**pairs(2), "x.a.png": script, "y.b.png": icon.getvalue()})
    assert list(index(IndexRequest(str(tmp_path), validation=0)).notes) == [
        "left out, as they are no pictures that can be read: 2 (0.tar: x.a.png (not a picture of a known kind, or damaged), "
        "0.tar: y.b.png (not a picture of a known kind, or damaged))"
    ]
