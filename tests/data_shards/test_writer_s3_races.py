"""Two builds at one s3 address at once: at most one data set, whole, and nothing of anybody else is lost."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from data_shards.build import writer
from data_shards.build.openmoji import build_openmoji
from data_shards.build.picture import silent
from data_shards.build.publish import MARKER, check_room, publish
from data_shards.check.verify import verify
from data_shards.errors import DataError
from data_shards.manifest import FILE, Manifest
from data_shards.manifest_file import ETAGS, etags_bytes
from data_shards.store import Entry, Store, open_store

Act = Callable[[], object]


@pytest.fixture(scope="module", name="ours")
def ours_fixture(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return made(tmp_path_factory.mktemp("ours") / "shards", 16)


@pytest.fixture(scope="module", name="theirs")
def theirs_fixture(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return made(tmp_path_factory.mktemp("theirs") / "shards", 8)


def made(folder: Path, size: int) -> Manifest:
    build_openmoji(str(folder), size=size, limit=30)
    return Manifest.open(str(folder))


def before(store: Store, method: str, name: str, act: Act) -> Store:
    """The store, where `act` happens directly before the first call of a method for an object."""
    original, waiting = getattr(store, method), [act]

    def called(path: str, *others: object) -> object:
        if path == name and waiting:
            waiting.pop()()
        return original(path, *others)

    setattr(store, method, called)
    return store


def put(store: Store, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        store.write(name, content)


def mark(store: Store) -> None:
    """What a build does that takes the place over."""
    store.write(MARKER, json.dumps({"build": "another"}).encode())


@pytest.mark.parametrize("size", [16, 8])
def test_a_data_set_that_was_finished_while_ours_was_made(
    bucket: str, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    store = open_store(bucket)
    there: dict[str, Entry] = {}

    def slow(store_: Store) -> list[str]:
        found = check_room(store_)
        monkeypatch.setattr(writer, "check_room", check_room)
        build_openmoji(bucket, size=16, limit=30)
        store.write("notes/README.txt", b"somebody's")
        store.write("train-ab-000077.tar", b"somebody's")
        there.update(store.entries())
        return found

    monkeypatch.setattr(writer, "check_room", slow)
    if size == 16:
        assert build_openmoji(bucket, size=size, limit=30).up_to_date
    else:
        with pytest.raises(
            DataError, match=r"was made by someone else in the meantime, of another data set \(openmoji"
        ):
            build_openmoji(bucket, size=size, limit=30)
    assert store.entries() == there
    assert verify(bucket).good


@pytest.mark.parametrize("name", ["notes/README.txt", "train-ab-000000.tar"])
def test_foreign_files_that_came_while_ours_was_made(bucket: str, ours: Manifest, name: str) -> None:
    store = open_store(bucket)
    store.write(name, b"somebody's")
    with pytest.raises(DataError, match="is not empty and holds no shards"):
        publish(ours, store, silent)
    assert store.list() == [name]
    assert store.read(name) == b"somebody's"


def test_foreign_files_that_come_during_the_upload_stay(bucket: str, ours: Manifest) -> None:
    store, other = open_store(bucket), open_store(bucket)
    names = ("a.txt", "train-ab-000099.tar", "train-ab-1.tar")
    assert publish(ours, before(store, "create", FILE, lambda: put(other, dict.fromkeys(names, b"somebody's"))), silent)
    assert store.list() == sorted([ETAGS, FILE, *names, *ours.shards])


def test_another_build_overwrote_a_shard_before_there_was_a_manifest(
    bucket: str, ours: Manifest, theirs: Manifest
) -> None:
    store, name = open_store(bucket), min(ours.shards)
    content = theirs.store.read(min(theirs.shards))

    def act(done: int, total: int) -> None:
        if done == total:
            store.write(name, content)

    with pytest.raises(DataError, match=rf"by two builds at once \({name} is not what was uploaded\); build again"):
        publish(ours, store, act)
    assert store.read(name) == content
    assert build_openmoji(bucket, size=16, limit=30).sha256 == ours.sha256
    assert verify(bucket).good


@pytest.mark.parametrize("method, path", [("write", ETAGS), ("create", FILE)])
def test_another_build_overwrote_a_shard_as_the_manifest_was_made(
    bucket: str, ours: Manifest, theirs: Manifest, method: str, path: str
) -> None:
    store, other, name = open_store(bucket), open_store(bucket), min(ours.shards)
    content = {ETAGS: etags_bytes(theirs.sha256, bucket, {}), name: theirs.store.read(min(theirs.shards))}
    with pytest.raises(DataError, match=r"by two builds at once .*; delete what is there and build again"):
        publish(ours, before(store, method, path, lambda: put(other, content)), silent)
    assert other.read(name) == content[name]
    with pytest.raises(DataError, match="two builds at once"):
        build_openmoji(bucket, size=16, limit=30)
    assert other.read(name) == content[name], "nothing hides it"


@pytest.mark.parametrize("method, path", [("upload", ""), ("write", ETAGS), ("create", FILE)])
def test_interleaved_builds_are_never_told_as_success(
    bucket: str, ours: Manifest, theirs: Manifest, method: str, path: str
) -> None:
    store, other = open_store(bucket), open_store(bucket)
    stopped = "is written to by another build too|made by someone else in the meantime|by two builds at once"
    publish_theirs: Act = lambda: publish(theirs, other, silent)  # noqa: E731
    with pytest.raises(DataError, match=stopped):
        publish(ours, before(store, method, path or min(ours.shards), publish_theirs), silent)
    assert Manifest.open(bucket).sha256 == theirs.sha256


def test_a_marker_that_changed_hands_stops_the_upload(bucket: str, ours: Manifest) -> None:
    for method, path in (("upload", max(ours.shards)), ("create", FILE)):
        store, other = open_store(bucket), open_store(bucket)
        with pytest.raises(DataError, match=r"another build too \(its unfinished\.json is not of this one any more\)"):
            publish(ours, before(store, method, path, lambda to=other: mark(to)), silent)  # type: ignore[misc]
        assert json.loads(other.read(MARKER)) == {"build": "another"}
    assert build_openmoji(bucket, size=16, limit=30).up_to_date, "the manifest and all shards were there"
    assert not open_store(bucket).exists(MARKER)


def test_two_that_begin_at_once(bucket: str, ours: Manifest) -> None:
    store, other = open_store(bucket), open_store(bucket)
    with pytest.raises(DataError, match="another build began there at the same time"):
        publish(ours, before(store, "create", MARKER, lambda: mark(other)), silent)
    assert store.list() == [MARKER]


def test_only_what_the_marker_lists_is_cleared(bucket: str, ours: Manifest) -> None:
    store = open_store(bucket)
    publish(ours, store, silent)
    store.write("train-ab-000009.tar", b"of a killed build")
    store.write("train-ab-000010.tar", b"somebody's")
    listed = ["train-ab-000009.tar", FILE, ETAGS, min(ours.shards), "x.txt", 3]
    store.write(MARKER, json.dumps({"leftovers": listed}).encode())
    assert not publish(ours, store, silent)
    assert store.list() == sorted([ETAGS, FILE, "train-ab-000010.tar", *ours.shards])
    for damaged in (b"[" * 200_000, b"[]", b'{"leftovers": 1}'):
        store.write(MARKER, damaged)
        assert not publish(ours, store, silent)
        assert not store.exists(MARKER)
