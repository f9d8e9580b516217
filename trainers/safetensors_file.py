"""The safetensors format, written and read a piece at a time, with the file's SHA-256 taken on the way.

The library can do either in one go only: it needs the whole file in memory to hash it, or a second pass over it. A file is 8
bytes that say how long its header is, the header (JSON: name -> dtype, shape, place), and the tensors' bytes without a gap.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

PIECE = 1 << 20  # bytes hashed, and read or written, at once: they stay in the processor's cache
LONGEST_HEADER = 8_000_000  # bytes: tens of thousands of tensors
MOST_DIMENSIONS = 64
LARGEST_TENSOR = 2**62  # bytes, also with its sizes of 0 taken for 1: torch counts strides that way
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Malformed(ValueError):
    """A file that is not in the format, or lies about what it holds."""


def write_tensors(tensors: Mapping[str, Tensor], file: Path) -> tuple[int, str]:
    """Make `file` hold the tensors, all on the CPU; returns its size in bytes and its SHA-256.

    Needs no memory beside them. Equal tensors under equal names make equal bytes.
    """
    # The widest types first, so that each tensor lies at a multiple of its element's size.
    ordered = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {}
    end = 0
    for name in ordered:
        tensor, start = tensors[name], end
        end += tensor.nbytes
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    total = hashlib.sha256()
    with open(file, "wb", buffering=0) as target:
        _write(target, memoryview(len(text).to_bytes(8, "little") + text), total)
        for name in ordered:
            _write(target, _bytes_of(tensors[name].contiguous()), total)
    return 8 + len(text) + end, total.hexdigest()


def read_tensors(file: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of `file` and its SHA-256. Raises Malformed; what it allocates is no larger than the file."""
    total = hashlib.sha256()
    with open(file, "rb", buffering=0) as source:
        size = source.seek(0, 2)
        source.seek(0)
        length = int.from_bytes(_read(source, bytearray(8), total), "little") if size >= 8 else size
        if length > min(size - 8, LONGEST_HEADER):
            raise Malformed("no safetensors file: its header is longer than can be")
        places = _places(bytes(_read(source, bytearray(length), total)), size - 8 - length)
        tensors = {name: torch.empty(shape, dtype=dtype) for name, dtype, shape in places}
        for tensor in tensors.values():
            _read(source, _bytes_of(tensor), total)
    return tensors, total.hexdigest()


def _places(header: bytes, size: int) -> list[tuple[str, torch.dtype, list[int]]]:
    """Name, type and shape of each tensor in the order in which they lie, which must fill `size` bytes exactly."""
    try:
        named = json.loads(header)
        entries = [(n, e["dtype"], e["shape"], e["data_offsets"]) for n, e in named.items() if n != "__metadata__"]
        found = sorted(entries, key=lambda entry: (int(entry[3][0]), int(entry[3][1])))
    except (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise Malformed("no safetensors file: its header cannot be read") from error
    places, position = [], 0
    for name, dtype, shape, offsets in found:
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise Malformed(f"{name!r} is of a type unknown here: {dtype!r:.40}")
        width = DTYPES[dtype].itemsize
        if not _is_shape(shape) or math.prod(max(1, n) for n in shape) * width > LARGEST_TENSOR:
            raise Malformed(f"{name!r} has no shape that can be")
        end = position + math.prod(shape) * width
        if offsets != [position, end] or end > size:
            raise Malformed(f"{name!r} does not lie where its shape says")
        places.append((name, DTYPES[dtype], shape))
        position = end
    if position != size:
        raise Malformed(f"its header tells of {position} bytes, {size} are there")
    return places


def _is_shape(shape: object) -> bool:
    if not isinstance(shape, list) or len(shape) > MOST_DIMENSIONS:
        return False
    return all(type(n) is int and 0 <= n <= LARGEST_TENSOR for n in shape)


def _bytes_of(tensor: Tensor) -> memoryview:
    """The memory of a contiguous tensor."""
    return tensor.detach().reshape(-1).view(torch.uint8).numpy().data


def _write(target: BinaryIO, content: memoryview, total: hashlib._Hash) -> None:
    """Append `content` to the file and hash it."""
    for start in range(0, len(content), PIECE):
        piece = content[start : start + PIECE]
        total.update(piece)
        while piece:
            piece = piece[target.write(piece) :]


def _read(source: BinaryIO, target: bytearray | memoryview, total: hashlib._Hash) -> bytearray | memoryview:
    """Fill `target` from the file, hashing what comes. Raises Malformed where the file ends."""
    view = memoryview(target)
    position = 0
    while position < len(view):
        count = source.readinto(view[position : position + PIECE])  # type: ignore[attr-defined]
        if not count:
            raise Malformed("it ended while it was read")
        total.update(view[position : position + count])
        position += count
    return target
