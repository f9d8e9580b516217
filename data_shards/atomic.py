"""Makes a folder appear complete or not at all.

The work is done in a hidden folder beside the target and renamed at the end. That folder is locked while its maker
lives, so the next build can tell what a killed one left behind from what another one is still working on.
"""

import fcntl
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
    prefix = f".{target.name}.building-"
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target.parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
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
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # nothing is left under this name after the rename
        os.close(lock)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        except BlockingIOError:
            pass  # its maker is alive
        finally:
            os.close(handle)
