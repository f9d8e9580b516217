"""What a folder of pictures holds: those that are read, and what looks like some and is passed over."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data_shards.decode import SUFFIXES

READABLE = os.R_OK | os.X_OK  # of a folder
# Of pictures that are not looked for in folders; what has another one is taken for something else, such as a table or a text.
OTHERS = (".avif", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".pbm", ".pgm", ".ppm", ".tga", ".tif", ".tiff")


@dataclass(frozen=True)
class Below:
    """The pictures below a folder, sorted. passed: what was passed over, in words; empty for nothing."""

    pictures: list[Path]
    passed: str = ""


def look_below(folder: Path) -> Below:
    """What is in a folder and all below it. Links to pictures are followed, links to folders are not: they may lead in circles."""
    return sort_out(folder.rglob("*"), str(folder), shut=not os.access(folder, READABLE))


def sort_out(places: Iterable[Path], where: str, shut: int = 0) -> Below:
    """The pictures among these; where: what they were found by; shut: folders of which it is known that they may not be read."""
    pictures, kinds, links, lost = [], Counter[str](), 0, 0
    for place in sorted(places):
        suffix = place.suffix.lower()
        if place.is_dir():
            links += place.is_symlink()
            shut += not os.access(place, READABLE)
        elif suffix in SUFFIXES:
            if place.is_file():
                pictures.append(place)
            else:
                lost += 1
        elif suffix in OTHERS:
            kinds[suffix] += 1
    told = [f"{_of(kinds.total(), 'picture')} of a kind that is not read ({', '.join(sorted(kinds))})"] if kinds else []
    told += [f"{_of(links, 'link')} to {'a folder' if links == 1 else 'folders'}"] if links else []
    told += [f"{_of(lost, 'name')} with no file behind {'it' if lost == 1 else 'them'}"] if lost else []
    told += [f"{_of(shut, 'folder')} that may not be read"] if shut else []
    return Below(pictures, f"passed over in {where}: {', '.join(told)}" if told else "")


def _of(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
