"""Every shard of a data set as a local file, several at a time: what indexing and verifying have in common.

A shard in a folder is read where it lies. One in an object store is downloaded whole, under its ETag, and removed
again: single ranged reads would take longer than the download.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from data_shards.build.atomic import scratch_folder
from data_shards.build.picture import Progress, in_parallel
from data_shards.errors import DataError
from data_shards.store import Entry, FolderStore, Store

THREADS = 3  # shards at a time: two keep the processor busy while one is on its way

_R = TypeVar("_R")


def on_each(
    store: Store, entries: Mapping[str, Entry], function: Callable[[str, Path], _R], progress: Progress
) -> Iterator[_R]:
    """function(name, path of a local copy) for every shard, in the order of `entries`; progress counts shards.

    Functions run on several threads, and a copy is there only while its function runs.
    """
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder()) if store.remote else None

        def run(numbered: tuple[int, tuple[str, Entry]]) -> _R:
            number, (name, entry) = numbered
            if scratch is None:
                return function(name, local_file(store, name))
            copy = scratch / f"{number}.tar"
            try:
                store.download(name, copy, entry.size, entry.etag)
                return function(name, copy)
            finally:
                copy.unlink(missing_ok=True)

        yield from in_parallel(run, enumerate(entries.items()), len(entries), progress, THREADS)


def local_file(store: Store, name: str) -> Path:
    """The file of a shard in a folder."""
    assert isinstance(store, FolderStore), store.uri
    return store.path(name)


def tars(store: Store) -> dict[str, Entry]:
    """The files whose names end in .tar, at any depth, sorted. DataError where the address is no folder."""
    if isinstance(store, FolderStore) and not store.root.is_dir():
        is_what = "is a file" if store.root.exists() else "does not exist"
        raise DataError(f"{store.uri} {is_what}; give the folder that the shards are in")
    entries = store.entries()
    return {name: entries[name] for name in sorted(entries) if name.endswith(".tar")}
