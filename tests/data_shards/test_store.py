"""What every store promises: the same assertions for a folder and for S3."""

import pickle
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from data_shards.errors import DataError
from data_shards.store import Entry, FolderStore, Store, named, open_store

BIG = 20 << 20  # bytes; more than goes in one request


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    return open_store(tmp_path / "new" if request.param == "folder" else request.getfixturevalue("bucket"))


def test_what_is_written_is_read(store: Store) -> None:
    store.write("deep/er/one", b"0123456789")
    store.write("deep/two", b"old")
    store.write("deep/two", b"new")
    store.write("empty", b"")
    assert store.read("deep/two") == b"new"
    assert store.read("empty") == b""
    assert store.read_range("deep/er/one", 3, 4) == b"3456"
    assert store.list() == ["deep/er/one", "deep/two", "empty"]
    assert store.list("deep/t") == ["deep/two"]
    assert store.list("deep/er/") == ["deep/er/one"]
    assert store.list("nothing/") == []
    sizes = {name: entry.size for name, entry in store.entries("deep").items()}
    assert sizes == {"deep/er/one": 10, "deep/two": 3}
    assert store.exists("deep/two")
    assert not store.exists("deep")
    store.delete("deep/two")
    store.delete("deep/two")
    assert store.list("deep/t") == []


def test_a_path_may_hold_any_letter(store: Store) -> None:
    names = ["a b+c%20d&e.txt", "hash#and?query", "日本/ü.png", "~tilde=1;2"]
    for name in names:
        store.write(name, name.encode())
    assert store.list() == sorted(names)
    assert [store.read(name).decode() for name in names] == names


def test_missing_and_short_content_is_an_oserror(store: Store, tmp_path: Path) -> None:
    store.write("one", b"0123")
    target = tmp_path / "target"
    for read in (store.read, lambda path: store.read_range(path, 0, 1), lambda path: store.download(path, target, 4)):
        with pytest.raises(FileNotFoundError, match="two"):
            read("two")
    for offset, there in ((2, 2), (4, 0), (9, 0)):
        with pytest.raises(OSError, match=f"one.* ends early: 4 bytes wanted at {offset}, {there} there"):
            store.read_range("one", offset, 4)


def test_files_come_back_as_they_went(store: Store, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for name, content in (("empty", b""), ("small", b"0123"), ("big", random.Random(0).randbytes(BIG))):
        source.write_bytes(content)
        entry = store.upload(f"files/{name}", source)
        assert store.entries("files/")[f"files/{name}"] == entry
        assert entry.size == len(content)
        target.write_bytes(b"what was there before")
        store.download(f"files/{name}", target, entry.size, entry.etag)
        assert target.read_bytes() == content
        assert store.read(f"files/{name}") == content


def test_large_content_is_written_whole(store: Store) -> None:
    content = random.Random(1).randbytes(BIG)
    store.write("big", content)
    assert store.read("big") == content
    assert store.read_range("big", BIG - 5, 5) == content[-5:]
    assert store.read_range("big", (8 << 20) - 3, 6) == content[(8 << 20) - 3 : (8 << 20) + 3]


@pytest.mark.parametrize("size", [3, 5, BIG])
def test_a_download_of_another_size_is_refused(store: Store, tmp_path: Path, size: int) -> None:
    store.write("one", b"0123")
    with pytest.raises(DataError, match=f"one.* holds 4 bytes where {size} are expected: .*index the data again"):
        store.download("one", tmp_path / "target", size)


def test_of_many_creators_one_wins(store: Store) -> None:
    start, won = threading.Barrier(16), []

    def create(i: int) -> None:
        start.wait()
        if store.create("lease", b"%d" % i * 1000):
            won.append(i)

    threads = [threading.Thread(target=create, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("lease") == b"%d" % won[0] * 1000
    assert store.list() == ["lease"]
    assert not store.create("lease", store.read("lease"))


def test_an_address_opens_the_same_store(store: Store) -> None:
    store.write("one", b"1")
    for again in (open_store(store.uri), pickle.loads(pickle.dumps(store))):
        assert (again.uri, again.remote, again.read("one")) == (store.uri, store.remote, b"1")


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "a/../../outside", ""])
def test_no_path_leaves_the_store(store: Store, path: str) -> None:
    for use in (store.read, store.exists, lambda path: store.write(path, b"")):
        with pytest.raises(DataError, match="is not a path inside"):
            use(path)


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.write("one", b"old")
    with pytest.raises(TypeError):
        store.write("one", "text, not bytes")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        store.upload("one", tmp_path / "missing")
    assert store.read("one") == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["one"]
    assert store.entries() == {"one": Entry(3, "")}


def test_a_folder_loads_no_library_for_s3(tmp_path: Path) -> None:
    code = (
        "import sys; from data_shards.store import open_store; open_store(sys.argv[1]).list();"
        "print([name for name in sys.modules if name.startswith(('boto', 'data_shards.s3.store'))])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_write_to_a_full_disk_says_where_it_was(tmp_path):
    with (
        pytest.raises(OSError, match="No space left") as error,
        named(tmp_path / "it"),
        open("/dev/full", "wb") as file,
    ):
        file.write(b"x")
        file.flush()
    assert str(tmp_path / "it") in str(error.value)
