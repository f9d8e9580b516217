"""Folders that appear complete or not at all, and folders for work in between.

A new folder is filled under a hidden name beside the target and renamed at the end. While its maker lives it is
locked, so the next one can tell what a killed process left behind from what another one is still working on.
"""

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_shards.errors import DataError
from data_shards.store import sync_folder


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """An empty folder that becomes `target` when the block ends well and disappears when it does not.

    `target` must not exist, or be an empty folder; DataError where something came to be there in the meantime.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _working_folder(target.parent, f".{target.name}.building-") as folder:
        yield folder
        folder.chmod(0o755)  # mkdtemp makes it private; shards are shared
        sync_folder(folder)
        try:
            folder.rename(target)
        except OSError as failure:
            if target.exists():
                raise DataError(
                    f"{target} was made by someone else in the meantime; run again to see what it is"
                ) from failure
            raise
        sync_folder(target.parent)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder for large files, in the place for temporary ones (TMPDIR), that disappears with the block.

    What killed processes of this user left there is removed first.
    """
    with _working_folder(Path(tempfile.gettempdir()), f".i2i-cluster-{os.getuid()}-") as folder:
        yield folder


@contextmanager
def _working_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A locked folder in `parent` that is removed at the end, unless it has another name by then."""
    _remove_abandoned(parent, prefix)
    lock = None
    while lock is None:  # until no other process takes it for abandoned before it is locked
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = _locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # nothing is left under this name after a rename
        os.close(lock)


def _locked(folder: Path) -> int | None:
    """The handle that locks a folder; None where the folder is gone or another process has the lock."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(folder)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{glob.escape(prefix)}*"):
        handle = _locked(folder)
        if handle is not None:  # its maker is dead
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)
