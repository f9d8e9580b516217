"""What the tests of the cache are about: made-up shards, a store that writes down what is downloaded, and a cache."""

import hashlib
import math
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data_shards.cache.folder import MARKER
from data_shards.cache.shards import Held, ShardCache
from data_shards.counters import COUNTS, since
from data_shards.manifest import Shard
from data_shards.store import FolderStore

SIZE = 1000  # bytes of a shard, in a World
PATIENCE = 60.0  # seconds that a test waits for what must come


class Origin(FolderStore):
    """A folder that counts as remote. `half` is called with the name whenever half of a shard is written."""

    remote = True

    def __init__(self, root: Path, half: Callable[[str], object] = lambda name: None) -> None:
        super().__init__(root)
        self.half = half
        self.log = root.with_suffix(".log")

    def download(self, path: str, target: Path, size: int, etag: str = "") -> None:
        with open(self.log, "a") as log:
            log.write(f"{path}\n")
        data = self.read(path)
        with open(target, "wb") as file:
            file.write(data[: size // 2])
            file.flush()
            self.half(path)
            file.write(data[size // 2 :])

    def downloads(self) -> list[str]:
        """The names that were downloaded, by whichever process, in order."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def make_shards(root: Path, count: int, size: int = 1000, seed: int = 0) -> dict[str, Shard]:
    """`count` shards of `size` bytes of noise in the folder `root`."""
    root.mkdir(parents=True, exist_ok=True)
    shards = {}
    for i in range(count):
        data = random.Random(f"{seed} {i}").randbytes(size)
        (root / f"s{i}.tar").write_bytes(data)
        shards[f"s{i}.tar"] = shard_of(data)
    return shards


def shard_of(data: bytes) -> Shard:
    return Shard(len(data), hashlib.sha256(data).hexdigest())


def content(held: Held) -> bytes:
    return os.pread(held.fd, os.fstat(held.fd).st_size, 0)


def there(folder: Path) -> set[str]:
    """The names in a cache, without its marker."""
    return set(os.listdir(folder / "shards")) - {MARKER}


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come to be."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def never(name: str) -> float:
    return math.inf


class World:
    """Six shards of SIZE bytes, the folder of a cache that does not exist yet, and caches on it."""

    def __init__(self, root: Path) -> None:
        self.shards = make_shards(root / "origin", 6, SIZE)
        self.store = Origin(root / "origin")
        self.folder = root / "cache"
        self.before = COUNTS.snapshot()
        self._made: list[ShardCache] = []

    def cache(self, shards: float = 3, next_use: Callable[[str], float] = never, threads: int = 2) -> ShardCache:
        """A cache with room for so many shards."""
        limit = int(shards * SIZE)
        made = ShardCache(self.folder, limit, self.store, self.shards, {}, next_use, threads=threads)
        self._made.append(made)
        return made

    def original(self, name: str) -> bytes:
        return self.store.read(name)

    def file(self, name: str) -> Path:
        """Where the cache keeps it."""
        return self.folder / "shards" / f"{self.shards[name].sha256}.tar"

    def counts(self) -> dict[str, float]:
        return {name: value for name, value in since(self.before).items() if name.startswith("cache")}

    def close(self) -> None:
        for cache in self._made:
            cache.close()


@contextmanager
def a_world(root: Path) -> Iterator[World]:
    world = World(root)
    yield world
    world.close()
