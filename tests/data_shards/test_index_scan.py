"""The scanner of tar headers finds what tarfile finds, and does not stop in silence where tarfile does."""

import bz2
import gzip
import io
import os
import random
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from data_shards.errors import DataError
from data_shards.index.scan import scan
from tests.data_shards.tars import write_tar

FILES = {f"{i}.{extension}": os.urandom(size) for i, (extension, size) in
         enumerate([("png", 700), ("cls", 1), ("txt", 0), ("a.jpg", 512), ("json", 1024)])}  # fmt: skip


def by_tarfile(path: Path) -> list[tuple[str, int, int]]:
    with tarfile.open(path, "r:") as tar:
        return [(member.name, member.offset_data, member.size) for member in tar if member.isreg()]


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        scan(path, "SHARD")
    (line,) = str(caught.value).splitlines()
    return line


def joined(place: int, more: int) -> str:
    return (
        f"SHARD is damaged, or several tars joined, at byte {place:,}: zeros that end a tar are there, and more follows at "
        f"byte {more:,}; write it again"
    )


def header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    """A block with a right checksum, whatever else it says."""
    block = bytearray(512)
    block[: len(name)], block[124 : 124 + len(size)], block[156:157] = name, size, kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_of_every_length(tmp_path: Path, form: int) -> None:
    long = 250 if form == tarfile.USTAR_FORMAT else 5000
    names = [f"{'d' * 60}/{'n' * 90}.png", *("x" * n + ".png" for n in (1, 95, 96))]
    if form != tarfile.USTAR_FORMAT:
        names += ["y" * long + ".png", "\u00e9\u4e2d/" * 40 + "z.png"]
    path = write_tar(tmp_path / "x.tar", {name: name.encode() for name in names}, form)
    assert scan(path, "x") == by_tarfile(path)
    assert [member.name for member in scan(path, "x")] == names


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "for all"}) as tar:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.REGTYPE):
            info = tarfile.TarInfo(f"{'k' * 120}{kind.decode()}.png")
            info.type, info.linkname = kind, "t" * 150
            info.size = 3 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"abc"))
    assert scan(path, "x") == by_tarfile(path)
    assert len(scan(path, "x")) == 1


@pytest.mark.parametrize(
    "options", [["--format=gnu", "-V", "label"], ["--format=posix"], ["--format=v7"], ["--format=gnu", "-G"]]
)
def test_tars_of_gnu_tar(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "s/sub").mkdir(parents=True)
    for name, data in FILES.items():
        (tmp_path / "s/sub" / name).write_bytes(data)
    subprocess.run(["tar", "-cf", "x.tar", *options, "s"], cwd=tmp_path, check=True)
    assert scan(tmp_path / "x.tar", "x") == by_tarfile(tmp_path / "x.tar")
    assert len(scan(tmp_path / "x.tar", "x")) == len(FILES)


def test_sizes_that_octal_digits_do_not_hold(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", {"a.png": bytes(700), "b.png": b"b"})
    header = bytearray(path.read_bytes()[:512])
    header[124:136] = b"\x80" + (700).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(bytes(header) + path.read_bytes()[512:])
    assert scan(path, "x") == by_tarfile(path)


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_cut_anywhere_is_told_with_its_byte(tmp_path: Path, form: int) -> None:
    whole = write_tar(tmp_path / "x.tar", {**FILES, "n" * 150 + ".png": b"long"}, form).read_bytes()
    content = len(whole.rstrip(b"\0")) + 511 & ~511
    for cut in [*range(512, content + 1, 512), *random.Random(0).choices(range(512, content), k=50)]:
        (tmp_path / "cut.tar").write_bytes(whole[:cut])
        told = refused(tmp_path / "cut.tar")
        assert told.startswith(f"SHARD is cut off: it ends at byte {cut:,}, ")
        assert told.endswith("; copy it again")
    (tmp_path / "cut.tar").write_bytes(whole[: content + 512])
    assert refused(tmp_path / "cut.tar") == (
        f"SHARD is cut off: it ends at byte {content + 512:,}, with less than the 1,024 zeros that end a tar (append 512 "
        "zero bytes if nothing is missing); copy it again"
    )
    (tmp_path / "cut.tar").write_bytes(whole[: content + 1024])
    assert len(scan(tmp_path / "cut.tar", "x")) == len(FILES) + 1


def test_a_damaged_header_does_not_end_a_tar_in_silence(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", FILES)
    place = by_tarfile(path)[2][1] - 512
    damaged = bytearray(path.read_bytes())
    damaged[place + 130] ^= 1
    path.write_bytes(damaged)
    assert len(by_tarfile(path)) == 2, "tarfile takes it for the end"
    assert refused(path) == f"SHARD is damaged at byte {place:,}: no tar header is there; copy it again"


def test_a_header_of_zeros_does_not_end_a_tar_in_silence(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", FILES)
    place = by_tarfile(path)[3][1] - 512
    damaged = bytearray(path.read_bytes())
    damaged[place : place + 512] = bytes(512)
    path.write_bytes(damaged)
    assert len(by_tarfile(path)) == 3, "tarfile takes it for the end"
    assert refused(path) == joined(place, place + 512)


@pytest.mark.parametrize("strange", [False, True])
def test_what_follows_the_end_of_a_tar_is_refused(tmp_path: Path, strange: bool) -> None:
    path = write_tar(tmp_path / "x.tar", FILES)
    if strange:  # a kind of header that is left to tarfile
        path.write_bytes(header(b"volume", b"0", b"V") + path.read_bytes())
    whole, tail = path.read_bytes(), len(path.read_bytes().rstrip(b"\0")) + 511 & ~511
    assert len(scan(path, "x")) == len(FILES)
    path.write_bytes(whole + whole)
    assert refused(path) == joined(tail, len(whole))
    path.write_bytes(whole[:-1] + b"\1")
    assert refused(path) == joined(tail, len(whole) - 1)
    path.write_bytes(whole[:tail] + bytes(2 * 10_240))
    assert len(scan(path, "x")) == len(FILES)
    path.write_bytes(whole[:tail] + bytes(3 << 20))
    assert refused(path) == (
        f"SHARD may be cut short: from byte {tail:,} on it holds nothing but 3,145,728 zeros, as a download does that was "
        "not finished (at most 20,480 can end a tar here); copy it again"
    )


@pytest.mark.parametrize("size", [b"-1000", b"-777777777", b"0_0_1_0", b"0o17", b"+7", b"8", b"1 2", b"\xff" * 12])
@pytest.mark.parametrize("strange", [False, True])
def test_what_is_no_size_is_damage(tmp_path: Path, size: bytes, strange: bool) -> None:
    path = tmp_path / "x.tar"
    first = header(b"volume", b"0", b"V") if strange else header(b"1.png", b"1274") + bytes(1024)
    path.write_bytes(first + header(b"2.png", size) + bytes(1024))
    told = refused(path)
    assert told.startswith(f"SHARD is damaged at byte {len(first):,}: ")
    if strange and size in (b"8", b"1 2"):  # tarfile sees these itself
        assert told.endswith(": no tar header is there; copy it again")
    else:
        assert told.endswith(f": the tar header there gives the size {size.decode('latin-1')!r}; copy it again")


@pytest.mark.parametrize("size", ["-5", "1_0", "0x10", "\u0663", "9" * 5000])
def test_what_is_no_size_in_a_pax_header_is_damage(tmp_path: Path, size: str) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("1.png")
        info.pax_headers = {"size": size}
        tar.addfile(info)
    assert re.match(r"SHARD is damaged at byte [0-9,]+: the tar header there gives the size '", refused(path))


def test_links_are_named_to_whom_asks(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    long = "k" * 120 + ".png"
    path.write_bytes(
        header(b"1.png", b"0", b"1") + header(b"2.png", b"0", b"2") + header(b"d", b"0", b"5") + bytes(1024)
    )
    links: list[str] = []
    assert scan(path, "x", links) == []
    assert links == ["1.png", "2.png"]
    for strange in (b"", header(b"volume", b"0", b"V")):
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            info = tarfile.TarInfo(long)
            info.type, info.linkname = tarfile.LNKTYPE, "1.png"
            tar.addfile(info)
        path.write_bytes(strange + path.read_bytes())
        links = []
        assert scan(path, "x", links) == []
        assert links == [long]


def test_no_damage_leads_anywhere_but_to_an_error(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "x.tar", {**FILES, "n" * 150 + ".png": b"long"}).read_bytes()
    numbers = random.Random(1)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(numbers.randint(1, 4)):
            damaged[numbers.randrange(len(damaged))] = numbers.randrange(256)
        (tmp_path / "damaged.tar").write_bytes(damaged)
        try:
            found = scan(tmp_path / "damaged.tar", "SHARD")
        except DataError as error:
            assert str(error).startswith("SHARD ")
        else:
            assert all(m.offset >= 0 and m.offset + m.size <= len(whole) for m in found)


@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_sparse_files_are_refused(tmp_path: Path, form: str) -> None:
    with (tmp_path / "holes.png").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    subprocess.run(["tar", "-cSf", "x.tar", f"--format={form}", "holes.png"], cwd=tmp_path, check=True)
    told = "SHARD: holes.png is stored sparse, in pieces; make the tar again without --sparse"
    assert refused(tmp_path / "x.tar") == told


def test_what_is_no_tar_is_told(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", FILES)
    for pack, tool in ((gzip.compress, "gunzip"), (bz2.compress, "bunzip2")):
        (tmp_path / "packed.tar").write_bytes(pack(path.read_bytes()))
        told = f"SHARD is compressed: single samples cannot be read from it; unpack it with {tool}"
        assert refused(tmp_path / "packed.tar") == told
    (tmp_path / "noise.tar").write_bytes(random.Random(0).randbytes(2000))
    assert refused(tmp_path / "noise.tar") == "SHARD is no tar"
    (tmp_path / "short.tar").write_bytes(b"PNG")
    assert refused(tmp_path / "short.tar") == "SHARD is no tar: it holds 3 bytes"
    shutil.copy(__file__, tmp_path / "text.tar")
    assert refused(tmp_path / "text.tar") == "SHARD is no tar"
