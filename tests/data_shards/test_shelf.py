"""What a stream holds open, seen in this process's own table of open files."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_shards.errors import DataError
from data_shards.shelf import FolderShards, Shelf
from tests.data_shards.cache_world import World, a_world, make_shards, never, until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


def opened(folder: Path) -> list[str]:
    """The shards below `folder` that this process has open, each as often as it is."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:  # the one that listed them
            continue
        if target.startswith(f"{folder}/") and target.endswith(".tar"):
            found.append(os.path.basename(target))
    return sorted(found)


def test_a_window_of_a_folder_is_open_until_the_next(tmp_path: Path) -> None:
    make_shards(tmp_path, 4)
    shelf = Shelf(FolderShards(tmp_path))
    shelf.enter("lane", ("s0.tar", "s1.tar"), [])
    shelf.enter("other", ("s1.tar",), [])
    assert opened(tmp_path) == ["s0.tar", "s1.tar", "s1.tar"]
    shelf.enter("lane", ("s1.tar", "s2.tar"), [])
    with shelf.session("lane") as session:
        assert len(session.read("s2.tar", 10, 90)) == 90
        assert len(session.read("s0.tar", 10, 90)) == 90
    assert opened(tmp_path) == ["s1.tar", "s1.tar", "s2.tar"], "not what is of no window"
    shelf.close()
    assert opened(tmp_path) == []


def test_a_window_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    make_shards(tmp_path, 2)
    shelf = Shelf(FolderShards(tmp_path))
    shelf.enter("lane", ("s0.tar",), [])
    with pytest.raises(DataError, match=r"s7\.tar is missing, but the manifest names it"):
        shelf.enter("lane", ("s1.tar", "s7.tar"), [])
    shelf.close()
    assert opened(tmp_path) == []


def test_a_lane_waits_only_for_what_it_reads_and_holds_what_has_come(world: World) -> None:
    cache = world.cache(6, threads=0)  # which fetches nothing ahead
    names = {name: world.file(name).name for name in world.shards}
    shelf = Shelf(cache)
    shelf.enter("lane", ("s0.tar", "s1.tar", "s2.tar"), ["s3.tar"])
    with shelf.session("lane") as session:
        assert session.read("s1.tar", 0, 9) == world.original("s1.tar")[:9]
    assert world.store.downloads() == ["s1.tar"]
    assert opened(world.folder) == [names["s1.tar"]]
    cache.open("s2.tar").close()
    cache.open("s3.tar").close()
    with shelf.session("lane") as session:
        session.read("s1.tar", 0, 9)
    assert opened(world.folder) == sorted([names["s1.tar"], names["s2.tar"]]), "what has come meanwhile is held too"
    shelf.enter("lane", ("s3.tar", "s4.tar"), [])
    assert opened(world.folder) == [names["s3.tar"]]
    shelf.close()
    assert opened(world.folder) == []
    assert world.store.downloads() == ["s1.tar", "s2.tar", "s3.tar"]


def test_what_a_lane_holds_stays_in_a_full_cache(world: World) -> None:
    cache = world.cache(2, next_use=never)
    shelf = Shelf(cache)
    shelf.enter("lane", ("s0.tar", "s1.tar"), [])
    until(lambda: world.counts().get("cache_ahead") == 2)
    with shelf.session("lane") as session:
        session.read("s0.tar", 0, 9)
    for name in ("s4.tar", "s5.tar"):
        cache.open(name).close()
    assert world.file("s0.tar").exists() and world.file("s1.tar").exists()
    shelf.close()
