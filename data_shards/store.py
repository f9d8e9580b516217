"""Where bytes live: a small interface shaped like an object store, and the plain folder that speaks it.

The surprise is `create`: it is the only safe way for two processes to agree on who came first. It makes a file with
its whole content or not at all, never over another one, which is what S3's conditional put promises too. The store
that speaks to S3 is in s3.py and is loaded only where an address asks for it.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol
from urllib.parse import unquote, urlsplit

from data_shards.address import is_remote, parse
from data_shards.errors import DataError
from data_shards.transfer import Patience

TEMPORARY = ".tmp-"  # files being written start with this and are never listed
COPIED_AT_ONCE = 1 << 20  # bytes


@dataclass(frozen=True)
class Entry:
    """What a listing tells about one path: `size` in bytes, `etag` the version of an object ("" in a folder)."""

    size: int
    etag: str = ""


class Store(Protocol):
    """Bytes under paths relative to `uri`, with `/` between parts. A missing path raises FileNotFoundError.

    A store over the network raises Unreachable where it got no answer within its deadline, and DataError for what the
    user has to mend: credentials, rights, the bucket, an object that changed under a reader. Nothing else need be
    tried again by a caller.
    """

    uri: str
    remote: bool

    def read(self, path: str) -> bytes:
        """The whole content."""

    def read_range(self, path: str, offset: int, size: int, etag: str = "") -> bytes:
        """Exactly `size` bytes from byte `offset`; OSError where the content ends before that.

        With `etag`: DataError where the content is not that version any more (a folder does not look).
        """

    def write(self, path: str, data: bytes) -> None:
        """Put `data` there, over what was there: a reader sees the old content or the new, never a part."""

    def create(self, path: str, data: bytes) -> bool:
        """Put `data` there unless something is there already: True for the one caller that made it."""

    def exists(self, path: str) -> bool:
        """Whether there is content under this very path (a folder has none)."""

    def list(self, prefix: str = "") -> list[str]:
        """The paths that start with `prefix`, at any depth, sorted."""

    def entries(self, prefix: str = "") -> dict[str, Entry]:
        """The same paths, each with its size and version."""

    def delete(self, path: str) -> None:
        """Take it away; nothing happens where nothing is."""

    def upload(self, path: str, source: Path) -> Entry:
        """Put the file `source` there as `write` does, without holding it in memory."""

    def download(self, path: str, target: Path, size: int, etag: str = "") -> None:
        """Make the file `target` the `size` bytes of `path`; what it held is lost, also where this fails.

        DataError where the content is not `size` bytes long or, with `etag`, not that version any more.
        """


class FolderStore:
    """A `Store` in a folder of the local file system. The folder need not exist before the first write."""

    remote = False

    def __init__(self, root: str | Path) -> None:
        self.root = local_folder(Path(root))
        self.uri = str(self.root)

    def path(self, path: str) -> Path:
        """The file that holds `path`, for readers that want a file. DataError for a path that leaves the folder."""
        return Path(self._file(path))

    def read(self, path: str) -> bytes:
        return self.path(path).read_bytes()

    def read_range(self, path: str, offset: int, size: int, etag: str = "") -> bytes:
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
        return sorted(self.entries(prefix))

    def entries(self, prefix: str = "") -> dict[str, Entry]:
        folder = self.root / PurePosixPath(prefix).parent if "/" in prefix else self.root
        if prefix.endswith("/"):
            folder = self.root / prefix
        found = (file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(TEMPORARY))
        named = ((file.relative_to(self.root).as_posix(), file) for file in found)
        return {name: Entry(file.stat().st_size) for name, file in named if name.startswith(prefix)}

    def upload(self, path: str, source: Path) -> Entry:
        target = self.path(path)
        with open(source, "rb") as content, _written_beside(target, content) as temporary:
            size = temporary.stat().st_size
            temporary.replace(target)
        sync_folder(target.parent)
        return Entry(size)

    def download(self, path: str, target: Path, size: int, etag: str = "") -> None:
        with open(self._file(path), "rb") as source, open(target, "wb") as copy:
            there = os.fstat(source.fileno()).st_size
            if there != size:
                raise DataError(wrong_size(self._file(path), size, there))
            shutil.copyfileobj(source, copy, COPIED_AT_ONCE)

    def delete(self, path: str) -> None:
        self.path(path).unlink(missing_ok=True)

    def _file(self, path: str) -> str:
        # Plain strings: this runs for every picture that is read, and Path objects cost more than the read.
        if not path or path.startswith("/") or ".." in path.split("/"):
            raise DataError(f"{path!r} is not a path inside {self.uri}")
        return f"{self.uri}/{path}"


def open_store(uri: str | Path, patience: Patience | None = None) -> Store:
    """The store at a plain path, a `file://` or an `s3://` address; DataError for any other kind of address.

    `patience` (seconds and bytes; of a store over the network) is Patience() unless given; an address's own deadline
    goes before it. Nothing is sent or read yet.
    """
    if isinstance(uri, str) and is_remote(uri):
        from data_shards.s3.store import S3Store  # its libraries are heavy, and a folder needs none of them

        return S3Store(parse(uri), patience or Patience())
    return FolderStore(local_folder(uri))


def wrong_size(what: str, wanted: int, there: int) -> str:
    """How an error about content of another length than promised reads."""
    return f"{what} holds {there} bytes where {wanted} are expected: it is not what was described; index the data again"


def local_folder(uri: str | Path) -> Path:
    """The folder that a plain path or a `file://` address means (`~` is the home folder).

    Raises DataError for an address of another kind, and for one that no file system could hold.
    """
    if isinstance(uri, Path):
        return _plain_folder(str(uri))
    if not uri:
        raise DataError("an empty address; give the path of a folder")
    if uri.lower().startswith("file:") and "://" not in uri:
        raise DataError(f"{uri} is no address; a local path is written file:///path/of/folder, or without file:")
    if "://" not in uri:
        return _plain_folder(uri)
    try:
        address = urlsplit(uri)
    except ValueError as error:
        raise DataError(f"{uri!r} is no address ({error}); a local path is written file:///path/of/folder") from error
    if address.scheme != "file":
        raise DataError(
            f"{uri}: {address.scheme}:// is neither a folder of this machine nor s3://; give the path of a folder or s3://bucket/prefix"
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
def named(path: Path) -> Iterator[None]:
    """Let an OSError of the block that names no file, as of a write to a full disk, say where it was."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


@contextmanager
def _written_beside(target: Path, data: bytes | IO[bytes]) -> Iterator[Path]:
    """A durable temporary file with `data` beside `target`; gone at the end unless it was renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{TEMPORARY}{target.name}-", dir=target.parent)
    temporary = Path(name)
    try:
        with named(target), os.fdopen(handle, "wb") as file:
            if hasattr(data, "read"):
                shutil.copyfileobj(data, file, COPIED_AT_ONCE)
            else:
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp makes it private; shards are shared
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
