"""The ways in which people keep picture pairs in folders, and how each becomes keys, domains and sides.

Layouts are told apart by what the folder holds only where that is certain; a folder of pictures could be anything, so
side-by-side pictures must be asked for. Files are never paired by their place in a sorted list, only by name.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_shards.decode import SUFFIXES
from data_shards.errors import DataError, has
from data_shards.split import TRAIN, VALIDATION

LAYOUTS = ("auto", "folders", "train-test", "side-by-side")
_SHOWN = 3  # how many file names an error lists


@dataclass(frozen=True, slots=True)
class Part:
    """A picture: a whole file, or its left or right half."""

    file: Path
    half: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A sample of a folder: its pictures by domain, and its side where the folders say so."""

    key: str
    parts: dict[str, Part]
    side: str | None


def recognised(source: Path, layout: str) -> str:
    """The layout's name, with "auto" resolved by what `source` holds. Raises DataError where that is not certain."""
    if not source.is_dir():
        raise DataError(f"{source} is not a folder")
    if layout not in LAYOUTS:
        raise DataError(f"unknown layout {layout!r}{has(layout, LAYOUTS)}")
    if layout != "auto":
        return layout
    there = _folders(source)
    if {"traina", "trainb"} <= set(there):
        return "train-test"
    if {"a", "b"} <= set(there):
        return "folders"
    raise DataError(
        f"{source} has neither folders a and b nor trainA and trainB; "
        "if it holds pictures of both sides in one, give the layout side-by-side"
    )


def find(source: Path, layout: str, paired: bool) -> list[Found]:
    """All samples under `source`, by key; DataError for a folder that is not laid out so."""
    there = _folders(source)
    if layout == "side-by-side":
        found = list(_side_by_side(source, there))
    elif layout == "train-test":
        found = list(_train_test(source, there, paired))
    else:
        found = list(_two_folders(_existing(source, there, "a"), _existing(source, there, "b"), paired, None))
    if not found:
        raise DataError(f"{source} holds no pictures for the layout {layout}; read are {', '.join(SUFFIXES)}")
    return sorted(found, key=lambda sample: sample.key)


def _train_test(source: Path, there: dict[str, Path], paired: bool) -> Iterator[Found]:
    """Samples of trainA and trainB, and of testA and testB where there are any."""
    tested = "testa" in there or "testb" in there
    sides = (("train", TRAIN), ("test", VALIDATION)) if tested else (("train", None),)
    for name, side in sides:
        a, b = (_existing(source, there, f"{name}{letter}") for letter in "AB")
        yield from _two_folders(a, b, paired, side)


def _folders(source: Path) -> dict[str, Path]:
    """The folders in `source` by their names in lower case."""
    return {path.name.lower(): path for path in sorted(source.iterdir()) if path.is_dir()}


def _existing(source: Path, there: dict[str, Path], name: str) -> Path:
    if name.lower() not in there:
        raise DataError(f"{source} has no folder {name}{has(name, [path.name for path in there.values()])}")
    return there[name.lower()]


def _two_folders(a: Path, b: Path, paired: bool, side: str | None) -> Iterator[Found]:
    """Samples of two folders: one per name that both have, or one per file."""
    files = {"a": _pictures(a), "b": _pictures(b)}
    for domain, folder in (("a", a), ("b", b)):
        if side != VALIDATION and not files[domain] and any(files.values()):
            raise DataError(f"{folder} holds no pictures; read are {', '.join(SUFFIXES)}")
    sided = [side] if side else []
    if not paired:
        for domain, listed in files.items():
            for stem, file in listed.items():
                yield Found(_key(*sided, domain, stem), {domain: Part(file)}, side)
        return
    for folder, mine, others in ((a, files["a"], files["b"]), (b, files["b"], files["a"])):
        alone = sorted(file.name for stem, file in mine.items() if stem not in others)
        if alone:
            some = ", ".join(alone[:_SHOWN]) + (", ..." if len(alone) > _SHOWN else "")
            raise DataError(f"{len(alone)} of {len(mine)} pictures in {folder} have no partner of that name: {some}")
    for stem, file in files["a"].items():
        yield Found(_key(*sided, stem), {"a": Part(file), "b": Part(files["b"][stem])}, side)


def _side_by_side(source: Path, there: dict[str, Path]) -> Iterator[Found]:
    """Samples of A|B pictures: in train, val and test folders, or all in one folder."""
    sides = {"train": TRAIN, "val": VALIDATION, "test": VALIDATION}
    folders: list[tuple[Path, str | None]] = [(there[name], side) for name, side in sides.items() if name in there]
    if not any(name in there for name in ("val", "test")):  # nothing is held back: split by content
        folders = [(folder, None) for folder, _ in folders] or [(source, None)]
    for folder, side in folders:
        for stem, file in _pictures(folder).items():
            name = [folder.name.lower()] if side else []
            yield Found(_key(*name, stem), {"a": Part(file, "left"), "b": Part(file, "right")}, side)


def _pictures(folder: Path) -> dict[str, Path]:
    """The pictures directly in a folder by their names without ending; DataError where two names become one."""
    pictures: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix.lower() in SUFFIXES and not file.name.startswith("."):
            other = pictures.setdefault(file.stem, file)
            if other != file:
                raise DataError(f"{folder}: {other.name} and {file.name} differ only in their ending; rename one")
    return pictures


def _key(*names: str) -> str:
    """A key from names: the names where they are plain, else made plain with a hash that keeps different ones apart."""
    whole = "-".join(names)
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", whole)[:60]
    return whole if plain == whole else f"{plain}-{hashlib.sha256(os.fsencode(whole)).hexdigest()[:8]}"
