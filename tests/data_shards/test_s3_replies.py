"""Replies that no server at hand gives: fetched from a script, byte by byte."""

import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest

from data_shards.errors import DataError
from data_shards.s3.blocks import BLOCK, MOST, Checksums, blocks
from data_shards.s3.fetch import Fetch, Memory, Reply
from data_shards.s3.store import reply_of
from data_shards.transfer import Call, Patience, Transient

QUICK = Patience(first_pause=0.0)
CONTENT = b"0123456789" * 100


class Script:
    """A store with one object whose replies are listed; it notes what was asked for."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[int, int | None, str]] = []

    def __call__(self, offset: int, end: int | None, etag: str, wait: float) -> Reply:
        self.asked.append((offset, end, etag))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return Reply(**{"start": offset, "total": len(CONTENT), "etag": "e", "checksums": "", "md5": False, **reply})


def fetched(script: Script) -> bytes:
    memory = Memory()
    Fetch(Call(QUICK, "s3://bucket/one"), script, memory).whole()
    return bytes(memory.content)


def test_what_broke_off_goes_on_at_the_same_version() -> None:
    script = Script(
        {"body": BytesIO(CONTENT[:300])},
        Transient("reset", "gone"),
        {"body": BytesIO(CONTENT[300:301])},
        {"body": BytesIO(CONTENT[301:])},
    )
    assert fetched(script) == CONTENT
    assert script.asked == [(0, None, ""), (300, 1000, "e"), (300, 1000, "e"), (301, 1000, "e")]


def test_content_of_another_place_or_of_too_many_bytes_is_not_taken() -> None:
    script = Script(
        {"body": BytesIO(CONTENT[:300])},
        {"body": BytesIO(CONTENT), "start": 0},
        {"body": BytesIO(CONTENT[300:] + b"more")},
        {"body": BytesIO(CONTENT[300:])},
    )
    assert fetched(script) == CONTENT
    assert not script.replies


def test_an_etag_that_is_no_md5_costs_one_more_reading() -> None:
    etag = {"etag": "0" * 32, "md5": True}
    script = Script({"body": BytesIO(CONTENT), **etag}, {"body": BytesIO(CONTENT), **etag})
    assert fetched(script) == CONTENT
    assert not script.replies


def test_content_that_is_never_the_same_is_refused() -> None:
    replies = [{"body": BytesIO(os.urandom(len(CONTENT))), "etag": "0" * 32, "md5": True} for _ in range(6)]
    with pytest.raises(OSError, match="s3://bucket/one reads differently each of 6 times; check the network"):
        fetched(Script(*replies))


@pytest.mark.parametrize(
    ("reply", "ranged", "told"),
    [
        ({"ContentLength": 10}, True, "the server does not send ranges of an object; it cannot be used"),
        ({"ETag": '"e"'}, False, "the server does not say how long the object is; is a proxy in between"),
    ],
)
def test_a_server_that_cannot_be_read_safely_is_told(reply: dict[str, Any], ranged: bool, told: str) -> None:
    with pytest.raises(DataError, match=f"s3://bucket/one: {told}"):
        reply_of("s3://bucket/one", {**reply, "Body": BytesIO()}, ranged)


def test_what_a_reply_says() -> None:
    md5 = "0123456789abcdef0123456789abcdef"  # pragma: allowlist secret
    said = {"Body": BytesIO(), "ContentRange": "bytes 5-9/40", "ContentLength": 5, "ETag": f'W/"{md5}"'}
    reply = reply_of("", {**said, "Metadata": {"Crc32c": "sums"}}, True)
    assert (reply.start, reply.total, reply.etag, reply.checksums, reply.md5) == (5, 40, md5, "sums", True)
    assert not reply_of("", {**said, "ServerSideEncryption": "aws:kms"}, True).md5
    assert not reply_of("", {**said, "ETag": f'"{md5}-3"'}, True).md5


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, MOST * BLOCK, MOST * BLOCK + 1, 5 << 40])
def test_blocks_cover_an_object_and_their_checksums_fit_into_metadata(size: int) -> None:
    spans = blocks(size)
    assert [offset for offset, _ in spans] == [sum(length for _, length in spans[:i]) for i in range(len(spans))]
    assert sum(length for _, length in spans) == size
    sums = Checksums(size, tuple(range(len(spans))))
    assert len(str(sums)) < 1500
    assert Checksums.parse(str(sums), size) == sums
    assert Checksums.parse("nonsense", size) is None


STARTS_A_SERVER = """
import sys, time
from pathlib import Path
from tests.seaweed import seaweedfs
with seaweedfs(Path(sys.argv[1])) as server:
    print(server.process.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.usefixtures("seaweed")  # skips where no server can be started
def test_the_server_dies_with_a_killed_test_run(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS_A_SERVER, str(tmp_path / "seaweed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        server = psutil.Process(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
    server.wait(timeout=60)
    assert not server.is_running()
