"""The pictures of evaluations as a page holds them: as they are where they fit, else smaller ones, evenly over the steps.

A picture in a storage is a file that anybody may have written: each is decoded once before it is put into a page, and one that is
no whole PNG is named and left out. The surprise is the order: each trial's last picture comes first, then each one's first, then
those that halve the gaps. So whatever the room, what there is covers all trials and their whole course.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from PIL import Image

from cluster.layout import SweepPaths
from data_shards.errors import DataError, Unreachable
from data_shards.store import Store

NAME = re.compile(r"step-(\d{8,})\.png")
READERS = 8  # pictures read at a time
QUALITY = 80  # of WebP, at which a grid takes about a third of its PNG
PREFIX = len("data:image/webp;base64,") + 64  # bytes that a page needs beside a picture
LARGEST_FILE = 64_000_000  # bytes of a PNG; a grid has about a hundred thousand
LARGEST_SIDE = 16_383  # pixels, of a WebP

Advance = Callable[[int, int], None]  # hears how many pictures are done, of how many


@dataclass
class Pictures:
    """of: trial -> its pictures as (step, data address), by step. found: how many there are in the storage. left_out: how many of
    them had no room. recoded: whether they were made smaller. damaged: path and fault of what could not be read."""

    of: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    found: int = 0
    left_out: int = 0
    recoded: bool = False
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _File:
    trial: int
    step: int
    path: str
    size: int


def gather(
    store: Store, paths: SweepPaths, trials: Sequence[int], room: int, advance: Advance = lambda done, of: None
) -> Pictures:
    """The pictures of these trials in at most `room` bytes of a page. Raises what the store does."""
    files = _files(store, paths, trials)
    pictures = Pictures(found=sum(map(len, files.values())))
    pictures.recoded = sum(_taken(one.size) for of in files.values() for one in of) > room
    encode = _smaller if pictures.recoded else _as_it_is
    ordered, used, done = _in_turn(files), 0, 0
    with ThreadPoolExecutor(READERS) as readers:
        while batch := list(islice(ordered, READERS)):
            for one, made in zip(batch, readers.map(lambda one: _made(store, one, encode), batch), strict=True):
                done += 1
                advance(done, pictures.found)
                if not made.startswith("data:"):
                    pictures.damaged.append(f"{one.path}: {made}")
                elif used + len(made) + PREFIX > room:
                    pictures.left_out += 1
                else:
                    used += len(made) + PREFIX
                    pictures.of.setdefault(one.trial, []).append((one.step, made))
            if pictures.left_out:  # the rest would not fit either
                pictures.left_out = pictures.found - len(pictures.damaged) - sum(map(len, pictures.of.values()))
                break
    for of in pictures.of.values():
        of.sort()
    return pictures


def stored(store: Store, paths: SweepPaths, trial: int) -> dict[int, tuple[str, int]]:
    """The pictures of a trial: step -> path and bytes, by step. Raises what the store does."""
    return {one.step: (one.path, one.size) for one in _files(store, paths, [trial]).get(trial, [])}


def read_picture(store: Store, path: str, size: int) -> tuple[bytes, str]:
    """A stored picture, and what is wrong with it: empty if nothing is. Raises Unreachable where the store does not answer."""
    if size > LARGEST_FILE:
        return b"", f"{size:,} bytes are too many"
    try:
        picture = store.read(path)
    except Unreachable:
        raise
    except FileNotFoundError:
        return b"", "it was taken away meanwhile"
    except (DataError, OSError) as error:
        return b"", str(error)
    return picture, _problem(picture)


def _problem(picture: bytes) -> str:
    """What is wrong with the bytes of a PNG; empty if nothing is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
                if max(image.size) > LARGEST_SIDE:
                    return f"{image.width} x {image.height} pixels are too many"
                image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return "it claims to be huge"
    except (OSError, SyntaxError, ValueError, EOFError):  # what Pillow raises for bytes that are no picture
        return "not a whole PNG"
    return ""


def _files(store: Store, paths: SweepPaths, trials: Sequence[int]) -> dict[int, list[_File]]:
    """Trial -> its pictures by step, of those that have some."""

    def listed(trial: int) -> list[_File]:
        folder = paths.grid(trial, 0).rpartition("/")[0]
        found = [
            _File(trial, int(match[1]), path, entry.size)
            for path, entry in store.entries(f"{folder}/").items()
            if (match := NAME.fullmatch(path.rpartition("/")[2]))
        ]
        return sorted(found, key=lambda one: one.step)

    with ThreadPoolExecutor(READERS) as readers:
        found = dict(zip(trials, readers.map(listed, trials), strict=True))
    return {trial: of for trial, of in found.items() if of}


def _in_turn(files: Mapping[int, Sequence[_File]]) -> Iterator[_File]:
    """All pictures, those first without which most would be missed."""
    turns = {trial: [of[place] for place in _halving(len(of))] for trial, of in files.items()}
    for turn in range(max(map(len, turns.values()), default=0)):
        yield from (of[turn] for of in turns.values() if turn < len(of))


def _halving(count: int) -> list[int]:
    """The places 0 to count - 1: the last, the first, the middle, the middles of the halves, and so on."""
    order = dict.fromkeys([count - 1, 0] if count else [])
    parts = 2
    while len(order) < count:
        order |= dict.fromkeys(round((count - 1) * part / parts) for part in range(1, parts, 2))
        parts *= 2
        if parts > 4 * count:
            order |= dict.fromkeys(range(count))
    return list(order)


def _taken(size: int) -> int:
    """Bytes of a page that a picture of this size takes."""
    return -(-size // 3) * 4 + PREFIX


def _made(store: Store, one: _File, encode: Callable[[bytes], str]) -> str:
    """A picture's data address, or what is wrong with it. Raises what the store does where it does not answer."""
    picture, wrong = read_picture(store, one.path, one.size)
    return wrong or encode(picture)


def _as_it_is(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def _smaller(picture: bytes) -> str:
    out = io.BytesIO()
    with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
        image.convert("RGB").save(out, format="WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"
