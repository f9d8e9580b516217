"""One bucket: the names in it, the client of this process, and requests whose failures have a meaning.

Requests that fail in passing raise Transient; who sends them decides with `Tries` how often.
"""

import base64
import hashlib
import os
import threading
from collections.abc import Callable
from typing import Any

from data_shards.address import Address
from data_shards.counters import COUNTS
from data_shards.errors import DataError
from data_shards.s3.blocks import Checksums, ReadRange
from data_shards.s3.client import make_client
from data_shards.s3.errors import FAILURES, meaning
from data_shards.transfer import Call, Pace, Patience, Tries

CHECKSUMS = "crc32c"  # name of the metadata that holds the checksums of an object's blocks
TOKEN = "token"  # name of the metadata that says which call made an object


class Bucket:
    """A bucket and the prefix in it that `address` names. Threads may share it; a forked process makes its own client."""

    def __init__(self, address: Address, patience: Patience) -> None:
        self.address = address
        self.patience = patience
        self.seen = False  # whether it is known to exist
        self._made: tuple[int, Any, Any] = (0, None, None)  # the process that made the client, it, what sends for it
        self._lock = threading.Lock()

    @property
    def client(self) -> Any:
        """The client of this process; made when it is first wanted, because that takes a tenth of a second."""
        with self._lock:
            if self._made[0] != os.getpid():
                self._made = os.getpid(), *make_client(self.address, self.patience)
            return self._made[1]

    @property
    def base(self) -> str:
        """What every key below the prefix starts with."""
        return f"{self.address.prefix}/" if self.address.prefix else ""

    def place(self, path: str = "") -> str:
        """The address of `path` as people read it in an error."""
        endpoint = self.address.options.get("endpoint")
        plain = f"{self.address.plain}/{path}" if path else self.address.plain
        return f"{plain} at {endpoint}" if endpoint else plain

    def names(self, path: str) -> dict[str, Any]:
        """The names of the object `path` in a request. DataError for a path that leaves the prefix."""
        if not path or any(part in ("", ".", "..") for part in path.split("/")):
            raise DataError(f"{path!r} is not a path inside {self.address.plain}")
        return {"Bucket": self.address.bucket, "Key": self.base + path}

    def call(self, path: str = "", size: int = 0) -> Call:
        """A call about `path` that moves `size` bytes."""
        return Call(self.patience, self.place(path), size)

    def send(self, operation: Callable[..., Any], path: str = "", wait: float | None = None, **options: Any) -> Any:
        """The reply to one request. Raises what its failure means: Transient, DataError or FileNotFoundError.

        `wait`: seconds for the next bytes; as many as the patience allows where it is not given.
        """
        self._made[2].thread.read_timeout = wait
        try:
            reply = operation(**options)
        except FAILURES as failure:
            raise meaning(failure, self.place(path)) from failure
        self.seen = True
        return reply

    def ask(self, operation: Callable[..., Any], path: str = "", **options: Any) -> Any:
        """The reply to a request that may be sent any number of times, tried until the deadline."""
        tries = Tries(self.call(path))
        return tries.persist(lambda: self.send(operation, path, wait=tries.read_timeout, **options))

    def head(self, path: str) -> dict[str, Any]:
        """What the store knows about an object; FileNotFoundError where there is none."""
        found: dict[str, Any] = self.ask(self.client.head_object, path, **self.names(path))
        return found

    def token(self, path: str) -> str:
        """What the call that made the object gave as its token; "" where nobody did, or nothing is there."""
        try:
            return metadata(self.head(path)).get(TOKEN, "")
        except FileNotFoundError:
            return ""

    def put(self, call: Call, path: str, data: bytes, token: str = "", **conditions: Any) -> str:
        """Send a whole object in one request; returns its etag."""
        view = memoryview(data)

        def read(offset: int, size: int) -> memoryview:
            return view[offset : offset + size]

        reply = self.send(
            self.client.put_object,
            path,
            **self.names(path),
            **conditions,
            Body=Outgoing(call, read, 0, len(view)),
            ContentMD5=md5(read, 0, len(view)),
            Metadata=labels(Checksums.of(len(view), read), token),
        )
        COUNTS.add("bytes_sent", len(view))
        return bare(reply["ETag"])


class Outgoing:
    """`size` bytes from `offset` of some content as a file to read. Transient where they are taken too slowly.

    A file and not bytes: those would have to be gone within one time-out, however many they are.
    """

    def __init__(self, call: Call, read: ReadRange, offset: int, size: int) -> None:
        self._call = call
        self._content = read
        self._offset = offset
        self._size = size
        self._at = 0
        self._pace = Pace(call.patience)

    def __len__(self) -> int:
        return self._size

    def read(self, size: int | None = -1) -> bytes:
        """The next `size` bytes, all that are left for none or -1. Stopped where the call is over."""
        self._call.go_on()
        left = self._size - self._at
        size = left if size is None or size < 0 else min(size, left)
        chunk = bytes(self._content(self._offset + self._at, size))
        self._at += size
        self._pace.add(size)
        return chunk

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position counted from the start (or what `whence` says); returns it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = start + position
        self._pace = Pace(self._call.patience)  # what was read before was read to sign it, not to send it
        return self._at

    def tell(self) -> int:
        return self._at


def md5(read: ReadRange, offset: int, size: int) -> str:
    """The Content-MD5 of that content: of all checksums of a request the one that every server verifies."""
    digest = hashlib.md5(usedforsecurity=False)
    for start in range(offset, offset + size, MD5_STEP):
        digest.update(read(start, min(MD5_STEP, offset + size - start)))
    return base64.b64encode(digest.digest()).decode()


MD5_STEP = 1 << 20  # bytes


def labels(checksums: Checksums, token: str) -> dict[str, str]:
    """The metadata of an object."""
    return {name: text for name, text in ((CHECKSUMS, str(checksums)), (TOKEN, token)) if text}


def metadata(reply: dict[str, Any]) -> dict[str, str]:
    """The metadata of the object that a reply is about; some servers change the case of the names."""
    return {name.lower(): text for name, text in reply.get("Metadata", {}).items()}


def bare(etag: str) -> str:
    """An ETag without what belongs to HTTP: quotes, and the mark of a proxy that took it for a weak one."""
    return etag.removeprefix("W/").strip('"')
