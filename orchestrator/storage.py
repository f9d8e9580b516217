"""Whether a sweep's folder could be made and written, asked before the first hour of training and not after it.

Nothing is written to find out. The surprise is the last question: to root every folder counts as writable, also those
of /proc and /sys, which hold no files. A file system without a single block is such a one.
"""

from __future__ import annotations

import os
from pathlib import Path

from data_shards.errors import DataError
from data_shards.store import local_folder
from orchestrator.errors import Refusal


def check_storage(storage: str, sweep: str) -> None:
    """Raise Refusal unless the folder of the sweep with the id `sweep` can be made under `storage`, or written."""
    try:
        problem = _problem(local_folder(storage) / sweep)
    except DataError as error:
        problem = str(error)
    except OSError as error:  # such as a name that is too long
        problem = f"{storage} cannot be used: {(error.strerror or 'error').lower()}"
    if problem:
        raise Refusal(problem, path="storage", value=storage)


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
