"""Brings the content of an object here, whole and right: goes on where a reply broke off, fetches again what is wrong.

Knows nothing of S3: a reply is a size, a version and a body. Each byte counts as received once, at its place; what
checksums the object carries decide whether it was received right.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from data_shards.counters import COUNTS
from data_shards.errors import DataError
from data_shards.s3.blocks import Checksums
from data_shards.store import wrong_size
from data_shards.transfer import Call, Stopped, Transient, Tries

CHUNK = 1 << 18  # bytes read at once
TRIES_OF_A_BLOCK = 6  # that do not fit the checksum, before the object itself counts as damaged


class Body(Protocol):
    """The content of a reply as it comes. Transient where it breaks off, stalls or comes too slowly."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, as soon as there are any; empty at the end."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Reply:
    """What a store answers to a request for content from byte `start` on."""

    start: int
    total: int  # bytes of the whole object
    etag: str
    checksums: str  # as stored with the object, "" where there are none
    md5: bool  # whether the etag may be the MD5 of the content
    body: Body


# (offset, end or None for all, etag or "", seconds to wait for the next bytes) -> Reply
Get = Callable[[int, int | None, str, float], Reply]


class Changed(DataError):
    """The object is not the version that was asked for."""


class Sink(Protocol):
    """Where content goes."""

    def put(self, offset: int, chunk: bytes, /) -> None: ...

    def get(self, offset: int, size: int, /) -> bytes | memoryview: ...


class Memory:
    """Content of an object from byte `start` on, kept in memory."""

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.content = bytearray()

    def put(self, offset: int, chunk: bytes) -> None:
        at = offset - self.start
        self.content[at : at + len(chunk)] = chunk

    def get(self, offset: int, size: int) -> memoryview:
        return memoryview(self.content)[offset - self.start : offset - self.start + size]


class OnDisk:
    """The content of an object in the file `target`, which is made `size` bytes long.

    A thread that is late, because the call was given up, finds it closed and does not write into some other file.
    """

    def __init__(self, target: Path, size: int) -> None:
        self._lock = threading.Lock()
        self._open = True
        self._file = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.truncate(self._file, size)
        except OSError:
            os.close(self._file)
            raise

    def __enter__(self) -> "OnDisk":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._open = False
            os.close(self._file)

    def put(self, offset: int, chunk: bytes) -> None:
        view = memoryview(chunk)
        with self._lock:
            while view:
                written = os.pwrite(self._descriptor(), view, offset)
                view, offset = view[written:], offset + written

    def get(self, offset: int, size: int) -> bytes:
        with self._lock:
            return os.pread(self._descriptor(), size, offset)

    def _descriptor(self) -> int:
        if not self._open:
            raise Stopped
        return self._file


class Fetch:
    """One object on its way into `sink`. With `etag`, or from the first reply on, only that version is accepted.

    With `total`, an object of another size raises DataError. `part` may run in many threads at once.
    """

    def __init__(self, call: Call, get: Get, sink: Sink, etag: str = "", total: int | None = None) -> None:
        self.call = call
        self.sink = sink
        self.etag = etag
        self.total = total
        self._get = get
        self._checksums: Checksums | None = None
        self._md5 = False
        self._lock = threading.Lock()

    def whole(self) -> None:
        """Fetch everything. OSError where the object itself is damaged."""
        self._stream(0, None)
        assert self.total is not None
        if self._checksums is not None:
            self._mend(0, self.total)
        elif self._md5:
            self._until_two_agree(self.total)

    def part(self, offset: int, size: int) -> None:
        """Fetch the `size` bytes from `offset`. OSError where the object ends before that, or is damaged."""
        self._stream(offset, offset + size)
        self._mend(offset, size)

    def _stream(self, offset: int, end: int | None) -> None:
        """Receive bytes `offset` to `end` (None: all), in as many replies as it takes."""
        tries, at = Tries(self.call), offset
        while end is None or at < end:
            self.call.go_on()
            try:
                reply = self._get(at, end, self.etag, tries.read_timeout)
                with closing(reply.body) as body:
                    self._accept(reply, at)
                    end = self._end(reply, offset, end)
                    while chunk := body.read(CHUNK):
                        self.call.go_on()
                        if at + len(chunk) > end:
                            raise Transient("corrupt", f"more content than the {end - offset} bytes asked for")
                        self.sink.put(at, chunk)
                        at += len(chunk)
                        tries.progress(len(chunk))
                if at < end:
                    raise Transient("truncated", f"content ended at byte {at} of {end}")
            except Transient as failure:
                tries.failed(failure)

    def _end(self, reply: Reply, offset: int, end: int | None) -> int:
        """Where the content ends that is to be received from `offset` on."""
        if end is None:
            self.call.expects(reply.total)
            return reply.total
        if end > reply.total:
            there = max(0, reply.total - offset)
            raise OSError(f"{self.call.place} ends early: {end - offset} bytes wanted at {offset}, {there} there")
        return end

    def _accept(self, reply: Reply, at: int) -> None:
        """Take note of what a reply says about the object. Changed where it is of another version than earlier ones."""
        if reply.start != at:
            raise Transient("corrupt", f"content from byte {reply.start} where {at} was asked for")
        with self._lock:
            if self.etag and reply.etag != self.etag:
                raise Changed(changed(self.call.place))
            if self.total is not None and reply.total != self.total:
                raise DataError(wrong_size(self.call.place, self.total, reply.total))
            self.etag, self.total, self._md5 = reply.etag, reply.total, reply.md5
            if self._checksums is None and reply.checksums:
                self._checksums = Checksums.parse(reply.checksums, reply.total)

    def _mend(self, offset: int, size: int) -> None:
        """Fetch again the blocks in this range that do not fit their checksum."""
        if self._checksums is None:
            return
        wrong = self._checksums.wrong(offset, size, self.sink.get)
        for _ in range(TRIES_OF_A_BLOCK - 1):
            for start, length in wrong:
                COUNTS.add("retries_corrupt")
                self._stream(start, start + length)
            wrong = [span for start, length in wrong for span in self._checksums.wrong(start, length, self.sink.get)]
            if not wrong:
                return
        if wrong:
            start, length = wrong[0]
            raise OSError(
                f"{self.call.place} is damaged: bytes {start} to {start + length} do not fit the checksum stored with"
                f" it, read {TRIES_OF_A_BLOCK} times over; put the object there again"
            )

    def _until_two_agree(self, total: int) -> None:
        """Where only an etag vouches for the content: fetch again until it fits, or comes out the same twice.

        Most stores make the etag the MD5 of the content, but none has to.
        """
        seen: set[str] = set()
        while (digest := self._digest(total)) != self.etag and digest not in seen:
            seen.add(digest)
            if len(seen) == TRIES_OF_A_BLOCK:
                raise OSError(f"{self.call.place} reads differently each of {len(seen)} times; check the network")
            self._stream(0, total)
        if digest == self.etag:
            COUNTS.add("retries_corrupt", len(seen))

    def _digest(self, total: int) -> str:
        return hashlib.md5(self.sink.get(0, total), usedforsecurity=False).hexdigest()


def changed(place: str) -> str:
    """How an error about an object of another version reads."""
    return (
        f"{place} is not the version that was described, or was replaced while it was read; stop whatever writes it,"
        " then index the data again"
    )
