"""The folders that `evaluate` compares: which pictures are in them, which belong together, and their pixels.

Two pictures belong together by their path below the folder, without its suffix. Headers alone are read before the work begins, so
that a wrong folder is told of at once.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from data_shards.build.picture import upright
from data_shards.decode import SUFFIXES, opened, square
from orchestrator.errors import Refusal, nearest
from orchestrator.folders import look_below

NAMED = 3  # pictures that an error names
TURNED = range(5, 9)  # EXIF orientations that exchange width and height
ORIENTATION = 0x0112
BAD = OSError, ValueError  # what the decoders raise for a picture that is none
Names = Mapping[str, Path]  # path below the folder without suffix -> the file


class Heads(NamedTuple):
    """What the headers of pictures say. bad: picture -> what is wrong with it. The height and the width that all are read with."""

    bad: dict[Path, str]
    height: int
    width: int


def pictures_in(folder: Path, option: str, notes: list[str]) -> dict[str, Path]:
    """The pictures below a folder by name, sorted; what was passed over is put into `notes`. Raises Refusal where it has none, or
    two of one name."""
    if not folder.is_dir():
        raise Refusal(f"{folder} is not a folder", path=option, value=folder)
    found: dict[str, Path] = {}
    below = look_below(folder)
    for file in below.pictures:
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise Refusal(f"{found[name]} and {file} have one name; keep one of them", path=option, value=folder)
        found[name] = file
    if not found:
        passed = f" ({below.passed})" if below.passed else ""
        raise Refusal(f"{folder} holds no pictures{passed}", path=option, value=folder, has=SUFFIXES)
    notes += [below.passed] if below.passed and below.passed not in notes else []
    return found


def overlap(real: Path, fake: Path) -> str:
    """Where one of these folders is the other, or lies in it, what that means; else empty."""
    mine, theirs = fake.resolve(), real.resolve()
    if mine == theirs:
        return f"{fake} is the folder of --real as well"
    for inner, outer, other in ((mine, theirs, "--real"), (theirs, mine, "--fake")):
        if inner.is_relative_to(outer):
            return f"{inner} lies in the folder of {other}, whose pictures are also those below it"
    return ""


def check_partners(mine: Names, theirs: Names, option: str, other: str) -> None:
    """Raise Refusal where a picture of `mine`, the folder of `option`, has no partner of its name in that of `other`."""
    alone = [name for name in mine if name not in theirs]
    if alone:
        told = [name + (f" (nearest: {near})" if (near := nearest(name, theirs)) else "") for name in alone[:NAMED]]
        more = f" and {len(alone) - NAMED:,} more" if len(alone) > NAMED else ""
        raise Refusal(
            f"{len(alone):,} of {len(mine):,} pictures have no partner of their name in {other}: {', '.join(told)}{more}",
            path=option,
        )


def read_heads(folders: Sequence[Names], size: int | None) -> Heads:
    """Of all pictures. Raises Refusal where sizes differ and no `size` is given to bring them to."""
    bad: dict[Path, str] = {}
    first: tuple[Path, tuple[int, int]] | None = None
    for file in (file for names in folders for file in names.values()):
        try:
            with file.open("rb") as handle, opened(handle) as picture:
                turned = picture.getexif().get(ORIENTATION, 1) in TURNED
                width, height = picture.size[::-1] if turned else picture.size
        except BAD as error:
            bad[file] = str(error)
            continue
        first = first or (file, (width, height))
        if size is None and first[1] != (width, height):
            sizes = f"{file} is {width} x {height}, and {first[0]} is {first[1][0]} x {first[1][1]}"
            raise Refusal(f"{sizes}; --size N brings all to N x N pixels: the middle square, bicubic with antialiasing")
    width, height = first[1] if first else (0, 0)
    return Heads(bad, size or height, size or width)


def read_label_map(file: Path, size: int | None, classes: int) -> np.ndarray:
    """The numbers of its classes, uint8 `[H,W]`: class i of n is grey level round(255 i / (n - 1)); at `size` the nearest pixels
    of the middle square. Raises BAD."""
    with opened(io.BytesIO(file.read_bytes())) as picture:
        if picture.mode != "L":
            raise ValueError(f"is no label map: those are grey, of 8 bits, and this is {picture.mode}")
        levels = np.asarray(picture if size is None else square(picture, size, labels=True))
    known = np.array([round(255 * i / (classes - 1)) for i in range(classes)])
    numbers = np.searchsorted(known, levels).clip(max=classes - 1)
    if (other := levels[known[numbers] != levels]).size:
        raise ValueError(
            f"has the level {other[0]}, which is none of {classes} classes: was it scaled or saved as JPEG?"
        )
    return numbers.astype(np.uint8)


def read_picture(file: Path, size: int | None, channels: int = 3) -> np.ndarray:
    """uint8 `[H,W,C]`, upright, transparency on white; at `size` the middle square. Raises BAD."""
    with opened(io.BytesIO(file.read_bytes())) as picture:
        image: Image.Image = upright(picture, channels)
    pixels = np.asarray(image if size is None else square(image, size))
    return pixels if pixels.ndim == 3 else pixels[..., None]
