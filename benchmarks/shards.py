"""Data sets of any number of shards, written without the builders: these cut shards of 64 MB, and 1,000 of them would not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

import google_crc32c

from data_shards.build.tar import TarWriter
from data_shards.manifest import FILE, Head, Row, Shard, manifest_bytes
from data_shards.split import TRAIN


def write_shards(folder: Path, pictures: Sequence[bytes], side: int, shards: int, each: int) -> str:
    """`shards` tar files with `each` of the JPEG pictures of `side` pixels, in domain a; returns their address.

    Pictures come again where they do not suffice; no two shards are equal as long as `each` is no multiple of them.
    """
    folder.mkdir(parents=True)
    rows: list[Row] = []
    files: dict[str, Shard] = {}
    endless = cycle((data, google_crc32c.value(data)) for data in pictures)
    for number in range(shards):
        name = f"{TRAIN}-a-{number:06d}.tar"
        with TarWriter(folder / name) as tar:
            for place, (data, crc) in enumerate(islice(endless, each)):
                key = f"{number:06d}-{place:06d}"
                offset = tar.add(f"{key}.a.jpg", data)
                rows.append(Row(name, offset, len(data), key, "a", None, None, TRAIN, crc))
        files[name] = Shard(tar.bytes, tar.sha256)
    head = Head("benchmark", {"a": (3, side, side)}, files, classes=(), recipe={})
    (folder / FILE).write_bytes(manifest_bytes(head, rows))
    return str(folder)


def write_index(folder: Path, rows: int, shards: int) -> str:
    """The manifest of `rows` / 2 pairs in `shards` shards that do not exist; returns its address."""
    folder.mkdir(parents=True)
    each = -(-rows // shards)
    size = 20_000  # bytes of a picture
    names = [f"{TRAIN}-ab-{number:06d}.tar" for number in range(shards)]
    head = Head(
        "benchmark",
        {"a": (3, 256, 256), "b": (3, 256, 256)},
        {name: Shard(each * size, "0" * 64) for name in names},
        classes=(),
        recipe={},
    )

    def made() -> Iterator[Row]:
        for number in range(rows):
            shard, place = divmod(number, each)
            key = f"photograph-{number // 2 * 2_654_435_761 % 2**32:010d}"  # in an order that is not the keys'
            yield Row(names[shard], place * size, size, key, "ab"[number % 2], None, None, TRAIN, number)

    (folder / FILE).write_bytes(manifest_bytes(head, made()))
    return str(folder)
