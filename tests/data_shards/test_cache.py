"""One process and its cache: what is downloaded, what goes, what stays, and what is refused."""

import itertools
import logging
import math
import os
import random
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from data_shards.cache.shards import ShardCache, default_cache_folder
from data_shards.errors import DataError
from tests.data_shards.cache_world import SIZE, Origin, World, a_world, content, make_shards, never, there


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


def test_a_shard_is_downloaded_once_and_shared_by_its_content(world: World, tmp_path: Path) -> None:
    with world.cache().open("s0.tar") as first, world.cache().open("s0.tar") as second:
        assert content(first) == content(second) == world.original("s0.tar")
        assert first.path == second.path == world.file("s0.tar")
    other = Origin(tmp_path / "elsewhere")  # another data set with a shard of the same content, under another name
    again = ShardCache(world.folder, SIZE, other, {"train.tar": world.shards["s0.tar"]}, {}, never)
    with again.open("train.tar") as held:
        assert content(held) == world.original("s0.tar")
    assert world.store.downloads() == ["s0.tar"]
    assert other.downloads() == []
    assert there(world.folder) == {world.file("s0.tar").name}
    assert world.counts() == {"cache_hits": 2, "cache_misses": 1, "cache_bytes": SIZE}


def test_threads_share_one_descriptor_and_its_pin(world: World) -> None:
    cache = world.cache()
    barrier = Barrier(8)

    def hold(_: int) -> int:
        with cache.open("s0.tar") as held:
            barrier.wait(60)
            assert content(held) == world.original("s0.tar")
            return held.fd

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(hold, range(8)))) == 1
    assert world.store.downloads() == ["s0.tar"]
    assert world.counts()["cache_misses"] == 1
    held = cache.open("s0.tar")
    held.close()
    held.close()
    assert held.fd == -1


# Deciding what goes

SCRIPTS = [[int(c) for c in "3012" * 5], *(random.Random(seed).choices(range(6), k=60) for seed in range(4))]


def lru_downloads(script: Sequence[int], room: int) -> int:
    kept: OrderedDict[int, None] = OrderedDict()
    downloads = 0
    for shard in script:
        downloads += shard not in kept
        kept[shard] = kept.pop(shard, None)
        if len(kept) > room:
            kept.popitem(last=False)
    return downloads


def fewest_downloads(script: Sequence[int], room: int) -> int:
    """Over all ways to choose what goes."""
    costs = {frozenset[int](): 0}
    for shard in script:
        after: dict[frozenset[int], int] = {}
        for kept, cost in costs.items():
            with_it, more = kept | {shard}, shard not in kept
            ways = [with_it] if len(with_it) <= room else [with_it - {gone} for gone in with_it - {shard}]
            for way in ways:
                after[way] = min(cost + more, after.get(way, cost + more))
        costs = after
    return min(costs.values())


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_choice_of_what_goes_would_download_less(world: World, script: list[int]) -> None:
    position = itertools.count()
    now = 0

    def next_use(name: str) -> float:
        return next((at for at in range(now, len(script)) if name == f"s{script[at]}.tar"), math.inf)

    cache = world.cache(shards=3, next_use=next_use)
    for shard in script:
        now = next(position)
        with cache.open(f"s{shard}.tar") as held:
            assert content(held) == world.original(f"s{shard}.tar")
        assert len(there(world.folder)) <= 3
    assert len(world.store.downloads()) == fewest_downloads(script, 3) < lru_downloads(script, 3)


@pytest.mark.parametrize("used", [(2, 0, 3, 1), (1, 3, 0, 2)])
def test_what_nobody_here_wants_goes_first_the_longest_unused_before(
    world: World, tmp_path: Path, used: tuple[int, ...]
) -> None:
    foreign = make_shards(tmp_path / "foreign", 4, SIZE, seed=1)
    other = ShardCache(world.folder, 6 * SIZE, Origin(tmp_path / "foreign"), foreign, {}, never)
    for name in foreign:
        other.open(name).close()
    names = [f"{foreign[f's{i}.tar'].sha256}.tar" for i in used]
    for when, file in enumerate(names):
        os.utime(world.folder / "shards" / file, (when, when))
    other.open("s0.tar").close()
    cache = world.cache(6, next_use=lambda name: 1e9 + int(name[1]))
    cache.open("s1.tar").close()
    cache.open("s0.tar").close()
    went = list[str]()
    for i in (2, 3, 4, 5):
        before = there(world.folder)
        cache.open(f"s{i}.tar").close()
        went += before - there(world.folder)
    again = names.pop(used.index(0))
    assert went == [*names, again]
    assert world.counts()["cache_evictions"] == 4


def test_other_files_are_never_touched(world: World) -> None:
    world.cache().close()
    inside, digits = world.folder / "shards", "0" * 64
    precious = world.folder / "precious.tar"
    plain = [precious, inside / "train-0000.tar", inside / f"{digits}.tar.bak", inside / f"{digits}.part"]
    plain.append(inside / f"{'A' * 64}.tar")
    for file in plain:
        file.write_bytes(bytes(10 * SIZE))
        os.utime(file, (0, 0))
    (inside / f"{'1' * 64}.tar").mkdir()
    (inside / f"{'2' * 64}.tar").symlink_to(precious)
    world.file("s5.tar").symlink_to(precious)
    expected = {path: path.lstat().st_mtime_ns for path in [*plain, *inside.glob(f"{'1' * 64}*"), world.file("s5.tar")]}
    cache = world.cache(shards=1)
    for i in range(5):
        cache.open(f"s{i}.tar").close()
    with pytest.raises(DataError, match=r"\.tar is a link; take it away, the cache keeps plain files"):
        cache.open("s5.tar")
    assert world.counts()["cache_evictions"] == 4
    assert {path: path.lstat().st_mtime_ns for path in expected} == expected
    assert precious.stat().st_size == 10 * SIZE


def test_a_process_that_holds_all_there_is_goes_on_and_says_so_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    cache = world.cache(shards=2)
    held = [cache.open(f"s{i}.tar") for i in range(5)]
    assert [content(file) for file in held] == [world.original(f"s{i}.tar") for i in range(5)]
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        f"data.cache.limit 2kB is less than what is read at once in {world.folder}; it is exceeded, give at least 3kB"
    ]
    assert world.counts()["cache_overruns"] == 3
    for file in held:
        file.close()
    cache.open("s5.tar").close()
    assert len(there(world.folder)) == 2


# Refusals


def test_folders_that_are_no_place_for_a_cache(world: World) -> None:
    with pytest.raises(DataError, match=r"data\.cache\.limit 999B is too small: s0\.tar alone takes 1kB; give several"):
        world.cache(shards=0.999)
    assert not world.folder.exists()
    world.folder.mkdir()
    (world.folder / "shards").write_text("mine")
    with pytest.raises(DataError, match=r"cannot be used as a cache \(File exists\); give a folder on a local disk"):
        world.cache()
    (world.folder / "shards").unlink()
    (world.folder / "shards").mkdir()
    only_copy = world.file("s0.tar")  # a user's own shards, by chance under names like ours
    only_copy.write_text("mine")
    with pytest.raises(
        DataError, match=r"holds files that are not of a cache, and a cache removes files; give another"
    ):
        world.cache()
    assert only_copy.read_text() == "mine"
    only_copy.unlink()
    (world.folder / "shards" / "i2i-cache").write_text("i2i-cluster shard cache, format 2\n")
    with pytest.raises(DataError, match="is the cache of another version of i2i-cluster; give another folder"):
        world.cache()


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.delenv("I2I_CACHE_DIR", raising=False)
    assert default_cache_folder() == Path("/h/.cache/i2i-cluster")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_cache_folder() == Path("/x/i2i-cluster")
    monkeypatch.setenv("I2I_CACHE_DIR", "~/c")
    assert default_cache_folder() == Path("/h/c")
