import threading
from pathlib import Path

import pytest

from data_shards.errors import DataError
from data_shards.store import FolderStore, open_store


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "new")
    store.write("deep/er/one", b"0123456789")
    store.write("deep/two", b"old")
    store.write("deep/two", b"new")
    assert store.read("deep/two") == b"new"
    assert store.read_range("deep/er/one", 3, 4) == b"3456"
    assert store.list() == ["deep/er/one", "deep/two"]
    assert store.list("deep/t") == ["deep/two"]
    assert store.list("deep/er/") == ["deep/er/one"]
    assert store.exists("deep/two")
    assert not store.exists("deep")
    store.delete("deep/two")
    store.delete("deep/two")
    assert store.list("deep/t") == []


def test_missing_and_short_content_is_an_oserror(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.write("one", b"0123")
    with pytest.raises(FileNotFoundError):
        store.read("two")
    with pytest.raises(OSError, match="one ends early: 4 bytes wanted at 2, 2 there"):
        store.read_range("one", 2, 4)


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.write("one", b"old")
    with pytest.raises(TypeError):
        store.write("one", "text, not bytes")  # type: ignore[arg-type]
    assert store.read("one") == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["one"]


def test_of_many_creators_one_wins(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
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


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "a/../../outside", ""])
def test_no_path_leaves_the_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError, match="is not a path inside"):
        FolderStore(tmp_path).path(path)


def test_addresses(tmp_path: Path) -> None:
    assert open_store(f"file://{tmp_path}/with%20space").uri == f"{tmp_path}/with space"
    assert open_store(str(tmp_path)).uri == str(tmp_path)
    with pytest.raises(DataError, match="s3://b/k: no s3:// in this version, plain directories only"):
        open_store("s3://b/k")
    with pytest.raises(DataError, match="names another host, far"):
        open_store("file://far/k")
