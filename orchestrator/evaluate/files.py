"""The folders that `evaluate` compares: which pictures are in them, which belong together, and their pixels.

Two pictures belong together by their path below the folder, without its suffix. Headers alone are read before the work begins, so
that a wrong folder is told of at once.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from data_shards.build.picture import upright
from data_shards.decode import opened, square
from orchestrator.errors import Refusal, nearest

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
NAMED = 3  # pictures that an error names
TURNED = range(5, 9)  # EXIF orientations that exchange width and height
ORIENTATION = 0x0112
BAD = OSError, ValueError  # what the decoders raise for a picture that is none
Names = Mapping[str, Path]  # path below the folder without suffix -> the file


def pictures_in(folder: Path, option: str) -> dict[str, Path]:
    """The pictures below a folder by name, sorted. Raises Refusal where it has none, or two of one name."""
    if not folder.is_dir():
        raise Refusal(f"{folder} is not a folder", path=option, value=folder)
    found: dict[str, Path] = {}
    for file in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise Refusal(f"{found[name]} and {file} have one name; keep one of them", path=option, value=folder)
        found[name] = file
    if not found:
        raise Refusal(f"{folder} holds no pictures", path=option, value=folder, has=SUFFIXES)
    return found


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


def find_unreadable(folders: Sequence[Names], size: int | None) -> dict[Path, str]:
    """Picture -> what is wrong with it, of those whose header cannot be read. Raises Refusal where sizes differ and no `size` is
    given to bring them to."""
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
    return bad


def read_picture(file: Path, size: int | None, channels: int = 3) -> np.ndarray:
    """uint8 `[H,W,C]`, upright, transparency on white; at `size` the middle square. Raises BAD."""
    with opened(io.BytesIO(file.read_bytes())) as picture:
        image: Image.Image = upright(picture, channels)
    pixels = np.asarray(image if size is None else square(image, size))
    return pixels if pixels.ndim == 3 else pixels[..., None]
