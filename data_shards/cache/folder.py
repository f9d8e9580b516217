"""The shard cache on disk: a folder that many processes fill, read and empty at once, any of which may be killed.

A file is `<sha256 of its content>.tar`, so a stale one can never be taken for another version. Whatever a process
claims is a flock on an open file, which ends with the process. Reading takes a shared lock on the shard: it is pinned.
Downloading takes an exclusive lock on `<sha256>.<bytes>.part`, which is renamed at the end. Names are made, renamed
and removed only under the lock of the folder, a flock on its marker file; a part's lock is taken before that one.

The surprise: a folder is often somebody's home too. Only plain files with names of these two forms are ever removed,
and a folder that holds files but no marker of ours is refused.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from data_shards.errors import DataError

SUBFOLDER = "shards"
MARKER = "i2i-cache"
ASKED, GRANTED = 0o600, 0o644  # the mode of a part says whether the room for it is taken
_FORMAT = b"i2i-cluster shard cache, format 1\n"
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe under a name of ours shall not stop us


@dataclass(frozen=True, slots=True)
class File:
    """An open file of the cache with its lock: shared on a shard, exclusive on a part. Closing it gives that back."""

    sha256: str
    path: Path
    size: int  # bytes; of a part: those of the whole shard
    fd: int

    def is_in_place(self) -> bool:
        """Whether `path` leads to this file, which somebody may have removed since it was opened."""
        return _leads_to(self.path, self.fd)

    def empty(self) -> None:
        """Of a part: give back the room that it takes."""
        os.ftruncate(self.fd, 0)
        os.fchmod(self.fd, ASKED)

    def digest(self) -> str:
        """The hex sha256 of the content. OSError where the disk cannot read it. For one thread at a time."""
        with open(self.fd, "rb", closefd=False) as content:
            content.seek(0)
            return file_digest(content, "sha256").hexdigest()

    def is_intact(self) -> bool:
        """Whether the content is the one that the name promises. What the disk cannot read is not."""
        try:
            return self.digest() == self.sha256
        except OSError:
            return False

    def close(self) -> None:
        os.close(self.fd)


class CacheFolder:
    """The files of one cache. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        """Make the folder where it is missing. DataError where it cannot be used, or holds what is not of a cache."""
        self.path = folder / SUBFOLDER
        try:
            self._prepare()
        except OSError as failure:
            raise DataError(
                f"{folder} cannot be used as a cache ({failure.strerror}); give a folder on a local disk where you may "
                "write (data.cache.folder, or the variable I2I_CACHE_DIR)"
            ) from failure

    def open(self, sha256: str) -> File | None:
        """The shard, pinned: it stays until it is closed. None where it is not there."""
        path = self.path / f"{sha256}.tar"
        while True:
            try:
                fd = os.open(path, os.O_RDONLY | _FLAGS)
            except FileNotFoundError:
                return None
            except OSError as failure:
                if failure.errno == errno.ELOOP:
                    raise DataError(f"{path} is a link; take it away, the cache keeps plain files") from failure
                raise
            with _closed_on_failure(fd):
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise DataError(f"{path} is not a plain file; take it away, the cache keeps plain files")
                fcntl.flock(fd, fcntl.LOCK_SH)
                if _leads_to(path, fd):
                    with suppress(PermissionError):  # another user's file
                        os.utime(fd)  # among shards that nobody here wants, the one used last stays longest
                    return File(sha256, path, os.fstat(fd).st_size, fd)
            os.close(fd)  # it was removed in between

    def claim(self, sha256: str, size: int, *, wait: bool) -> File | None:
        """The sole right to download a shard: an empty part. What a killed process left of it is thrown away.

        None where the shard is there, after waiting for whoever downloads it; or, without `wait`, where somebody does.
        """
        path = self.path / f"{sha256}.{size}.part"
        while True:
            with self.locked():
                if os.path.lexists(self.path / f"{sha256}.tar"):
                    return None
                fd = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, ASKED)
                with _closed_on_failure(fd):
                    if _lock_alone(fd):
                        part = File(sha256, path, size, fd)
                        part.empty()
                        return part
            try:
                if not wait:
                    return None
                # Shared, so that nobody has to wait until the shard is unpinned as well: see commit.
                fcntl.flock(fd, fcntl.LOCK_SH)
            finally:
                os.close(fd)

    def commit(self, part: File) -> File | None:
        """The complete and durable part as a shard, pinned. None where somebody cleared the folder away meanwhile.

        The name is not made durable: a shard whose name is lost is downloaded again.
        """
        with self.locked():
            if not part.is_in_place():
                return None
            path = self.path / f"{part.sha256}.tar"
            part.path.rename(path)
            fcntl.flock(part.fd, fcntl.LOCK_SH)  # lets those go on who wait for the part
            return File(part.sha256, path, part.size, part.fd)

    def remove(self, file: File) -> None:
        """Take a file away, unless its name leads to another one by this time. It stays open."""
        with self.locked():
            if file.is_in_place():
                file.path.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone in the folder, which is made again where somebody cleared it away."""
        marker = self.path / MARKER
        while True:
            try:
                fd = os.open(marker, os.O_RDWR | _FLAGS)
            except FileNotFoundError:
                self._prepare()
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if _leads_to(marker, fd):
                    yield
                    return
            finally:
                os.close(fd)

    def _prepare(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        marker = self.path / MARKER
        # The marker is made before anything else: whoever sees other files and then no marker sees no cache.
        if os.listdir(self.path) and not os.path.lexists(marker):
            raise DataError(
                f"{self.path} holds files that are not of a cache, and a cache removes files; give another folder "
                "(data.cache.folder, or the variable I2I_CACHE_DIR)"
            )
        fd = os.open(marker, os.O_RDWR | os.O_CREAT | _FLAGS, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            written = os.read(fd, 2 * len(_FORMAT))
            if not written:
                os.write(fd, _FORMAT)
            elif written != _FORMAT:
                raise DataError(f"{self.path} is the cache of another version of i2i-cluster; give another folder")
        finally:
            os.close(fd)


@contextmanager
def exclusively(path: str) -> Iterator[bool]:
    """Whether nobody, in whatever process, has the file locked; nobody can while the block lasts."""
    try:
        fd = os.open(path, os.O_RDWR | _FLAGS)
    except (FileNotFoundError, PermissionError):  # cleared away by hand, or another user's
        yield False
        return
    try:
        yield _lock_alone(fd)
    finally:
        os.close(fd)


def _lock_alone(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _leads_to(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))
    except FileNotFoundError:
        return False


@contextmanager
def _closed_on_failure(fd: int) -> Iterator[None]:
    with ExitStack() as undo:
        undo.callback(os.close, fd)
        yield
        undo.pop_all()
