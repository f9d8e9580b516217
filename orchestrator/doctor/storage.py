"""What a sweep needs of its storage, tried out with small objects that are gone again at the end.

The one that matters is the conditional put: where two processes could both come first, two drivers could write one log.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cluster.clock import MEND, MOST_SKEW_S
from cluster.log.lock import is_locked, locked
from data_shards.address import is_remote, parse
from data_shards.errors import DataError
from data_shards.store import FolderStore, Store, local_folder
from orchestrator.errors import Refusal
from orchestrator.storage import SOMEBODY_WAITS, check_storage, open_to_look
from orchestrator.sweep_file.quantities import duration_text, size_text

SOURCES = {
    "env": "AWS_ACCESS_KEY_ID",
    "iam-role": "the role of this machine",
}  # of botocore's names, those that need a word
SMALL, OTHER = b"may be deleted", b"may be deleted, too"


@dataclass(frozen=True)
class Step:
    """One thing that was tried: what it came to, and how to mend it where there is a problem."""

    name: str
    told: str
    problem: str = ""
    mend: str = ""


def examine_storage(storage: str, least_disk: int) -> list[Step]:
    """What was tried, up to the first failure. `least_disk`: bytes that a folder must have room for."""
    if is_remote(storage) and (credentials := _credentials(storage)) is not None:
        return [credentials, *([] if credentials.problem else _examined(storage, least_disk))]
    return _examined(storage, least_disk)


def _examined(storage: str, least_disk: int) -> list[Step]:
    try:
        check_storage(storage, "doctor")
    except (Refusal, OSError) as error:
        problem = error.problem if isinstance(error, Refusal) else " ".join(str(error).splitlines())
        return [Step("place", "", problem, "name another storage, or mend what the line says")]
    if is_remote(storage):
        return _tried(open_to_look(storage), f"doctor-{uuid.uuid4().hex}", partial(_remote_clock, storage))
    place = local_folder(storage)
    there = next(folder for folder in (place, *place.parents) if folder.is_dir())
    with tempfile.TemporaryDirectory(prefix="i2i-doctor-", dir=there) as folder:
        steps = [_room(Path(folder), least_disk), *_tried(FolderStore(folder), "probe", partial(_clock, Path(folder)))]
        return [*steps, _try("lock", "keeps others out", partial(_lock, Path(folder)), MENDS["lock"])[0]]


def _credentials(storage: str) -> Step | None:
    """Where those for S3 come from; they themselves are never shown. None for what is no address."""
    from data_shards.s3.client import credentials_from

    mend = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name one of ~/.aws with ?profile=NAME, or give this machine a role"
    try:
        address = parse(storage)
    except DataError:
        return None
    try:
        source = credentials_from(address)
    except DataError as error:
        return Step("credentials", "", " ".join(str(error).splitlines()), mend)
    if not source:
        return Step("credentials", "", "none are found: not in variables, not in ~/.aws, no role", mend)
    return Step("credentials", f"from {SOURCES.get(source, source)}")


def _tried(store: Store, folder: str, clock: Callable[[str], float | None]) -> list[Step]:
    """Each thing that is done with objects; what cannot be done at all ends it."""
    path, once = f"{folder}/probe", f"{folder}/once"
    steps: tuple[tuple[str, str, Callable[[], str], str], ...] = (
        ("put", "an object is written, and replaced", partial(_put, store, path), MENDS["rights"]),
        ("get", "it holds what was written", partial(_get, store, path), MENDS["rights"]),
        ("list", "it is listed", partial(_list, store, folder, path), MENDS["rights"]),
        ("conditional put", "the second of two is refused", partial(_create, store, once), MENDS["create"]),
        ("clock", f"within {duration_text(MOST_SKEW_S)} of ours", partial(_skew, clock, path), MENDS["clock"]),
        ("delete", "nothing is left", partial(_delete, store, folder, (path, once)), MENDS["rights"]),
    )
    found = []
    try:
        for step in steps:
            tried, goes_on = _try(*step)
            found.append(tried)
            if not goes_on:
                break
    finally:
        for left in (path, once):
            with suppress(DataError, OSError):
                store.delete(left)
    return found


def _try(name: str, told: str, does: Callable[[], str], mend: str) -> tuple[Step, bool]:
    """What came of it, and whether to go on: not where the store failed or refused."""
    try:
        problem, goes_on = does(), True
    except (DataError, OSError) as error:
        problem, goes_on = " ".join(str(error).splitlines()), False
    return Step(name, "" if problem else told, problem, mend if problem else ""), goes_on


def _room(folder: Path, least: int) -> Step:
    free = shutil.disk_usage(folder).free
    if free >= least:
        return Step("room", f"{size_text(free)} free")
    return Step("room", "", f"{size_text(free)} free", f"free {size_text(least)} there, or name another storage")


def _put(store: Store, path: str) -> str:
    store.write(path, OTHER)
    store.write(path, SMALL)
    return ""


def _get(store: Store, path: str) -> str:
    return "" if store.read(path) == SMALL else "it holds something else than what was written last"


def _list(store: Store, folder: str, path: str) -> str:
    return "" if store.list(f"{folder}/") == [path] else "what was written is not listed"


def _create(store: Store, path: str) -> str:
    first, second = store.create(path, SMALL), store.create(path, OTHER)
    if not first:
        return "the first of two was refused"
    return "the second of two was not refused: two processes could both come first" if second else ""


def _skew(clock: Callable[[str], float | None], path: str) -> str:
    there = clock(path)
    skew = 0.0 if there is None else time.time() - there
    if abs(skew) <= MOST_SKEW_S:
        return ""
    return f"this machine's clock is {duration_text(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the store's"


def _delete(store: Store, folder: str, paths: tuple[str, ...]) -> str:
    for path in paths:
        store.delete(path)
    left = store.list(f"{folder}/")
    return f"{left[0]} is still there" if left else ""


def _lock(folder: Path) -> str:
    with locked(folder / "lock"):
        return "" if is_locked(folder / "lock") else "a lock keeps nobody out: two drivers could write one log"


def _clock(folder: Path, path: str) -> float | None:
    """A folder may be another machine's: what was written last carries the time of whoever keeps it."""
    return (folder / path).stat().st_mtime


def _remote_clock(storage: str, path: str) -> float | None:
    from data_shards.s3.clock import server_time

    return server_time(parse(storage), path, SOMEBODY_WAITS)


MENDS = {
    "rights": "give this user the right to list, read, write and delete there",
    "create": "use another storage, or a newer version of the server: S3 has If-None-Match, a file system hard links",
    "clock": MEND,
    "lock": "mount it with locks (NFS: not with nolock), or use a folder of this machine, or S3",
}
