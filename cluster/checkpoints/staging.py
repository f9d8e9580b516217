"""Large files on their way to a store and back, without a copy in memory and without remains where the process is killed.

For a folder the file is written beside its place and renamed. For a remote store it has no name at all on the local disk, so
that the kernel takes it back whatever becomes of the process: it is reached by its number (Linux).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data_shards.store import TEMPORARY, Entry, FolderStore, Store, named, sync_folder


@contextmanager
def staged(store: Store, path: str) -> Iterator[Path]:
    """A file to fill; it is put at `path` when the block ends well, and is gone otherwise.

    An OSError of the block that names no file names the folder that was written to.
    """
    if (target := _local(store, path)) is None:
        with _nameless() as file:
            with named(Path(tempfile.gettempdir())):
                yield file
            store.upload(path, file)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{TEMPORARY}{target.name}-", dir=target.parent)
    temporary = Path(name)
    try:
        with named(target.parent):
            try:
                yield temporary
                os.fsync(handle)
            finally:
                os.close(handle)
        temporary.chmod(0o644)  # mkstemp makes it private
        temporary.replace(target)
        sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def fetched(store: Store, path: str, entry: Entry) -> Iterator[Path]:
    """A file with what the store holds at `path`, by its entry in a listing. Raises what the store raises."""
    if (target := _local(store, path)) is not None:
        yield target
        return
    with _nameless() as file:
        store.download(path, file, entry.size, entry.etag)
        yield file


def leftovers(store: Store, folder: str) -> dict[str, int]:
    """What killed writers left below `folder`, by path, with sizes in bytes: no listing shows it. A remote store has none."""
    found: dict[str, int] = {}
    if (root := _local(store, folder)) is None:
        return found
    for file in root.rglob(f"{TEMPORARY}*"):
        with suppress(FileNotFoundError):  # it was somebody's who is alive
            found[f"{folder}/{file.relative_to(root).as_posix()}"] = file.stat().st_size
    return found


def remove_folder(store: Store, path: str) -> None:
    """Take an empty folder away, where the store has folders; one with somebody's file in it stays."""
    if (target := _local(store, path)) is not None:
        with suppress(OSError):
            target.rmdir()


def _local(store: Store, path: str) -> Path | None:
    return store.path(path) if isinstance(store, FolderStore) and not store.remote else None


@contextmanager
def _nameless() -> Iterator[Path]:
    with tempfile.TemporaryFile() as file:
        yield Path(f"/proc/self/fd/{file.fileno()}")
