"""Writes WebDataset tar files byte by byte the same every time, and knows where each picture came to lie.

The surprise is how little a tar is: a 512-byte header before each file, padding after it, 1,024 zeros at the end.
Owner, time and mode are constants here, so that equal pictures make equal shards.
"""

import hashlib
import os
import tarfile
from pathlib import Path
from types import TracebackType

BLOCK = tarfile.BLOCKSIZE


class TarWriter:
    """One tar file being written: `add` files in order, read `bytes` and `sha256` after the `with` block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._hash = hashlib.sha256()
        self._file = path.open("xb")

    @property
    def sha256(self) -> str:
        """Hex hash of all that was written."""
        return self._hash.hexdigest()

    def add(self, name: str, data: bytes) -> int:
        """Append a file; returns the offset of its first byte. name: ASCII, up to 100 characters."""
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._write(info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict"))
        offset = self.bytes
        self._write(data + bytes(-len(data) % BLOCK))
        return offset

    def __enter__(self) -> "TarWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file as file:
            if kind is None:
                self._write(bytes(2 * BLOCK))
                file.flush()
                os.fsync(file.fileno())

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)
