"""What a cache fetches before it is asked to open it."""

import math
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from data_shards.cache.shards import ShardCache
from data_shards.errors import DataError
from tests.data_shards.cache_world import SIZE, World, a_world, content, there, until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


def test_what_is_wanted_comes_soonest_first_and_is_a_hit(world: World) -> None:
    cache = world.cache(6, next_use=lambda name: -int(name[1]), threads=1)
    go = Event()
    world.store.half = lambda name: assert_set(go)
    cache.want(["s0.tar"])
    until(lambda: world.store.downloads() == ["s0.tar"])
    cache.want(["s1.tar", "s2.tar", "s3.tar"])
    go.set()
    until(lambda: len(there(world.folder)) == 4 and world.counts()["cache_ahead"] == 4)
    assert world.store.downloads() == ["s0.tar", "s3.tar", "s2.tar", "s1.tar"]
    for i in range(4):
        with cache.open(f"s{i}.tar") as held:
            assert content(held) == world.original(f"s{i}.tar")
    assert world.counts() == {"cache_ahead": 4, "cache_hits": 4, "cache_bytes": 4 * SIZE}


def assert_set(event: Event) -> None:
    assert event.wait(60)


def test_nothing_that_is_needed_sooner_goes_for_what_is_wanted(world: World) -> None:
    cache = world.cache(2, next_use=lambda name: int(name[1]))
    kept = cache.open("s1.tar")
    cache.open("s2.tar").close()
    cache.want(["s3.tar", "s0.tar"])
    until(lambda: world.counts().get("cache_ahead") == 1 and parked(cache) == {"s3.tar"})
    assert there(world.folder) == {world.file("s0.tar").name, world.file("s1.tar").name}
    kept.close()  # s3 is thought of again, but s1 may go no more than before
    until(lambda: parked(cache) == {"s3.tar"})
    assert there(world.folder) == {world.file("s0.tar").name, world.file("s1.tar").name}
    assert world.store.downloads() == ["s1.tar", "s2.tar", "s0.tar"]


def parked(cache: ShardCache) -> set[str]:
    """What there was no room for."""
    return set(cache._ahead._parked)


def test_what_has_no_room_is_fetched_when_something_is_let_go(world: World) -> None:
    soon = {"s0.tar": 0.0, "s1.tar": 1.0, "s2.tar": 2.0}
    cache = world.cache(2, next_use=lambda name: soon.get(name, math.inf))
    held = [cache.open("s0.tar"), cache.open("s1.tar")]
    cache.want(["s2.tar"])
    until(lambda: parked(cache) == {"s2.tar"})
    soon["s0.tar"] = math.inf
    held[0].close()
    until(lambda: there(world.folder) == {world.file("s1.tar").name, world.file("s2.tar").name})
    held[1].close()


def test_a_failure_in_the_background_is_met_by_whoever_opens_the_shard(world: World) -> None:
    cache = world.cache()
    world.store.path("s0.tar").unlink()
    cache.want(["s0.tar"])
    until(lambda: world.store.downloads() == ["s0.tar"] and there(world.folder) == set())
    with pytest.raises(DataError, match=r"has no s0\.tar"):
        cache.open("s0.tar")
    with pytest.raises(DataError, match=r"names no shard 'typo'"):
        cache.want(["typo"])


def test_closing_begins_nothing_more_and_keeps_what_is_coming(world: World) -> None:
    cache, go = world.cache(), Event()
    world.store.half = lambda name: assert_set(go)
    cache.want([f"s{i}.tar" for i in range(3)])
    until(lambda: bool(world.store.downloads()))
    cache.close()
    cache.want(["s5.tar"])
    go.set()
    started = world.store.downloads()
    until(lambda: there(world.folder) == {world.file(name).name for name in started})
    assert "s5.tar" not in world.store.downloads()
