"""The store that speaks S3: AWS, and every server that looks like it.

Each object that is written carries the checksums of its blocks as metadata, and each one that is read is checked
against them, because no store checks a range. The surprise is the token of `create`: an answer that got lost says
nothing about who made the object, so the object says it itself.
"""

import os
import re
import uuid
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from data_shards.address import Address
from data_shards.counters import COUNTS
from data_shards.errors import DataError
from data_shards.s3.blocks import blocks
from data_shards.s3.bucket import CHECKSUMS, Bucket, bare, metadata
from data_shards.s3.errors import REFUSED, Refused
from data_shards.s3.fetch import Changed, Fetch, Memory, OnDisk, Reply, changed
from data_shards.s3.upload import LARGE, PARTS_AT_ONCE, Upload
from data_shards.store import Entry
from data_shards.transfer import Patience, Transient, Tries, in_parallel

VERSIONS = 5  # of an object that is replaced again and again while it is read whole
LISTINGS = 20  # of one page that comes out differently each time
MD5 = re.compile(r"[0-9a-f]{32}")


Page = tuple[list[tuple[str, Entry]], bool]  # keys with their entries, in order; whether more follow


class S3Store:
    """A `Store` in a bucket, below a prefix. Threads may share it; a forked or unpickled one makes its own client.

    `patience` gives way to the address's own deadline.
    """

    remote = True

    def __init__(self, address: Address, patience: Patience) -> None:
        self.uri = str(address)
        self.address = address
        self.patience = patience
        deadline = address.deadline
        self._conditional = False  # whether the server is known to keep to If-None-Match
        self._bucket = Bucket(address, replace(patience, deadline=deadline) if deadline else patience)

    def __reduce__(self) -> tuple[Any, ...]:
        return S3Store, (self.address, self.patience)

    def read(self, path: str) -> bytes:
        for _ in range(VERSIONS):
            memory = Memory()
            try:
                Fetch(self._bucket.call(path), partial(self._get, path), memory).whole()
            except Changed:
                continue  # one version, whole, is what was asked for: whichever
            return bytes(memory.content)
        raise Changed(changed(self._bucket.place(path)))

    def read_range(self, path: str, offset: int, size: int, etag: str = "") -> bytes:
        memory = Memory(offset)
        Fetch(self._bucket.call(path, size), partial(self._get, path), memory, bare(etag)).part(offset, size)
        return bytes(memory.content)

    def download(self, path: str, target: Path, size: int, etag: str = "") -> None:
        call = self._bucket.call(path, size)
        with OnDisk(target, size) as file:
            fetch = Fetch(call, partial(self._get, path), file, bare(etag), size)
            if size:
                in_parallel(call, [partial(fetch.part, *block) for block in blocks(size)], PARTS_AT_ONCE)
            else:
                fetch.whole()

    def write(self, path: str, data: bytes) -> None:
        if len(data) > LARGE:
            view = memoryview(data)
            Upload(self._bucket, path, len(data), lambda offset, size: view[offset : offset + size]).run()
            return
        call = self._bucket.call(path, len(data))
        Tries(call).persist(lambda: self._bucket.put(call, path, data))

    def upload(self, path: str, source: Path) -> Entry:
        with open(source, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGE:
                etag = Upload(
                    self._bucket, path, size, lambda offset, count: os.pread(file.fileno(), count, offset)
                ).run()
                return Entry(size, etag)
            data = file.read()
        call = self._bucket.call(path, len(data))
        return Entry(len(data), Tries(call).persist(lambda: self._bucket.put(call, path, data)))

    def create(self, path: str, data: bytes) -> bool:
        token = uuid.uuid4().hex
        made = self._create(path, data, token)
        # A server that does not know the condition would let everyone be first. So the first time, ask again.
        if made and not self._conditional and self._create(path, data, token, again=True):
            raise DataError(
                f"{self._bucket.place(path)}: the server does not keep to If-None-Match, so that two processes could"
                " both come first; use another server, or a newer version of it"
            )
        self._conditional = True
        return made

    def _create(self, path: str, data: bytes, token: str, *, again: bool = False) -> bool:
        """Whether the object is made by the call with this `token` or, with `again`, was made by it a second time."""
        call = self._bucket.call(path, len(data))
        tries, in_doubt = Tries(call), False
        while True:
            try:
                self._bucket.put(call, path, data, token, IfNoneMatch="*")
                return True
            except Transient as failure:
                in_doubt = True  # it may have been made all the same
                tries.failed(failure)
            except Refused as refusal:
                if refusal.status != 412:
                    raise
                return in_doubt and not again and self._bucket.token(path) == token

    def exists(self, path: str) -> bool:
        try:
            self._bucket.head(path)
        except FileNotFoundError:
            self._check_bucket()
            return False
        return True

    def delete(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._bucket.ask(self._bucket.client.delete_object, path, **self._bucket.names(path))

    def list(self, prefix: str = "") -> list[str]:
        return sorted(self.entries(prefix))

    def entries(self, prefix: str = "") -> dict[str, Entry]:
        base = self._bucket.base
        found: dict[str, Entry] = {}
        last, more = "", True
        while more:
            items, more = self._page(base + prefix, last)
            if more and not items:
                raise DataError(
                    f"{self._bucket.place()}: the server's listing goes on without a name; list less at once"
                )
            # A key that ends with / is what a console makes of a "new folder".
            found.update((key[len(base) :], entry) for key, entry in items if not key.endswith("/"))
            last = items[-1][0] if items else ""
        return found

    def _page(self, prefix: str, last: str) -> Page:
        """Keys after `last` with their entries, and whether there are more.

        Nothing protects a listing on its way over plain http, so there a page counts when it came out the same twice.
        """
        page = self._page_once(prefix, last)
        if self._bucket.client.meta.endpoint_url.startswith("https://"):
            return page
        for _ in range(LISTINGS):
            before, page = page, self._page_once(prefix, last)
            if page == before:
                break
            COUNTS.add("retries_corrupt")
        return page

    def _page_once(self, prefix: str, last: str) -> Page:
        options = {"Bucket": self.address.bucket, "Prefix": prefix, **({"StartAfter": last} if last else {})}
        reply = self._bucket.ask(self._bucket.client.list_objects_v2, **options)
        items = [(item["Key"], Entry(item["Size"], bare(item["ETag"]))) for item in reply.get("Contents", ())]
        return items, bool(reply["IsTruncated"])

    def _get(self, path: str, offset: int, end: int | None, etag: str, wait: float) -> Reply:
        """Ask once for bytes `offset` to `end` (None: all) of that version ("": any)."""
        bucket = self._bucket
        options = bucket.names(path)
        ranged = bool(offset) or end is not None
        if ranged:
            options["Range"] = f"bytes={offset}-{'' if end is None else end - 1}"
        if etag:
            options["IfMatch"] = f'"{etag}"'
        try:
            reply = bucket.send(bucket.client.get_object, path, wait, **options)
        except Refused as refusal:
            if refusal.status == 412:
                bucket.head(path)  # some servers say 412 also where nothing is there
                raise Changed(changed(bucket.place(path))) from refusal
            if refusal.status == 416:
                there = bucket.head(path)
                return Reply(offset, there["ContentLength"], bare(there["ETag"]), "", False, BytesIO())
            raise
        return reply_of(bucket.place(path), reply, ranged)

    def _check_bucket(self) -> None:
        """DataError where the bucket does not exist: a HEAD does not say what it is that is missing."""
        bucket = self._bucket
        if bucket.seen:
            return
        try:
            bucket.ask(bucket.client.head_bucket, Bucket=self.address.bucket)
        except FileNotFoundError as failure:
            raise DataError(f"{bucket.place()}: {REFUSED['NoSuchBucket']}") from failure
        except Refused as refusal:
            if refusal.status != 403:  # who may read objects need not be allowed to ask about buckets
                raise
        bucket.seen = True


def reply_of(place: str, reply: dict[str, Any], ranged: bool) -> Reply:
    """What a reply to a GET says. DataError where the server does not say enough to read safely."""
    start, total = 0, reply.get("ContentLength")
    if match := re.fullmatch(r"bytes (\d+)-\d+/(\d+)", reply.get("ContentRange", "")):
        start, total = int(match[1]), int(match[2])
    elif ranged:
        reply["Body"].close()
        raise DataError(f"{place}: the server does not send ranges of an object; it cannot be used")
    if total is None:
        reply["Body"].close()
        raise DataError(f"{place}: the server does not say how long the object is; is a proxy in between?")
    etag = bare(reply.get("ETag", ""))
    secret = str(reply.get("ServerSideEncryption", "")).startswith("aws:kms") or "SSECustomerAlgorithm" in reply
    md5 = bool(MD5.fullmatch(etag)) and not secret
    return Reply(start, int(total), etag, metadata(reply).get(CHECKSUMS, ""), md5, reply["Body"])
