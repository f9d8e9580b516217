"""What the names in other people's tar shards say: the key, the domain, and the side of the split.

WebDataset has no domains. Here they come from the extensions (`a.png` beside `b.jpg`), or from patterns that the user
gives for the extension, the shard's name, or both. Where neither tells, nothing is guessed: which picture translates
into which is the one thing that a data set must not get wrong.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from shlex import quote

from data_shards.errors import DataError
from data_shards.split import TRAIN, VALIDATION

PICTURES = ("png", "jpg", "jpeg", "webp", "bmp", "ppm", "pgm", "pnm", "tif", "tiff", "gif")
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_KEY = re.compile(r"((?:.*/|)[^.]+)[.]([^/]*)")  # up to the first dot of the base name; its folders belong to the key
_META = re.compile(r"__[^/]*__($|/)")  # what WebDataset keeps for itself
_SIDES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "test", "testing"), VALIDATION),
}
_SAID = re.compile(rf"\d+|\b({'|'.join(_SIDES)})(?![a-z])")  # what tells shards of one kind apart
_SHOWN = 8


def key_and_extension(name: str) -> tuple[str, str] | None:
    """The sample's key and the extension in lower case, as WebDataset takes a name apart; None for no part of one."""
    match = None if _META.match(name) else _KEY.fullmatch(name)
    return (match[1], match[2].lower()) if match else None


def is_picture(extension: str) -> bool:
    """Whether a file of this extension (`png`, `a.png`) should be a picture."""
    return extension.rpartition(".")[2] in PICTURES


def side_of(shard: str) -> str | None:
    """The side that a shard's name or, failing that, its folders tell, the nearest folder first: "val-003.tar"."""
    for part in reversed(shard.removesuffix(".tar").split("/")):
        # A capital at the end is a domain's letter: trainA and testB, as folders of unpaired pictures are called.
        words = re.findall(r"([A-Za-z][a-z]*?|[A-Z]+)[A-Z]?(?![A-Za-z])", part)
        found = {_SIDES[word.lower()] for word in words if word.lower() in _SIDES}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


@dataclass(frozen=True, slots=True)
class DomainPattern:
    """`name=SHARDS:EXTENSION`: pictures with this extension in these shards are of the domain; both are globs."""

    name: str
    shards: str = "*"
    extension: str = "*"

    @classmethod
    def read(cls, text: str) -> "DomainPattern":
        """A pattern as the user writes it: a=jpg, a=horses-*.tar, a=horses-*.tar:jpg. DataError for anything else."""
        name, _, pattern = text.partition("=")
        shards, colon, extension = pattern.rpartition(":")
        if not colon and pattern.endswith((".tar", "/*", "/**")):
            shards, extension = pattern, ""
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or not (shards or extension) or (colon and not shards):
            raise DataError(f"{text!r} is no domain pattern; write a=jpg, a=horses-*.tar or a=horses-*.tar:jpg")
        return cls(name, shards or "*", extension.lower() or "*")

    def fits(self, shard: str) -> bool:
        """Whether the pattern is about this shard; one without a slash is about the name alone, in any folder."""
        return fnmatchcase(shard if "/" in self.shards else shard.rpartition("/")[2], self.shards)

    def __str__(self) -> str:
        parts = [part for part in (self.shards, self.extension) if part != "*"]
        return f"{self.name}={':'.join(parts)}"


@dataclass(frozen=True)
class Domains:
    """Gives pictures their domains. `patterns`: what the user said; without any, extensions like `a.png` tell."""

    patterns: tuple[DomainPattern, ...]

    def reads(self, shard: str) -> bool:
        """Whether any picture of this shard could have a domain."""
        return not self.patterns or any(pattern.fits(shard) for pattern in self.patterns)

    def apart(self, shards: Iterable[str]) -> bool:
        """Whether the shards' names tell domains: then equal keys in two shards need not mean the same thing, as each
        set of shards may count from 0. Extensions tell the sides of one sample."""
        names = list(shards)
        read: dict[str, set[str]] = {}
        for pattern in self.patterns:
            read.setdefault(pattern.name, set()).update(filter(pattern.fits, names))
        return len(set(map(frozenset, read.values()))) > 1

    def of(self, shard: str, extension: str) -> str | None:
        """The domain of a picture; None where it has none. DataError where two patterns disagree."""
        if not self.patterns:
            return extension.rpartition(".")[0] or None
        fitting = [pattern for pattern in self.patterns if pattern.fits(shard)]
        names = sorted({pattern.name for pattern in fitting if fnmatchcase(extension, pattern.extension)})
        if len(names) > 1:
            raise DataError(
                f"{extension} in {shard} fits the patterns of the domains {' and '.join(names)}; narrow one"
            )
        return names[0] if names else None


def undecided(where: str, extensions: Iterable[str], shards: Sequence[str]) -> DataError:
    """The error about pictures that no domain can be told for: what was found, and a command that decides it."""
    found = sorted(extensions)
    stems = sorted({_SAID.sub("*", shard.rpartition("/")[2]) for shard in shards})
    letters = "abcdefgh"
    if 1 < len(found) <= len(letters):
        patterns = [f"{letter}={extension}" for letter, extension in zip(letters, found, strict=False)]
    elif 1 < len(stems) <= len(letters):
        patterns = [f"{letter}={stem}" for letter, stem in zip(letters, stems, strict=False)]
    else:
        patterns = [f"a={found[0]}"]
    options = " ".join(f"--domain {quote(pattern)}" for pattern in patterns)
    return DataError(
        f"{where}: the names do not tell which domain a picture is of (extensions: {_listed(found)}; shards: "
        f"{_listed(stems)}); for example: i2i-cluster shards index {quote(where)} {options}"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
