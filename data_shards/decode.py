"""Encoded pictures to square uint8 arrays.

The surprise is in what is not here: no fast-DCT and no fast upsampling. They gain a tenth and move pixels by up to 49
levels, while plain simplejpeg is already twice as fast as Pillow and gives the same pixels. PNG decodes 4 to 8 times
slower than JPEG, which is why decoded pictures are kept in memory as long as they fit.
"""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

MOST_PIXELS = 89_478_485  # of one picture, Pillow's own bound: a file of a few bytes can claim to hold far more
SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".bmp",
)  # of the files in a folder that are taken for pictures, everywhere
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF", "GIF")  # Pillow gives others to programs, such as Ghostscript
JPEG = b"\xff\xd8\xff"  # how such a file begins
_DEEP = ("I", "F")  # modes; I;16 and its kin too: cut to 8 bits they would be white all over
_DEEP_FILE = re.compile(r";16[BLN]")  # in Pillow's name for the layout of a file; a BMP of BGR;16 has 5 or 6 a channel
# Pillow only warns of up to twice as many, and goes on. An error at once, because a filter that is set and taken back
# around each picture would not be safe with threads.
warnings.simplefilter("error", Image.DecompressionBombWarning)


def decode(
    data: bytes, channels: int, side: int, *, labels: bool = False, out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """data: a PNG, JPEG or WebP file -> [side, side, channels], 0..255; channels 1 (grey) or 3 (RGB).

    A picture that is not square is cropped to its middle first. labels: its grey levels are classes, between which
    there is nothing: scaled to the nearest pixel. out: contiguous memory of the result's shape that may be used for it
    (a JPEG of the right size is decoded in place). Raises ValueError or OSError where `data` is no picture.
    """
    if data.startswith(JPEG):
        pixels = _jpeg(data, "RGB" if channels == 3 else "GRAY", out)
        if pixels.shape[:2] == (side, side):
            return pixels
        picture = Image.fromarray(pixels if channels == 3 else pixels[:, :, 0])
    else:
        with opened(io.BytesIO(data)) as file:
            picture = file.convert("RGB" if channels == 3 else "L")
    return np.array(square(picture, side, labels=labels)).reshape(side, side, channels)


def _jpeg(data: bytes, colours: str, out: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """[height, width, C]; `out` itself where the picture has its shape."""
    if out is not None:
        try:
            pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colours, buffer=out)
            return out if pixels.shape == out.shape else pixels
        except ValueError:
            pass  # too large for `out`, or damaged
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    _check_size(width, height)
    pixels = simplejpeg.decode_jpeg(data, colours)
    return pixels


@contextmanager
def opened(file: IO[bytes]) -> Iterator[Image.Image]:
    """Pillow's picture of `file`. What is damaged, too large or of none of FORMATS raises OSError or ValueError with a
    short reason."""
    try:
        with Image.open(file, formats=FORMATS) as picture:
            _check_size(*picture.size)
            yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"more than {MOST_PIXELS:,} pixels") from None
    except UnidentifiedImageError:  # its text names a Python object
        raise ValueError("not a picture of a known kind, or damaged") from None
    except (SyntaxError, EOFError, IndexError, struct.error, zlib.error) as failure:  # of Pillow's parsers
        raise ValueError(str(failure) or "damaged") from failure


def is_deep(picture: Image.Image) -> bool:
    """Whether the file has more than 8 bits a channel. To be asked before the pixels are loaded: in colour, Pillow's
    picture does not show it, as it is cut to 8 bits on the way."""
    if picture.mode.partition(";")[0] in _DEEP:
        return True
    for *_, layout in picture.tile if isinstance(picture, ImageFile.ImageFile) else ():
        first, *others = layout if isinstance(layout, tuple) else (layout,)
        if isinstance(first, str) and _DEEP_FILE.search(first):
            return True
        if picture.format == "PPM" and any(isinstance(most, int) and most > 255 for most in others):
            return True
    return False


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise ValueError(f"more than {MOST_PIXELS:,} pixels")


def square(picture: Image.Image, side: int, *, labels: bool = False) -> Image.Image:
    """The middle square at `side` x `side` pixels: bicubic with antialiasing (nearest pixel for `labels`), untouched
    where it fits already."""
    if picture.size == (side, side):
        return picture
    short = min(picture.size)
    left, top = (picture.width - short) / 2, (picture.height - short) / 2
    method = Image.Resampling.NEAREST if labels else Image.Resampling.BICUBIC
    return picture.resize((side, side), method, box=(left, top, left + short, top + short))
