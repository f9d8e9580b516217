"""Shards without a manifest, made as anybody makes them, of pictures that say which ones they are."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import webdataset
from PIL import Image

from data_shards.plain.data import PlainData
from data_shards.plain.stream import PlainStream

SIDE = 8
DOMAINS = ("a", "b")
PAIRED = {"sources": {"ab": DOMAINS}}
UNPAIRED = {"sources": {"a": ("a",), "b": ("b",)}}


def picture(domain: str, number: int, size: int = SIDE) -> bytes:
    """A PNG of one colour, which says whose it is."""
    sink = io.BytesIO()
    Image.new("RGB", (size, size), (ord(domain), number // 256, number % 256)).save(sink, "PNG")
    return sink.getvalue()


def write(folder: Path, name: str, samples: Any, each: int) -> Path:
    """Shards as anybody's program makes them, `each` samples in one."""
    folder.mkdir(parents=True, exist_ok=True)
    with webdataset.ShardWriter(str(folder / name), maxcount=each, verbose=0) as writer:
        for sample in samples:
            writer.write(sample)
    return folder


def pairs(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"__key__": f"s{i:04d}", "a.png": picture("a", i), "b.png": picture("b", i), "json": {"number": i}}
        for i in range(start, start + count)
    ]


def alone(domain: str, count: int, extension: str = "png") -> list[dict[str, Any]]:
    return [{"__key__": f"{domain}{i:04d}", extension: picture(domain, i)} for i in range(count)]


PATTERNS = {"a": "horses-*.tar", "b": "zebras-*.tar:jpg"}


def stream(data: PlainData, **changes: Any) -> PlainStream:
    setup: dict[str, Any] = {
        **PAIRED,
        "channels": {"a": 3, "b": 3},
        "image": SIDE,
        "batch": 4,
        "replicas": 2,
        "seed": 5,
        "augment": None,
        "hosted": (0, 1),
        "prefetch": 0,
    }
    return PlainStream(data, **{**setup, **changes})


def numbers(pixels: np.ndarray, domain: str) -> list[int]:
    """Which pictures these are."""
    assert (pixels[..., 0] == ord(domain)).all()
    return [int(p[0, 0, 1]) * 256 + int(p[0, 0, 2]) for p in pixels]


def drawn(reader: PlainStream, draws: range, source: str = "ab", replicas: range = range(2)) -> list[list[int]]:
    """The numbers of the pictures, for each (draw, replica)."""
    return [numbers(reader.read(source, d, r)[source[0]], source[0]) for d in draws for r in replicas]


def flat(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


def animals(folder: Path) -> Path:
    """60 pictures of a in 6 shards, 25 of b in 3, no shard to validate."""
    write(folder, "horses-%03d.tar", alone("a", 60), 10)
    return write(folder, "zebras-%03d.tar", alone("b", 25, "jpg"), 10)
