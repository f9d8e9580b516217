"""Pictures on their way into a model and out of it: which there are, at which size they are read, where they are written."""

from __future__ import annotations

import glob
import io
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cluster.model_use import Maker
from data_shards.build.picture import keep
from data_shards.decode import SUFFIXES, decode, opened
from data_shards.store import FolderStore
from orchestrator.errors import Refusal
from orchestrator.folders import Below, look_below, sort_out
from orchestrator.saying import say

KEEP = "keep"
GAP = 4  # white pixels between the pictures of a strip
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Read:
    """A picture as a network takes it: `pixels` uint8 `[H,W,C]`, of which `inner` (top, left, height, width) is the picture."""

    pixels: Pixels
    inner: tuple[int, int, int, int]

    def cropped(self, made: Pixels, scale: int) -> Pixels:
        """What was made of it, `[scale x H, scale x W, C]`, without what was added."""
        top, left, height, width = (scale * side for side in self.inner)
        return made[top : top + height, left : left + width]


class Reader:
    """Reads pictures for a model: at `size` pixels a side, at their own size ("keep"), or as it was trained (None).

    Raises Refusal where the model takes no such size.
    """

    def __init__(self, maker: Maker, size: str | None, labels: bool) -> None:
        self.maker, self.labels = maker, labels
        self.channels, trained, _ = maker.shape
        self.side: int | None = trained if size is None else None if size == KEEP else _side(size)
        if self.side != trained:
            self._check(trained)

    def _check(self, trained: int) -> None:
        multiple, side = self.maker.multiple, self.side
        if multiple is None:
            problem = (
                f"this model's networks have layers for pictures of {trained} x {trained} pixels, and take no others"
            )
            raise Refusal(problem, path="--size", value=side, nearest=str(trained))
        if side is not None and side % multiple:
            below = side // multiple * multiple
            near = f"{below} or {below + multiple}" if below else str(multiple)
            raise Refusal(f"this model takes multiples of {multiple}, not {side}", path="--size", nearest=near)
        if side is not None and not self.maker.fits(side, side):
            problem = f"{side} x {side} pixels are too few for this model's networks"
            raise Refusal(problem, path="--size", value=side, nearest=str(trained))

    def read(self, data: bytes) -> Read:
        """A picture file. Raises OSError or ValueError where it is none, or too small."""
        kept = keep(data, self.channels).data  # as the builders read it
        if self.side is not None:
            pixels = decode(kept, self.channels, self.side, labels=self.labels)
            return Read(pixels, (0, 0, self.side, self.side))
        with opened(io.BytesIO(kept)) as file:
            whole = np.array(file.convert("RGB" if self.channels == 3 else "L"))
        return self._padded(whole.reshape(*whole.shape[:2], self.channels))

    def _padded(self, pixels: Pixels) -> Read:
        """Mirrored at the border up to the next multiples: evenly, so that what is added is far from the middle."""
        multiple = self.maker.multiple
        assert multiple is not None
        height, width, _ = pixels.shape
        more = [-side % multiple for side in (height, width)]
        if not self.maker.fits(height + more[0], width + more[1]):
            raise ValueError(f"{width} x {height} pixels are too few for this model's networks")
        top, left = more[0] // 2, more[1] // 2
        around = ((top, more[0] - top), (left, more[1] - left), (0, 0))
        return Read(np.pad(pixels, around, mode="reflect"), (top, left, height, width))


def _side(size: str) -> int:
    if not size.isdecimal() or not 0 < int(size) <= 1 << 15:
        raise Refusal(f"cannot be {size!r}: a side in pixels, or {KEEP!r}", path="--size", value=size)
    return int(size)


def find_pictures(source: str, target: Path) -> list[tuple[Path, Path]]:
    """(picture, its output's relative path without a suffix), sorted: of a folder and all below it, of a pattern, or one alone.

    None from the target. Inputs of one stem keep their full names. What looks like a picture and is passed over is told.
    """
    if not source:
        raise Refusal("is empty; `.` is this folder", path="IN")
    place = Path(source)
    if place.is_dir():
        below, root = look_below(place), place
        same = target.resolve() == place.resolve()
        found = [p for p in below.pictures if same or target.resolve() not in p.resolve().parents]
        if not found:
            passed = f" ({below.passed})" if below.passed else ""
            raise Refusal(f"{place} holds no pictures{passed}", path="IN", value=source, has=SUFFIXES)
    elif place.is_file():
        below, found, root = Below([place]), [place], place.parent
    else:
        named = [Path(p) for p in glob.glob(source, recursive=True)]
        below = sort_out(named, source)
        found = below.pictures
        if not found:
            what = "matches no pictures" if glob.has_magic(source) else "is neither a folder nor a picture"
            raise Refusal(f"{source} {what}", path="IN", value=source, has=SUFFIXES if named else ())
        root = Path(os.path.commonpath([p.parent for p in found]))
    if below.passed:
        say(f"note: {below.passed}", aside=True)
    stems = [file.relative_to(root).with_suffix("") for file in found]
    times = Counter(stems)
    return [
        (file, stem if times[stem] == 1 else file.relative_to(root)) for file, stem in zip(found, stems, strict=True)
    ]


def file_name(label: str) -> str:
    """A label as a part of a file's name: what may steer a path or a shell is an underscore."""
    return re.sub(r"[^\w.,+-]", "_", label)


def make_folder(target: Path) -> None:
    """The folder for the pictures, asked for before the work."""
    if target.suffix.lower() in SUFFIXES and not target.exists():
        raise Refusal(f"{target} is named like a picture, and a folder is needed", path="OUT_DIR", value=target)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"{target} cannot be made: {_why(error)}", path="OUT_DIR", value=target) from error
    if not os.access(target, os.W_OK | os.X_OK):
        raise Refusal(f"{target} may not be written; give another folder", path="OUT_DIR", value=target)


def save(target: Path, name: Path, pixels: Pixels) -> Path:
    """Write uint8 `[H,W,C]` as PNG, whole or not at all; grey pictures are `[H,W]` to Pillow. Returns where it lies."""
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    out = target / name
    try:
        FolderStore(target).write(name.as_posix(), file.getvalue())
    except OSError as error:
        raise OSError(f"{out} cannot be written: {_why(error)}") from error
    return out


def strip(pictures: Sequence[Pixels]) -> Pixels:
    """Pictures in a row, `[H,W,C]` each, smaller ones enlarged to the height of the tallest by repeating pixels."""
    height = max(len(one) for one in pictures)
    row: list[Pixels] = []
    for one in pictures:
        scaled = one.repeat(height // len(one), 0).repeat(height // len(one), 1)
        colour = np.broadcast_to(scaled, (*scaled.shape[:2], 3)) if scaled.shape[2] == 1 else scaled
        row += [np.full((height, GAP, 3), 255, np.uint8)] if row else []
        row.append(np.pad(colour, ((0, height - len(colour)), (0, 0), (0, 0)), constant_values=255))
    return np.concatenate(row, 1)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
