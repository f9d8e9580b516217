"""Where bytes live: a small interface shaped like an object store, and the plain folder that speaks it.

The surprise is `create`: it is the only safe way for two processes to agree on who came first. It makes a file with
its whole content or not at all, never over another one, which is what S3's conditional put promises too.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from data_shards.errors import DataError

TEMPORARY = ".tmp-"  # files being written start with this and are never listed


class Store(Protocol):
    """Bytes under paths relative to `uri`, with `/` between parts. A missing path raises FileNotFoundError."""

    uri: str

    def read(self, path: str) -> bytes:
        """The whole content."""

    def read_range(self, path: str, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from byte `offset`; OSError where the content ends before that."""

    def write(self, path: str, data: bytes) -> None:
        """Put `data` there, over what was there: a reader sees the old content or the new, never a part."""

    def create(self, path: str, data: bytes) -> bool:
        """Put `data` there unless something is there already: True for the one caller that made it."""

    def exists(self, path: str) -> bool:
        """Whether there is content under this very path (a folder has none)."""

    def list(self, prefix: str = "") -> list[str]:
        """The paths that start with `prefix`, at any depth, sorted."""

    def delete(self, path: str) -> None:
        """Take it away; nothing happens where nothing is."""


class FolderStore:
    """A `Store` in a folder of the local file system. The folder need not exist before the first write."""

    def __init__(self, root: str | Path) -> None:
        self.root = local_folder(Path(root))
        self.uri = str(self.root)

    def path(self, path: str) -> Path:
        """The file that holds `path`, for readers that want a file. DataError for a path that leaves the folder."""
        return Path(self._file(path))

    def read(self, path: str) -> bytes:
        return self.path(path).read_bytes()

    def read_range(self, path: str, offset: int, size: int) -> bytes:
        handle = os.open(self._file(path), os.O_RDONLY)
        try:
            data = os.pread(handle, size, offset)
        finally:
            os.close(handle)
        if len(data) != size:
            raise OSError(f"{self._file(path)} ends early: {size} bytes wanted at {offset}, {len(data)} there")
        return data

    def write(self, path: str, data: bytes) -> None:
        target = self.path(path)
        with _written_beside(target, data) as temporary:
            temporary.replace(target)
        sync_folder(target.parent)

    def create(self, path: str, data: bytes) -> bool:
        target = self.path(path)
        with _written_beside(target, data) as temporary:
            try:
                os.link(temporary, target)  # unlike a rename, a hard link refuses to replace
            except FileExistsError:
                return False
        sync_folder(target.parent)
        return True

    def exists(self, path: str) -> bool:
        return self.path(path).is_file()

    def list(self, prefix: str = "") -> list[str]:
        folder = self.root / PurePosixPath(prefix).parent if "/" in prefix else self.root
        if prefix.endswith("/"):
            folder = self.root / prefix
        found = (file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(TEMPORARY))
        names = (file.relative_to(self.root).as_posix() for file in found)
        return sorted(name for name in names if name.startswith(prefix))

    def delete(self, path: str) -> None:
        self.path(path).unlink(missing_ok=True)

    def _file(self, path: str) -> str:
        # Plain strings: this runs for every picture that is read, and Path objects cost more than the read.
        if not path or path.startswith("/") or ".." in path.split("/"):
            raise DataError(f"{path!r} is not a path inside {self.uri}")
        return f"{self.uri}/{path}"


def open_store(uri: str | Path) -> Store:
    """The store at a plain path or a `file://` address; DataError for any other kind of address."""
    return FolderStore(local_folder(uri))


def local_folder(uri: str | Path) -> Path:
    """The folder that a plain path or a `file://` address means (`~` is the home folder).

    Raises DataError for an address of another kind, and for one that no file system could hold.
    """
    if isinstance(uri, Path):
        return _plain_folder(str(uri))
    if not uri:
        raise DataError("an empty address; give the path of a folder")
    if "://" not in uri:
        return _plain_folder(uri)
    try:
        address = urlsplit(uri)
    except ValueError as error:
        raise DataError(f"{uri!r} is no address ({error}); a local path is written file:///path/of/folder") from error
    if address.scheme != "file":
        raise DataError(
            f"{uri}: no {address.scheme}:// in this version, plain directories only; give the path of a folder"
        )
    if address.netloc not in ("", "localhost"):
        raise DataError(f"{uri} names another host, {address.netloc}; a local path is written file:///path/of/folder")
    return _plain_folder(unquote(address.path), home=False)


def _plain_folder(path: str, *, home: bool = True) -> Path:
    """`path` made absolute, with `~` for the home folder where `home`; DataError where no folder can be called so."""
    try:
        if b"\0" in os.fsencode(path):
            raise DataError(f"{path!r} holds a zero byte; give the path of a folder")
    except UnicodeEncodeError as error:
        raise DataError(f"{path!r} holds half a character; give the path of a folder") from error
    try:
        return (Path(path).expanduser() if home else Path(path)).absolute()
    except RuntimeError as error:  # `~somebody` without such a user
        raise DataError(f"{path!r} starts with the home folder of nobody here; give the path of a folder") from error


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` outlive a power cut: a rename is durable only once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _written_beside(target: Path, data: bytes) -> Iterator[Path]:
    """A durable temporary file with `data` beside `target`; gone at the end unless it was renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{TEMPORARY}{target.name}-", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp makes it private; shards are shared
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
