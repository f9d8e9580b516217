"""Shards of other people: what an index finds in them, and what it refuses to guess."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from data_shards.errors import DataError
from data_shards.index.index import IndexRequest, index
from data_shards.manifest import FILE, Manifest
from data_shards.store import open_store
from tests.data_shards.showing import shown, stored
from tests.data_shards.tars import picture, write_tar

Shards = Mapping[str, Mapping[str, bytes]]


def write(folder: Path, shards: Shards) -> str:
    for name, files in shards.items():
        write_tar(folder / name, files)
    return str(folder)


def made(folder: Path, shards: Shards, **request) -> Manifest:
    return Manifest.open(index(IndexRequest(write(folder, shards), **request)).uri)


def refused(uri: str, *, again: bool = False, **request) -> str:
    with pytest.raises(DataError) as caught:
        index(IndexRequest(uri, **request), again=again)
    (line,) = str(caught.value).splitlines()
    return line


def pictures(count: int, first: int = 0, extension: str = "png") -> dict[str, bytes]:
    return {f"{i:03d}.{extension}": picture(first + i, "JPEG" if "jp" in extension else "PNG") for i in range(count)}


def pairs(count: int, first: int = 0) -> dict[str, bytes]:
    """0000.a.png beside 0000.b.jpg, as WebDataset keeps samples together."""
    files: dict[str, bytes] = {}
    for i in range(first, first + count):
        files |= {
            f"{i:04d}.a.png": picture(i),
            f"{i:04d}.b.jpg": picture(9000 + i, "JPEG"),
            f"{i:04d}.cls": b"%d" % (i % 3),
        }
    return files


def test_extensions_tell_the_domains_and_everything_is_found(tmp_path: Path) -> None:
    shards = {"000.tar": pairs(20), "sub/001.tar": pairs(20, 20)}
    manifest = made(tmp_path / "set", shards, validation=0.25)
    assert manifest.name == "set"
    assert manifest.shard_names == ["000.tar", "sub/001.tar"]
    assert list(manifest.domains) == ["a", "b"]
    assert manifest.class_names == ["0", "1", "2"]
    assert len(manifest.pairs("train")) + len(manifest.pairs("validation")) == 40
    assert len(manifest.pairs("validation")) > 2
    for i in (0, 39):
        for domain, extension in (("a", "a.png"), ("b", "b.jpg")):
            row = manifest.row(domain, f"{i:04d}")
            assert stored(manifest, domain, f"{i:04d}") == shards[row.shard][f"{i:04d}.{extension}"]
            assert row.cls == str(i % 3)
    assert manifest.head.home == ""
    assert manifest.etags == {}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["a=edges.jpg", "b=jpg"], {"a": 6, "b": 6}),
        (["x=horses-*.tar:jpg", "y=zebras-*.tar:edges.jpg"], {"x": 3, "y": 3}),
        (["a=*.JPG", "a=zebras*:jpg"], "domain a has two pictures with the key 'z000', in zebras-000.tar and in zebras-000"
         ".tar; say which extension is the domain's, for example --domain a=edges.jpg"),
    ],
)  # fmt: skip
def test_patterns_tell_the_domains(tmp_path: Path, patterns: list[str], expected: dict[str, int] | str) -> None:
    shards = {
        f"{animal}-000.tar": {
            f"{animal[0]}{name}": data
            for extension in ("jpg", "edges.jpg")
            for name, data in pictures(3, ord(animal[0]), extension).items()
        }
        for animal in ("horses", "zebras")
    }
    if isinstance(expected, str):
        assert expected in refused(write(tmp_path, shards), domains=patterns)
    else:
        manifest = made(tmp_path, shards, domains=patterns, validation=0)
        assert {name: domain.train for name, domain in manifest.domains.items()} == expected


def test_shards_without_domains_are_told_with_a_command_that_works(tmp_path: Path) -> None:
    uri = write(tmp_path, {"horses-000.tar": pictures(3), "zebras-000.tar": pictures(3, 50)})
    assert refused(uri) == (
        f"{uri}: the names do not tell which domain a picture is of (extensions: png; shards: horses-*.tar, "
        f"zebras-*.tar); for example: i2i-cluster shards index {uri} --domain 'a=horses-*.tar' --domain 'b=zebras-*.tar'"
    )
    report = index(IndexRequest(uri, domains=("a=horses-*.tar", "b=zebras-*.tar")))
    assert report.pairs["train"] + report.pairs["validation"] == 0, "what counts from 0 twice is no pair"
    uri = write(tmp_path / "two", {"x-0.tar": pictures(2) | pictures(2, 5, "mask.png")})
    assert "--domain a=mask.png --domain b=png" in refused(uri)
    assert "--domain a=png" in refused(write(tmp_path / "one", {"x-0.tar": pictures(2)}))
    assert refused(uri, domains=("a=jpg",)).endswith(
        "no picture fits a --domain pattern; extensions found: mask.png, png"
    )
    assert refused(uri, domains=("a=y-*.tar",)) == f"{uri}: no shard's name fits a --domain pattern: a=y-*.tar"
    assert refused(uri, domains=("a",)).startswith("'a' is no domain pattern; write a=jpg, a=horses-*.tar or ")
    told = refused(uri, domains=("a=png", "b=x-*.tar:*"))
    assert told == "png in x-0.tar fits the patterns of the domains a and b; narrow one"


def test_names_of_shards_tell_the_sides(tmp_path: Path) -> None:
    shared = {"leak.a.png": picture(1000)}
    shards = {"train/0.tar": pairs(4) | shared, "other.tar": pairs(2, 50),
              "val/0.tar": pairs(3, 100) | {"copy.b.png": picture(1000)}, "set-test-1.tar": pairs(2, 200)}  # fmt: skip
    manifest = made(tmp_path, shards)
    assert [len(manifest.pairs(side)) for side in ("train", "validation")] == [6, 5]
    with pytest.raises(DataError, match="no picture 'leak'"):
        manifest.row("a", "leak")
    assert manifest.head.notes == (
        "sides are those that the shards' names tell",
        "dropped training pictures that the validation side has too: 1 (leak)",
    )


def test_where_no_shard_validates_equal_pictures_still_stay_on_one_side(tmp_path: Path) -> None:
    files = {
        f"{i:03d}.{domain}.png": picture(i // 4 if domain == "a" else 500 + i) for i in range(80) for domain in "ab"
    }
    names = list(files)
    shards = {f"train-{n}.tar": {name: files[name] for name in names[40 * n : 40 * n + 40]} for n in range(4)}
    manifest = made(tmp_path, shards, validation=0.4)
    assert len(manifest.pairs("validation")) > 8
    for split in ("train", "validation"):
        assert manifest.keys("a", split) == manifest.keys("b", split)
        seen = {int(key) // 4 for key in manifest.keys("a", split)}
        assert len(manifest.keys("a", split)) == 4 * len(seen)


def test_labels_come_from_cls_txt_and_json(tmp_path: Path) -> None:
    said = {
        "0.cls": b"7\n", "0.json": b'{"class": "nine", "caption": "from json"}',
        "1.json": b'{"label": 3, "text": "three"}', "1.txt": "caf\u00e9 ".encode(),
        "2.json": b'{"label": [1], "text": null}', "2.cls": b"\xff\xfe", "3.json": b"[" * 9999, "3.txt": b"",
        "4.json": b'{"class": true, "label": "\\ud800"}',
    }  # fmt: skip
    files = {f"{i}.a.png": picture(i) for i in range(5)} | said
    manifest = made(tmp_path, {"0.tar": files}, validation=0)
    told = [(row.cls, row.text) for row in (manifest.row("a", str(i)) for i in range(5))]
    assert told == [("7", "from json"), ("3", "caf\u00e9"), (None, None), (None, None), ("?", None)]


def test_sizes_and_colours_may_differ(tmp_path: Path) -> None:
    files = {"0.a.png": picture(0, size=(20, 12)), "1.a.jpg": picture(1, "JPEG", (9, 30), "L"),
             "0.b.webp": picture(2, "WEBP", (16, 8)), "1.b.png": picture(3, size=(16, 8), mode="L")}  # fmt: skip
    manifest = made(tmp_path, {"0.tar": files}, validation=0)
    assert manifest.head.shapes == {"a": (3, 9, 9), "b": (3, 16, 8)}
    assert manifest.head.notes == ("pictures of domain a differ in size, from 20x12 to 9x30",)
    assert shown(manifest, "a", "1", 6).shape == (6, 6, 3)


def test_what_is_no_picture_is_left_out_and_said(tmp_path: Path) -> None:
    deep = picture(7, mode="I;16")
    files = pairs(3) | {"bad.a.png": b"none", "worse.b.jpg": b"\xff\xd8\xff\xe0rest", "x.a.png": deep, "0.mp4": b"film"}
    uri = write(tmp_path, {"0.tar": files})
    told = refused(uri, strict=True)
    assert told == f"{uri}: 0.tar: bad.a.png (not a picture of a known kind, or damaged) cannot be read as a picture"
    report = index(IndexRequest(uri, validation=0))
    assert report.pictures["a"]["train"] == report.pictures["b"]["train"] == 3
    (note,) = report.notes
    assert note.startswith("left out, as they are no pictures that can be read: 3 (0.tar: bad.a.png (not a picture")
    assert "0.tar: x.a.png (more than 8 bits a channel; `shards build folder` brings such pictures to 8)" in note


def test_repeated_keys(tmp_path: Path) -> None:
    uri = write(tmp_path, {"0.tar": pairs(3), "1.tar": pairs(3)})
    assert refused(uri) == (
        f"{uri}: domain a has two pictures with the key '0000', in 0.tar and in 1.tar; "
        "--prefix-keys puts the shard's name before every key"
    )
    index(IndexRequest(uri, prefix_keys=True, validation=0))
    assert Manifest.open(uri).pairs("train") == [f"{shard}/{i:04d}" for shard in (0, 1) for i in range(3)]


def test_places_without_shards_are_told(tmp_path: Path) -> None:
    assert refused(str(tmp_path)) == f"{tmp_path} holds no shards (no file whose name ends in .tar)"
    assert refused(f"{tmp_path}/no") == f"{tmp_path}/no does not exist; give the folder that the shards are in"
    uri = write(tmp_path, {"0.tar": {"readme.md": b"words", "LICENSE": b"text"}})
    assert refused(f"{uri}/0.tar") == f"{uri}/0.tar is a file; give the folder that the shards are in"
    assert refused(uri) == f"{uri}: 0.tar holds no pictures (extensions: md); move it away or leave it out"
    write(tmp_path, {"0.tar": {"0.a.png": b"none"}})
    assert "none of its pictures can be read; the first is 0.a.png (not a picture" in refused(uri)
    write(tmp_path, {"0.tar": pairs(2), "1.tar": pairs(3, 7)})
    whole = (tmp_path / "1.tar").read_bytes()
    (tmp_path / "1.tar").write_bytes(whole[:1500])
    assert refused(uri).startswith(f"{uri}: 1.tar is cut off: it ends at byte 1,500, ")
    (tmp_path / "1.tar").rename(tmp_path / "1.tar.gz")
    assert refused(uri).startswith(f"{uri} has compressed shards (1.tar.gz): single samples cannot be read from them; ")
    assert not (tmp_path / FILE).exists()


def test_a_second_index_says_what_changed(tmp_path: Path) -> None:
    uri = write(tmp_path, {"0.tar": pairs(3), "1.tar": pairs(3, 10), "2.tar": pairs(3, 20)})
    first = index(IndexRequest(uri))
    assert not first.up_to_date
    again = index(IndexRequest(uri))
    assert (again.up_to_date, again.sha256) == (True, first.sha256)
    assert refused(uri, validation=0.3) == (
        f"{uri}/{FILE} was made otherwise: validation 0.1 there, 0.3 wanted; --again replaces it"
    )
    damaged = bytearray((tmp_path / "0.tar").read_bytes())
    damaged[len(damaged.rstrip(b"\0"))] = 1  # fills a block up: the same length, and the same pictures
    (tmp_path / "0.tar").write_bytes(damaged)
    shutil.move(tmp_path / "1.tar", tmp_path / "3.tar")
    assert refused(uri) == (
        f"{uri}/{FILE} is of other shards: changed 0.tar; new 3.tar; gone 1.tar. An index of those that are there is "
        f"another data set, and sweeps of this one (sha256 {first.sha256[:12]}) would not be continued with it; "
        "--again makes it"
    )
    assert Manifest.open(uri).sha256 == first.sha256
    third = index(IndexRequest(uri), again=True)
    assert third.sha256 != first.sha256
    assert Manifest.open(uri).shard_names == ["0.tar", "2.tar", "3.tar"]


def test_a_built_data_set_needs_no_index(negatives: Manifest) -> None:
    for again in (False, True):
        assert refused(negatives.uri, again=again).endswith(
            "was made with its shards, by `shards build`: it needs no index"
        )


def test_the_manifest_may_lie_elsewhere(tmp_path: Path) -> None:
    uri = write(tmp_path / "shards", {"0.tar": pairs(3)})
    report = index(IndexRequest(uri, out=str(tmp_path / "here"), name="mine", validation=0))
    manifest = Manifest.open(report.uri)
    assert (manifest.name, manifest.head.home, manifest.store.uri) == ("mine", uri, uri)
    assert not (tmp_path / "shards" / FILE).exists()
    assert stored(manifest, "a", "0001") == pairs(3)["0001.a.png"]
    assert index(IndexRequest(uri, out=str(tmp_path / "here"), name="mine", validation=0)).up_to_date
    shutil.copytree(tmp_path / "shards", tmp_path / "copy")
    told = refused(str(tmp_path / "copy"), out=str(tmp_path / "here"), name="mine", validation=0)
    assert told == f"{tmp_path}/here/{FILE} is of the shards at {uri}; --again replaces it"


def test_shards_in_an_object_store(bucket: str, tmp_path: Path) -> None:
    shards = {"0.tar": pairs(3), "sub dir/caf\u00e9.tar": pairs(3, 10)}
    local = made(tmp_path / "set", shards)
    store = open_store(bucket)
    for name in shards:
        store.upload(name, tmp_path / "set" / name)
    report = index(IndexRequest(bucket, name="set"))
    assert report.sha256 == local.sha256, "the same shards are the same data set, wherever they lie"
    manifest = Manifest.open(bucket)
    assert dict(manifest.etags) == {name: entry.etag for name, entry in store.entries().items() if name in shards}
    assert stored(manifest, "b", "0011") == shards["sub dir/caf\u00e9.tar"]["0011.b.jpg"]
    assert index(IndexRequest(bucket, name="set")).up_to_date
    content = (tmp_path / "set/0.tar").read_bytes().rstrip(b"\0")
    store.write("0.tar", content + b"\1" + bytes(store.entries()["0.tar"].size - len(content) - 1))
    assert "is of other shards: changed 0.tar. An index" in refused(bucket, name="set")
    elsewhere = Manifest.open(index(IndexRequest(bucket, out=str(tmp_path / "here"))).uri)
    assert elsewhere.store.uri == elsewhere.head.home == bucket
    assert stored(elsewhere, "a", "0002") == shards["0.tar"]["0002.a.png"]
    assert set(elsewhere.etags) == set(shards)
