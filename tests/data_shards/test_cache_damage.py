"""Wrong bytes, missing objects and cleared folders: what a cache does about them, and says."""

import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import FrameType

import pytest

from data_shards.cache.folder import CacheFolder
from data_shards.cache.shards import ShardCache
from data_shards.errors import DataError, Unreachable
from data_shards.store import open_store
from tests.data_shards.cache_world import SIZE, World, a_world, content, never, there, until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


def test_a_damaged_copy_is_downloaded_again_and_an_intact_one_is_not(world: World) -> None:
    cache = world.cache()
    before = cache.open("s0.tar")
    cache.discard("s0.tar")
    with cache.open("s0.tar") as held:
        assert held.fd == before.fd
    damaged = bytearray(world.original("s0.tar"))
    damaged[77] ^= 1
    world.file("s0.tar").write_bytes(damaged)
    cache.discard("s0.tar")
    with cache.open("s0.tar") as held:
        assert content(held) == world.original("s0.tar")
        cache.discard("s0.tar")  # a reader that had met the damage too, a little later
        assert content(before) == damaged
    before.close()
    cache.open("s0.tar").close()
    assert world.store.downloads() == ["s0.tar"] * 2
    assert world.counts()["cache_corrupt"] == 1


def test_a_copy_that_another_process_has_replaced_already_is_kept(world: World) -> None:
    cache, other = world.cache(), world.cache()
    with cache.open("s0.tar") as held:
        world.file("s0.tar").write_bytes(bytes(SIZE))
        other.discard("s0.tar")
        other.open("s0.tar").close()
        cache.discard("s0.tar")
        with cache.open("s0.tar") as again:
            assert content(again) == world.original("s0.tar")
            assert again.fd != held.fd
    assert len(world.store.downloads()) == 2


def test_a_copy_that_was_cut_short_is_not_given_out(world: World) -> None:
    world.cache().open("s0.tar").close()
    os.truncate(world.file("s0.tar"), SIZE - 1)
    with world.cache().open("s0.tar") as held:
        assert content(held) == world.original("s0.tar")
    assert world.counts() == {"cache_misses": 2, "cache_bytes": 2 * SIZE, "cache_corrupt": 1}


def test_a_damaged_download_is_tried_once_more(world: World) -> None:
    cache, good = world.cache(), world.original("s0.tar")
    path = world.store.path("s0.tar")
    path.write_bytes(bytes(SIZE))
    world.store.half = lambda name: path.write_bytes(good)  # its content has been read by then
    with cache.open("s0.tar") as held:
        assert content(held) == good
    assert world.counts()["cache_corrupt"] == 1


def test_an_object_that_is_not_the_manifests_is_refused(world: World) -> None:
    cache = world.cache()
    cache.open("s0.tar").close()
    kept = world.original("s0.tar")
    for name in ("s0.tar", "s1.tar"):  # replaced under our feet
        world.store.path(name).write_bytes(b"\0" * SIZE)
    with cache.open("s0.tar") as held:
        assert content(held) == kept
    zeros = "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"  # pragma: allowlist secret
    with pytest.raises(DataError) as refused:
        cache.open("s1.tar")
    assert str(refused.value) == (
        f"{world.store.uri}: s1.tar is not the shard that the manifest describes: its sha256 is {zeros}, the manifest "
        f"says {world.shards['s1.tar'].sha256} (downloaded twice); look with `i2i-cluster shards verify`, then "
        "restore the shard or index the data again"
    )
    assert world.store.downloads() == ["s0.tar", "s1.tar", "s1.tar"]
    assert there(world.folder) == {world.file("s0.tar").name}


def test_what_the_store_cannot_give_is_said_once_to_all_who_wait(world: World) -> None:
    cache, asked, go = world.cache(), Event(), Event()

    def fail(name: str) -> None:
        asked.set()
        assert go.wait(60)
        raise Unreachable("no answer in 5m")

    world.store.half = fail
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(cache.open, "s0.tar")
        assert asked.wait(60)
        others = [threads.submit(cache.open, "s0.tar") for _ in range(2)]
        until(lambda: waiting_for_another_thread() == 2)
        go.set()
        failures = [future.exception(60) for future in (first, *others)]
    assert {str(failure) for failure in failures} == {"no answer in 5m"}
    assert world.store.downloads() == ["s0.tar"]
    assert there(world.folder) == set()
    world.store.path("s1.tar").unlink()
    with pytest.raises(DataError, match=r"has no s1\.tar, which the manifest names; see with `i2i-cluster shards veri"):
        cache.open("s1.tar")
    with pytest.raises(DataError, match=r"names no shard 's9\.tar'; nearest: s5"):
        cache.open("s9.tar")
    assert there(world.folder) == set()


def waiting_for_another_thread() -> int:
    """How many threads of this process wait for what another one downloads."""

    def names(frame: FrameType | None) -> Iterator[str]:
        while frame:
            yield frame.f_code.co_name
            frame = frame.f_back

    return sum({"_obtain", "result", "wait"} <= set(names(frame)) for frame in sys._current_frames().values())


def test_a_cache_that_is_cleared_by_hand_goes_on(world: World) -> None:
    cache = world.cache()
    with cache.open("s0.tar") as held:
        shutil.rmtree(world.folder)
        assert content(held) == world.original("s0.tar")
        with cache.open("s1.tar") as other:
            assert content(other) == world.original("s1.tar")
    todo = [world.folder]
    world.store.half = lambda name: shutil.rmtree(todo.pop(), ignore_errors=True) if todo else None
    with cache.open("s2.tar") as held:
        assert content(held) == world.original("s2.tar")
    assert there(world.folder) == {world.file("s2.tar").name}
    world.store.half = lambda name: shutil.rmtree(world.folder)
    with pytest.raises(OSError, match=r"s3\.tar is gone whenever it has come; do not clear a cache that is in use"):
        cache.open("s3.tar")


def test_what_another_one_put_in_the_place_of_a_part_stays(world: World) -> None:
    folder, sha256 = CacheFolder(world.folder), world.shards["s0.tar"].sha256
    part = folder.claim(sha256, SIZE, wait=False)
    assert part
    assert folder.claim(sha256, SIZE, wait=False) is None
    shutil.rmtree(world.folder)
    other = folder.claim(sha256, SIZE, wait=False)
    assert other
    folder.remove(part)
    assert folder.commit(part) is None
    assert other.is_in_place()
    for file in (part, other):
        file.close()


def test_from_a_bucket_whose_object_is_replaced(world: World, bucket: str) -> None:
    store = open_store(bucket)
    names = ("s0.tar", "s1.tar")
    etags = {name: store.upload(name, world.store.path(name)).etag for name in names}
    cache = ShardCache(world.folder, 3 * SIZE, store, world.shards, etags, never)
    for _ in range(2):
        with cache.open("s0.tar") as held:
            assert content(held) == world.original("s0.tar")
        for name in names:
            store.write(name, bytes(SIZE))
    with pytest.raises(
        DataError, match=r"s1\.tar at .* is not the version that was described.* then index the data again"
    ):
        cache.open("s1.tar")
    with pytest.raises(DataError, match=r"has no s2\.tar, which the manifest names"):
        cache.open("s2.tar")
    assert there(world.folder) == {world.file("s0.tar").name}
