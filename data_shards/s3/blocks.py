"""An object in blocks: what is fetched at once, sent at once, and checked by itself.

A checksum of the whole would not be enough: where one byte in a gigabyte is wrong now and then, a whole gigabyte never
arrives right, but each block does. The checksums travel as metadata of the object, so its size bounds their number.
"""

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass

import google_crc32c

BLOCK = 8 << 20  # bytes
MOST = 256  # blocks of one object; larger objects have larger blocks (S3 holds 2 KB of metadata)

ReadRange = Callable[[int, int], bytes | memoryview]  # (offset, size) -> content


def block_size(size: int) -> int:
    """The size of the blocks of an object of `size` bytes; its last block may be smaller."""
    block = BLOCK
    while block * MOST < size:
        block *= 2
    return block


def blocks(size: int) -> list[tuple[int, int]]:
    """(offset, size) of each block, in order."""
    block = block_size(size)
    return [(offset, min(block, size - offset)) for offset in range(0, size, block)]


@dataclass(frozen=True)
class Checksums:
    """The CRC32C of each block of an object of `size` bytes."""

    size: int
    values: tuple[int, ...]

    @classmethod
    def of(cls, size: int, read: ReadRange) -> "Checksums":
        """Computed from the content."""
        return cls(size, tuple(crc32c(read, offset, length) for offset, length in blocks(size)))

    @classmethod
    def parse(cls, text: str, size: int) -> "Checksums | None":
        """From an object's metadata; None where the text does not belong to an object of this size."""
        count = len(blocks(size))
        try:
            values = struct.unpack(f">{count}I", base64.b64decode(text, validate=True))
        except (ValueError, struct.error):
            return None
        return cls(size, values)

    def __str__(self) -> str:
        return base64.b64encode(struct.pack(f">{len(self.values)}I", *self.values)).decode()

    def wrong(self, offset: int, size: int, read: ReadRange) -> list[tuple[int, int]]:
        """The blocks that lie wholly within `size` bytes from `offset` and do not fit their checksum."""
        inside = [
            (start, length, value)
            for (start, length), value in zip(blocks(self.size), self.values, strict=True)
            if offset <= start and start + length <= offset + size
        ]
        return [(start, length) for start, length, value in inside if crc32c(read, start, length) != value]


def crc32c(read: ReadRange, offset: int, size: int) -> int:
    """The CRC32C of `size` bytes from `offset`, read in steps. OSError where there are fewer."""
    checksum = 0
    for start in range(offset, offset + size, STEP):
        wanted = min(STEP, offset + size - start)
        chunk = bytes(read(start, wanted))
        if len(chunk) != wanted:
            raise OSError(f"content ends early: {wanted} bytes wanted at {start}, {len(chunk)} there")
        checksum = google_crc32c.extend(checksum, chunk)
    return checksum


STEP = 1 << 20  # bytes read at once
