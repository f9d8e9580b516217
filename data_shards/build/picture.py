"""Pictures on their way into a shard: any picture file or array becomes PNG or JPEG bytes with a digest of its pixels.

The digest is over pixels, not bytes: two files that show the same thing must not end up on both sides of the split
only because they were compressed differently.
"""

import hashlib
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from data_shards.decode import decode, is_deep, opened

Progress = Callable[[int, int], None]  # (done, total) pictures
_T = TypeVar("_T")
_R = TypeVar("_R")
JPEG_QUALITY = 95
_SUFFIXES = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One encoded picture. digest: 16 bytes over its size and pixels. suffix: "png", "jpg" or "webp"."""

    data: bytes
    suffix: str
    width: int
    height: int
    channels: int
    digest: bytes


def encode(image: Image.Image, *, jpeg: bool = False) -> Picture:
    """A grey ("L") or RGB image as PNG, or as a JPEG of JPEG_QUALITY with all of its colours. digest: of `image`."""
    assert image.mode in ("L", "RGB"), image.mode
    sink = io.BytesIO()
    if jpeg:
        image.save(sink, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:
        image.save(sink, "PNG")
    return _picture(sink.getvalue(), "jpg" if jpeg else "png", image)


def keep(data: bytes, channels: int) -> Picture:
    """A picture file at its own size: the same bytes where a reader can show them as they are, else a PNG of it."""
    with opened(io.BytesIO(data)) as file:
        deep = is_deep(file)  # before getexif, which loads a PNG
        plain = file.mode == ("L" if channels == 1 else "RGB") and file.getexif().get(_ORIENTATION, 1) == 1
        if plain and not deep and file.format in _SUFFIXES and _readable(data):
            return _picture(data, _SUFFIXES[file.format], file)
        return encode(upright(file, channels))


def upright(file: Image.Image, channels: int) -> Image.Image:
    """Any image as grey (1 channel) or RGB (3): turned as its camera says, transparency on white, 16 bits cut to 8."""
    image: Image.Image = ImageOps.exif_transpose(file)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        image = ground
    if image.mode != "RGB":
        image = image.convert("RGB")  # by way of RGB, so that a palette's colours become grey levels, not indices
    return image.convert("L") if channels == 1 else image


def in_parallel(
    function: Callable[[_T], _R], items: Iterable[_T], total: int, progress: Progress, threads: int
) -> Iterator[_R]:
    """function(item) for every item, in order, computed ahead on threads by a few; tells `progress` after each."""
    waiting: deque[Future[_R]] = deque()
    done = 0
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 4 * threads:
                    yield waiting.popleft().result()
                    progress(done := done + 1, total)
            while waiting:
                yield waiting.popleft().result()
                progress(done := done + 1, total)
        finally:
            for future in waiting:
                future.cancel()


def silent(done: int, total: int) -> None:
    """The progress of nobody watching."""


_ORIENTATION = 0x0112  # the EXIF tag


def _readable(data: bytes) -> bool:
    """Whether training can decode it: its JPEG decoder refuses slightly damaged files that Pillow lets pass."""
    try:
        decode(data, channels=3, side=8)
    except ValueError:
        return False
    return True


def _picture(data: bytes, suffix: str, image: Image.Image) -> Picture:
    # Hashed as RGB, so that a grey picture and its RGB copy count as the same one.
    pixels = image.convert("RGB").tobytes()
    digest = hashlib.sha256(b"%dx%d:" % image.size + pixels).digest()[:16]
    return Picture(data, suffix, image.width, image.height, 1 if image.mode == "L" else 3, digest)
