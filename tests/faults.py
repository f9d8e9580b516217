"""A network that fails on purpose: a proxy in front of a real S3 server, with faults drawn from a seed or scripted.

Requests pass unchanged (the signature covers the Host that the client names, which is the proxy's). The surprise is
`flip`: a request that carries content arrives with one wrong byte, every other one is answered with one.
"""

import asyncio
import hashlib
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

KINDS = ("503", "slowdown", "reset", "truncate", "flip", "hang", "drip", "lost")
CHUNK = 1 << 18  # bytes
DRIP, DRIP_PAUSE = 256, 0.05  # bytes, seconds
BROKEN = (OSError, EOFError, asyncio.LimitOverrunError)  # what a connection that ends in mid-sentence raises


class Request(NamedTuple):
    number: int  # 0, 1, 2, ... in order of arrival
    method: str
    path: str  # with the query


Schedule = Callable[[Request], str | None]  # one of KINDS, or None: the request passes


def by_seed(seed: int, share: float = 0.05, kinds: Sequence[str] = KINDS) -> Schedule:
    """That share of the requests fails, each kind as often; the same numbers every time."""

    def fate(request: Request) -> str | None:
        drawn = _drawn(seed, request.number)
        return kinds[int(drawn / share * len(kinds))] if drawn < share else None

    return fate


def first(*kinds: str | None) -> Schedule:
    """The first requests meet these fates, in this order; all later ones pass."""
    return lambda request: kinds[request.number] if request.number < len(kinds) else None


class Faulty:
    """The running proxy: `endpoint` to give to a client, `done` what was done to requests so far."""

    def __init__(self, target: str, schedule: Schedule) -> None:
        where = urlsplit(target)
        self._target = (where.hostname, where.port)
        self._schedule = schedule
        self.requests: list[Request] = []
        self.done: Counter[str] = Counter()
        self._writers: set[asyncio.StreamWriter] = set()
        self._silent = False
        self._server: asyncio.Server | None = None
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faults", daemon=True)
        self._thread.start()
        self.mend()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def uri(self, place: str) -> str:
        """The address of `bucket` or `bucket/prefix` behind this proxy."""
        return f"s3://{place}?endpoint={self.endpoint}"

    def cut(self, *, silent: bool = False) -> None:
        """An outage: connections break and new ones are refused or, if `silent`, accepted and never answered."""
        self._run(self._cut(silent))

    def mend(self) -> None:
        """The end of an outage."""
        self._run(self._mend())

    def close(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _mend(self) -> None:
        self._silent = False
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=CHUNK)
            self._port = self._server.sockets[0].getsockname()[1]

    async def _cut(self, silent: bool) -> None:
        self._silent = silent
        if not silent and self._server is not None:
            self._server.close()
            self._server = None
        for writer in set(self._writers):
            _reset(writer)

    async def _close(self) -> None:
        await self._cut(silent=False)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for _ in range(3):  # rounds of the loop until what was closed is gone
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, with one to the server behind it."""
        self._writers.add(writer)
        behind: asyncio.StreamWriter | None = None
        try:
            answers, behind = await asyncio.open_connection(*self._target, limit=CHUNK)
            while await self._pass_one(reader, writer, answers, behind):
                pass
        except (*BROKEN, asyncio.CancelledError):  # the latter at the end of the proxy
            _reset(writer)
        finally:
            self._writers.discard(writer)
            writer.close()
            if behind is not None:
                behind.close()

    async def _pass_one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        behind: asyncio.StreamWriter,
    ) -> bool:
        """Pass a request and its answer on, or do to them what is their fate; False where the connection is done."""
        head = await reader.readuntil(b"\r\n\r\n")
        request = Request(len(self.requests), *head.decode("latin-1").split(" ", 2)[:2])
        self.requests.append(request)
        fate = "hang" if self._silent else self._schedule(request)
        self.done[fate or "passed"] += 1
        if re.search(rb"(?i)\r\nexpect: *100-continue\r\n", head):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)\r\nexpect: *100-continue\r\n", b"\r\n", head)
        content = await reader.readexactly(_length(head) or 0)
        where = _drawn(len(content), request.number)
        if fate == "hang":
            await reader.read()  # until the client has had enough
            return False
        if fate in ("503", "slowdown"):
            code = b"SlowDown" if fate == "slowdown" else b"ServiceUnavailable"
            text = b"<Error><Code>%s</Code><Message>on purpose</Message></Error>" % code
            writer.write(b"HTTP/1.1 503 on purpose\r\nContent-Length: %d\r\n\r\n" % len(text))
            writer.write(b"" if request.method == "HEAD" else text)
            await writer.drain()
            return True
        if fate == "reset" and where < 0.5:
            raise ConnectionResetError
        if fate == "flip" and content:
            content, fate = _flipped(content, where), None
        behind.write(head)
        behind.write(content)
        await behind.drain()
        return await self._answer(request, fate, where, writer, answers)

    async def _answer(
        self,
        request: Request,
        fate: str | None,
        where: float,
        writer: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
    ) -> bool:
        head = await answers.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        length = 0 if request.method == "HEAD" or status in (204, 304) else _length(head)
        if length is None:
            raise NotImplementedError("an answer without Content-Length")
        stop = int(where * length) if fate in ("truncate", "reset") else length
        flip = int(where * length) if fate == "flip" and length else -1
        if fate == "lost" or (fate in ("truncate", "reset") and not length):
            stop, head = 0, b""
        step = DRIP if fate == "drip" else CHUNK
        writer.write(head)
        at = 0
        while at < stop:
            chunk = await answers.read(min(step, stop - at))
            if not chunk:
                raise EOFError
            if at <= flip < at + len(chunk):
                chunk = _flipped(chunk, (flip - at) / len(chunk))
            writer.write(chunk)
            at += len(chunk)
            if fate == "drip":
                await asyncio.sleep(DRIP_PAUSE)
            await writer.drain()
        await writer.drain()
        if fate in ("reset", "lost"):
            raise ConnectionResetError
        return fate != "truncate"


@contextmanager
def faulty(endpoint: str, schedule: Schedule) -> Iterator[Faulty]:
    """A proxy in front of the server at `endpoint`, for as long as the block lasts."""
    proxy = Faulty(endpoint, schedule)
    try:
        yield proxy
    finally:
        proxy.close()


def _drawn(seed: int, number: int) -> float:
    digest = hashlib.blake2b(b"%d/%d" % (seed, number), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _length(head: bytes) -> int | None:
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return int(found[1]) if found else None


def _flipped(data: bytes, where: float) -> bytes:
    at = min(int(where * len(data)), len(data) - 1)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection as a dying machine does: the other end gets a reset, not an end."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
