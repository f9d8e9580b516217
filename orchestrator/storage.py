"""Where sweeps are kept: how a storage is named and opened, and whether a sweep could be written there.

It is asked before the first hour of training and not after it. Planning writes nothing to find out. The surprise is the
last question about a folder: to root every folder counts as writable, also those of /proc and /sys, which hold no files. A
file system without a single block is such a one.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.layout import SweepPaths
from data_shards.address import Address, is_remote, parse
from data_shards.errors import DataError
from data_shards.store import Store, local_folder, open_store
from data_shards.transfer import Patience
from orchestrator.errors import Refusal

DEFAULT_STORAGE = "./i2i-runs"
SOMEBODY_WAITS = Patience(deadline=30.0)  # seconds; training waits longer for its storage


def canonical(storage: str) -> str:
    """The address of a storage, the same from any folder: an absolute path, or an s3:// address. Raises DataError."""
    return str(parse(storage)) if is_remote(storage) else str(local_folder(storage))


def shown(storage: str) -> str:
    """A storage as messages name it: as the user did, without the ./ of a path."""
    return storage if "://" in storage else str(Path(storage))


def storage_and_id(folder: str) -> tuple[str, str]:
    """The storage that holds the sweep whose own folder or address is `folder`, and the sweep's id. Raises DataError."""
    if is_remote(folder):
        address = parse(folder)
        above, _, sweep = address.prefix.rpartition("/")
        return str(Address(address.bucket, above, address.options)), sweep
    path = local_folder(folder)
    return str(path.parent), path.name


def open_to_look(storage: str) -> Store:
    """The store of a storage for a command that somebody waits for. Raises Refusal for an address that means nothing."""
    with _refusals(storage, "--storage"):
        return open_store(storage, SOMEBODY_WAITS)


def check_storage(storage: str, sweep: str) -> None:
    """Raise Refusal unless the sweep with the id `sweep` has a place under `storage`: a folder that could be made or
    written, or a bucket that answers. Raises Unreachable where that does not answer."""
    with _refusals(storage, "storage"):
        if is_remote(storage):
            open_store(storage, SOMEBODY_WAITS).list(f"{SweepPaths(sweep).claims}/")
            return
        try:
            problem = _problem(local_folder(storage) / sweep)
        except OSError as error:  # such as a name that is too long
            problem = f"{storage} cannot be used: {(error.strerror or 'error').lower()}"
    if problem:
        raise Refusal(problem, path="storage", value=storage)


def probe_storage(storage: str, sweep: str, file: str) -> None:
    """Raise Refusal where a sweep may not write to its remote storage, found out by writing and deleting a small object.

    Of a folder `check_storage` has said all there is to know.
    """
    if not is_remote(storage):
        return
    probe = f"{sweep}/probe-{uuid.uuid4().hex}"
    with _refusals(storage, "storage", file):
        store = open_store(storage, SOMEBODY_WAITS)
        store.create(probe, b"may be deleted")
        store.delete(probe)


@contextmanager
def _refusals(storage: str, path: str, file: str = "") -> Iterator[None]:
    """What a store says the user has to mend, as a refusal."""
    try:
        yield
    except DataError as error:
        raise Refusal(str(error), file=file, path=path, value=storage) from error


def _problem(folder: Path) -> str:
    there = next(path for path in (folder, *folder.parents) if _is_there(path))
    if not there.exists():
        return f"{there} is a link to nothing; give the path of a folder"
    if not there.is_dir():
        return f"{there} is a file; give the path of a folder"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there} may not be written; give the path of a folder that may"
    if not os.statvfs(there).f_blocks:
        return f"{there} holds no files of anybody's; give the path of a folder"
    return ""


def _is_there(path: Path) -> bool:
    """Whether there is anything at `path`, be it a broken link; OSError where that cannot be known."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
