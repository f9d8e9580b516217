"""Sends a large object in parts, side by side: all of it appears at once, or nothing.

An upload that fails is aborted, so that no parts stay behind to be paid for; one that is killed cannot do that, which
is what a bucket's lifecycle rule for incomplete uploads is for.
"""

import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

from data_shards.counters import COUNTS
from data_shards.errors import DataError
from data_shards.s3.blocks import Checksums, ReadRange, blocks, crc32c
from data_shards.s3.bucket import Bucket, Outgoing, bare, labels, md5
from data_shards.s3.errors import Refused
from data_shards.transfer import Transient, Tries, in_parallel

LARGE = 16 << 20  # bytes; up to here one request is quicker than three
PARTS_AT_ONCE = 8
BEGINNINGS = 3  # of an upload that the server forgets
REFUSALS = 6  # of the list of parts


class Forgotten(OSError):
    """The server does not know the upload any more."""


class Upload:
    """`size` bytes of content on their way to `path`; `read` may be called by many threads at once."""

    def __init__(self, bucket: Bucket, path: str, size: int, read: ReadRange) -> None:
        self._bucket = bucket
        self._path = path
        self._size = size
        self._read = read
        self._call = bucket.call(path, size)
        self._token = uuid.uuid4().hex
        self._checksums = Checksums.of(size, read)

    def run(self) -> str:
        """Send everything; returns the object's etag."""
        beginning = 1
        while True:
            try:
                self._once()
                made = self._bucket.head(self._path)  # headers; what completed the upload was text, and may be wrong
                if made["ContentLength"] != self._size:
                    raise Forgotten(f"{self._call.place}: {made['ContentLength']} of {self._size} bytes arrived")
                return bare(made["ETag"])
            except Forgotten:
                if beginning == BEGINNINGS:
                    raise
            beginning += 1
            self._call = self._bucket.call(self._path, self._size)

    def _once(self) -> None:
        client = self._bucket.client
        metadata = labels(self._checksums, self._token)
        begun = self._persist(lambda: self._send(client.create_multipart_upload, Metadata=metadata))
        upload = str(begun["UploadId"])
        etags: dict[int, str] = {}
        with ExitStack() as undo:
            undo.callback(self._abort, upload)
            parts = enumerate(zip(blocks(self._size), self._checksums.values, strict=True), 1)
            jobs = [partial(self._part, upload, number, *block, value, etags) for number, (block, value) in parts]
            in_parallel(self._call, jobs, PARTS_AT_ONCE)
            self._complete(upload, etags)
            undo.pop_all()

    def _part(self, upload: str, number: int, offset: int, size: int, checksum: int, etags: dict[int, str]) -> None:
        if crc32c(self._read, offset, size) != checksum:
            raise DataError(f"what is being sent to {self._call.place} was changed meanwhile; stop whatever writes it")
        operation, digest = self._bucket.client.upload_part, md5(self._read, offset, size)

        def send() -> Any:
            body = Outgoing(self._call, self._read, offset, size)  # from the start, each time
            return self._send(operation, UploadId=upload, PartNumber=number, Body=body, ContentMD5=digest)

        etags[number] = self._persist(send)["ETag"]
        COUNTS.add("bytes_sent", size)

    def _complete(self, upload: str, etags: dict[int, str]) -> None:
        operation = self._bucket.client.complete_multipart_upload
        parts = {"Parts": [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]}
        for left in reversed(range(REFUSALS)):
            try:
                self._persist(lambda: self._send(operation, UploadId=upload, MultipartUpload=parts))
                return
            except Refused as refusal:
                if refusal.status != 400 or not left:
                    raise
                COUNTS.add("retries_corrupt")  # the list of parts is right, so it did not arrive as it was sent
            except Forgotten:
                if self._bucket.token(self._path) != self._token:  # else an answer got lost, not the upload
                    raise
                return

    def _send(self, operation: Callable[..., Any], **options: Any) -> Any:
        return self._bucket.send(operation, self._path, **self._bucket.names(self._path), **options)

    def _persist(self, send: Callable[[], Any]) -> Any:
        """The reply to a request about the upload, tried until the deadline. Forgotten where there is no such upload."""
        try:
            return Tries(self._call).persist(send)
        except FileNotFoundError as failure:
            raise Forgotten(f"{self._call.place}: the server has lost the upload; submit again") from failure

    def _abort(self, upload: str) -> None:
        """Once, because whatever ended the upload may end this too."""
        with suppress(Transient, DataError, FileNotFoundError):
            self._send(self._bucket.client.abort_multipart_upload, UploadId=upload)
