"""Makes a data set: samples in, shards and manifest out, all of it or nothing.

The surprise: a build that was done before is not done again. Its recipe (what was asked for, from which sources)
stands in the manifest, and a second build with the same recipe only says so. A manifest is never replaced by another
one: the sweeps that were trained on it name it by its hash.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_shards.atomic import new_folder
from data_shards.errors import DataError
from data_shards.manifest import FILE, Head, Manifest, manifest_bytes
from data_shards.pack import Sample, common_shapes, decide_sides, spool, write_shards
from data_shards.split import SPLITS
from data_shards.store import FolderStore, local_folder

_BUILDER = 1  # part of every recipe: raised when the same sources would give other shards


@dataclass(frozen=True)
class Recipe:
    """What makes a data set what it is: an equal recipe is an equal data set.

    arguments: JSON values, as asked for. sources: a digest of what was read. license: what its users must be told.
    """

    name: str
    arguments: Mapping[str, Any]
    sources: str
    license: str = ""

    def record(self) -> dict[str, Any]:
        """The form that is kept in the manifest and compared."""
        return {
            "arguments": dict(self.arguments),
            "builder": _BUILDER,
            "name": self.name,
            "sources": self.sources,
        }


@dataclass(frozen=True)
class Description:
    """A data set in numbers. pictures: domain -> split -> count. pairs: split -> count. shapes: domain -> "WxHxC"."""

    uri: str
    name: str
    sha256: str
    shapes: dict[str, str]
    pictures: dict[str, dict[str, int]]
    pairs: dict[str, int]
    classes: int
    shards: int
    bytes: int
    notes: tuple[str, ...]
    license: str


@dataclass(frozen=True)
class BuildReport(Description):
    """What a build made, or found there already (`up_to_date`)."""

    up_to_date: bool = False


def build(out: str, recipe: Recipe, samples: Callable[[list[str]], Iterable[Sample]], validation: float) -> BuildReport:
    """Make the data set at `out` (a folder that does not exist yet, or is empty), or find that it is there already.

    samples: called with a list to add notes to. validation: the share held back, in [0, 1), where samples name no
    side. Raises DataError where `out` holds something else. A build that fails or is killed leaves nothing at `out`.
    """
    if not 0 <= validation < 1:
        raise DataError(f"a validation share of {validation} is not in [0, 1); the usual share is 0.1")
    target = local_folder(out)
    if _holds(target, recipe):
        return BuildReport(**vars(describe(Manifest.open(out))), up_to_date=True)
    with new_folder(target) as folder:
        notes: list[str] = []
        with (folder / "spool").open("x+b") as file:
            entries, dropped = decide_sides(spool(samples(notes), file), validation)
            shapes = common_shapes(entries)
            classes = sorted({entry.sample.cls for entry in entries if entry.sample.cls is not None})
            rows, shards = write_shards(folder, entries, classes, file)
        (folder / "spool").unlink()
        head = Head(
            name=recipe.name,
            shapes=shapes,
            shards=shards,
            classes=tuple(classes),
            recipe=recipe.record(),
            notes=(*notes, *dropped),
            license=recipe.license,
        )
        FolderStore(folder).write(FILE, manifest_bytes(head, rows))
    return BuildReport(**vars(describe(Manifest.open(out))))


def describe(manifest: Manifest) -> Description:
    """The numbers of a data set, for people and for `-o json`."""
    return Description(
        uri=manifest.uri,
        name=manifest.name,
        sha256=manifest.sha256,
        shapes={name: f"{d.width}x{d.height}x{d.channels}" for name, d in manifest.domains.items()},
        pictures={name: {"train": d.train, "validation": d.validation} for name, d in manifest.domains.items()},
        pairs={side: len(manifest.pairs(side)) for side in SPLITS},
        classes=len(manifest.head.classes),
        shards=len(manifest.shards),
        bytes=sum(shard.bytes for shard in manifest.shards.values()),
        notes=manifest.head.notes,
        license=manifest.head.license,
    )


def _holds(target: Path, recipe: Recipe) -> bool:
    """Whether the data set is at `target` already; DataError where something else is."""
    if not target.exists():
        return False
    if not target.is_dir():
        raise DataError(f"{target} is a file; give the path of a new folder")
    if not (target / FILE).exists():
        if any(target.iterdir()):
            raise DataError(f"{target} is not empty and holds no shards; give the path of a new folder")
        return False
    there, wanted = dict(Manifest.open(str(target)).head.recipe), recipe.record()
    if there == wanted:
        return True
    raise DataError(
        f"{target} holds other shards: {_difference(there, wanted)}; give another folder, or delete this one"
    )


def _difference(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first thing that tells two recipes apart, in words."""
    for name in ("name", "builder"):
        if there[name] != wanted[name]:
            return f"{name} {there[name]} there, {wanted[name]} wanted"
    old, new = there["arguments"], wanted["arguments"]
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            return f"{name} {_shown(old.get(name))} there, {_shown(new.get(name))} wanted"
    return "made from sources that have changed since"


def _shown(value: object) -> str:
    return "unset" if value is None else str(value)
