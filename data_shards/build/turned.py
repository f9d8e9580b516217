"""OpenMoji turned in the plane: a = ground vehicles, b = faces, each in 24 angles, which are their classes: "000", "015" ... "345".

For translations that should keep how far a thing is turned, though nobody pairs them: what was read in cars and heads that are
seen from all sides can be read here in pictures that a package has. The surprise is what is left out: a face that its maker has
turned, a vehicle that its frame cuts off or that stands in a scenery. The package has no table of groups, so the code points of
Unicode's are written here. There are too few vehicles for two domains of them: a regressor that knows one half reads the other
wrongly.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import partial

from data_shards.build.openmoji import LICENSE, Emoji, digest_of, installed
from data_shards.build.openmoji_svg import rasterise
from data_shards.build.pack import Sample
from data_shards.build.picture import Picture, Progress, encode, in_parallel, silent
from data_shards.build.writer import BuildReport, Recipe, build
from data_shards.errors import DataError

STEP = 15  # degrees between two angles
ANGLES = range(0, 360, STEP)
_MIDDLE = 36  # of OpenMoji's grid of 72
_SHRUNK = 0.85  # so that no corner is cut off at any angle: the farthest ink lies at 40.4 from the middle
_THREADS = 2  # the rasteriser holds the interpreter lock; a second thread only hides the PNG writing

# Of Unicode's transport-ground what moves on the ground: trains, buses, cars, lorries, cycles, chairs and skates.
_VEHICLES = {
    *(0x1F682, 0x1F683, 0x1F685, 0x1F686, 0x1F688, 0x1F68A),
    *(0x1F68C, 0x1F68D, 0x1F68E, *range(0x1F690, 0x1F69D), 0x1F6FB, 0x1F6FA),
    *(0x1F3CD, 0x1F3CE, 0x1F6B2, 0x1F6F4, 0x1F6F5, 0x1F6F9, 0x1F6FC, 0x1F9BC, 0x1F9BD),
}
# Of its smileys-emotion the faces, of cats and a robot too.
_FACES = {
    *(0x2639, 0x263A, *range(0x1F600, 0x1F645), *range(0x1F910, 0x1F918), *range(0x1F920, 0x1F930)),
    *(*range(0x1F970, 0x1F97B), 0x1F9D0, *range(0x1FAE0, 0x1FAEA)),
} - {
    *(0x1F643, 0x1F923, 0x1F92A, 0x1FAE8),  # upside down, rolling, zany, shaking: turned as they are
    *(0x1F926, 0x1F977, 0x1FAE6, 0x1FAE7),  # a person, a ninja, lips and bubbles among them
}


def build_turned(
    out: str,
    *,
    size: int = 32,
    validation: float = 0.2,
    progress: Progress = silent,
    upload: Progress = silent,
) -> BuildReport:
    """Shards of turned emojis at `size` x `size` pixels, RGB on white, unpaired. Angles grow counter-clockwise.

    33 vehicles and 109 faces; all pictures of one are on one side of the split. validation: the share of the emojis.
    """
    if not 8 <= size <= 1024:
        raise DataError(f"a size of {size} pixels is not in 8..1024; OpenMoji is drawn on a grid of 72")
    shown = _shown()
    recipe = Recipe(
        name="turned",
        arguments={"size": size, "validation": validation},
        sources=digest_of([emoji for _, emoji in shown]),
        license=LICENSE,
    )
    return build(out, recipe, partial(_samples, shown, size, progress), validation, upload=upload)


def turned(svg: str, angle: int) -> str:
    """An emoji's SVG, shrunk about its middle and turned counter-clockwise by `angle` degrees."""
    root = ET.fromstring(svg)
    about = f"translate({_MIDDLE} {_MIDDLE}) rotate({-angle}) scale({_SHRUNK}) translate({-_MIDDLE} {-_MIDDLE})"
    whole = ET.Element(f"{root.tag.removesuffix('svg')}g", {"transform": about})
    whole.extend(list(root))
    for child in list(root):
        root.remove(child)
    root.append(whole)
    return ET.tostring(root, encoding="unicode")


def _samples(shown: list[tuple[str, Emoji]], size: int, progress: Progress, notes: list[str]) -> Iterator[Sample]:
    asked = [(domain, emoji, angle) for domain, emoji in shown for angle in ANGLES]
    made = in_parallel(partial(_picture, size=size), asked, len(asked), progress, _THREADS)
    for (domain, emoji, angle), picture in zip(asked, made, strict=True):
        name = emoji.path.stem.lower()
        yield Sample(f"{name}-{angle:03d}", {domain: picture}, group=name, cls=f"{angle:03d}", text=emoji.text)


def _picture(asked: tuple[str, Emoji, int], size: int) -> Picture:
    _, emoji, angle = asked
    return encode(rasterise(turned(emoji.path.read_text("utf-8"), angle), size))


def _shown() -> list[tuple[str, Emoji]]:
    """The domains and their emojis, by name."""
    single = {emoji.codes[0]: emoji for emoji in installed() if len(emoji.codes) == 1}
    codes = {"a": _VEHICLES, "b": _FACES}
    return [(domain, single[code]) for domain, some in codes.items() for code in sorted(some & single.keys())]
