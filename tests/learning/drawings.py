"""OpenMoji's drawings, sorted anew: those in the five skin tones, and those without a tone by their commonest colour."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

TONES = {0x1F3FB: "light", 0x1F3FC: "medium-light", 0x1F3FD: "medium", 0x1F3FE: "medium-dark", 0x1F3FF: "dark"}
COLOURS = ("red", "yellow", "green", "blue", "pink", "brown")
Pair = tuple[str, bytes, bytes]  # its code points, the drawing and the picture


def pairs(shards: Path) -> Iterator[Pair]:
    """Every pair of a data set, by its key."""
    for shard in sorted(shards.glob("*.tar")):
        parts: dict[str, bytes] = {}
        with tarfile.open(shard) as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                parts[member.name] = file.read()
        for name in parts:
            key, _, kind = name.partition(".")
            if kind == "a.png":
                yield key, parts[name], parts[f"{key}.b.png"]


def tone(pair: Pair) -> str | None:
    """The one skin tone of a picture; None where it has none or several."""
    found = {TONES[code] for code in (int(code, 16) for code in pair[0].split("-")) if code in TONES}
    return found.pop() if len(found) == 1 else None


def has_no_tone(pair: Pair) -> bool:
    """Whether a picture is in no skin tone at all."""
    return not any(int(code, 16) in TONES for code in pair[0].split("-"))


def colour(pair: Pair) -> str | None:
    """The commonest colour of a picture without a skin tone, "grey" where next to nothing has one."""
    if not has_no_tone(pair):
        return None
    rgb = np.asarray(Image.open(io.BytesIO(pair[2])).convert("RGB")).astype(float) / 255.0
    high, spread = rgb.max(2), rgb.max(2) - rgb.min(2)
    coloured = spread > 0.15
    if coloured.mean() < 0.03:
        return "grey"
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    width = np.where(spread == 0, 1.0, spread)
    sixths = [((g - b) / width) % 6, (b - r) / width + 2, (r - g) / width + 4]
    hue = 60 * np.select([high == r, high == g], sixths[:2], sixths[2])
    found = np.select([(hue < 22) | (hue >= 345), hue < 70, hue < 170, hue < 265], [0, 1, 2, 3], 4)
    found = np.where((hue >= 10) & (hue < 50) & (high < 0.7), 5, found)
    return COLOURS[np.bincount(found[coloured], minlength=len(COLOURS)).argmax()]


def sort(shards: Path, folder: Path, sort_by: Callable[[Pair], str | None]) -> None:
    """Write the pairs that have a class into `folder` as pictures a/KEY.png and b/KEY.png with a labels.csv."""
    for domain in "ab":
        (folder / domain).mkdir(parents=True)
    rows = []
    for pair in pairs(shards):
        if cls := sort_by(pair):
            for domain, picture in zip("ab", pair[1:], strict=True):
                (folder / domain / f"{pair[0]}.png").write_bytes(picture)
                rows.append((f"{domain}/{pair[0]}.png", cls))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "class"), *rows])
