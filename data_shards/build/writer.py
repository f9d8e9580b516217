"""Makes a data set: samples in, shards and manifest out, all of it or nothing.

The surprise: a build that was done before is not done again. Its recipe (what was asked for, from which sources)
stands in the manifest, and a second build with the same recipe only says so. A manifest is never replaced by another
one: the sweeps that were trained on it name it by its hash.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_shards.attributes import all_names
from data_shards.build.atomic import new_folder, scratch_folder
from data_shards.build.pack import Sample, common_shapes, decide_sides, spool, write_shards
from data_shards.build.picture import Progress, silent
from data_shards.build.publish import check_room, finish, publish
from data_shards.errors import DataError
from data_shards.manifest import FILE, Head, Manifest, manifest_bytes
from data_shards.split import SPLITS
from data_shards.store import FolderStore, Store, local_folder, open_store

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
    """A data set in numbers. pictures: domain -> split -> count. pairs: split -> count. shapes: domain -> "WxHxC", in
    the domains `differing` (in size) of the largest square that every picture fills."""

    uri: str
    name: str
    sha256: str
    shapes: dict[str, str]
    differing: list[str]
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


def build(
    out: str,
    recipe: Recipe,
    samples: Callable[[list[str]], Iterable[Sample]],
    validation: float,
    *,
    labels: Mapping[str, tuple[str, ...]] | None = None,
    upload: Progress = silent,
) -> BuildReport:
    """Make the data set at `out` (a folder or an s3 address where nothing is yet), or find that it is there already.

    samples: called with a list to add notes to. validation: the share held back, in [0, 1), where samples name no
    side. labels: what the grey levels of a domain mean, see `Head`. upload: told (done, total) shards on their way to
    an object store. Raises DataError where `out` holds something else. A build that fails or is killed leaves nothing
    in a folder; in an object store it leaves no manifest, and the next one finishes it. Of two builds of one place in
    an object store at once, one at most succeeds, or both where they make the same.
    """
    check_validation(validation)
    store = open_store(out)
    there = _existing(store, recipe)
    if there is not None:
        if store.remote:
            finish(there)
        return BuildReport(**vars(describe(there)), up_to_date=True)
    if store.remote:
        with scratch_folder() as scratch:
            _make(scratch / "shards", recipe, samples, validation, labels or {})
            new = publish(Manifest.open(str(scratch / "shards")), store, upload)
    else:
        _make(local_folder(out), recipe, samples, validation, labels or {})
        new = True
    return BuildReport(**vars(describe(Manifest.open(out))), up_to_date=not new)


def _make(
    target: Path,
    recipe: Recipe,
    samples: Callable[[list[str]], Iterable[Sample]],
    validation: float,
    labels: Mapping[str, tuple[str, ...]],
) -> None:
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
            labels=labels,
            attributes=all_names(entry.sample.attributes for entry in entries),
        )
        FolderStore(folder).write(FILE, manifest_bytes(head, rows))


def check_validation(share: float) -> None:
    """DataError for a share that cannot be held back."""
    if not 0 <= share < 1:
        raise DataError(f"a validation share of {share} is not in [0, 1); the usual share is 0.1")


def describe(manifest: Manifest) -> Description:
    """The numbers of a data set, for people and for `-o json`."""
    return Description(
        uri=manifest.uri,
        name=manifest.name,
        sha256=manifest.sha256,
        shapes={name: f"{d.width}x{d.height}x{d.channels}" for name, d in manifest.domains.items()},
        differing=[name for name in manifest.domains if _said(manifest, differ_in_size(name))],
        pictures={name: {"train": d.train, "validation": d.validation} for name, d in manifest.domains.items()},
        pairs={side: _pairs(manifest, side) for side in SPLITS},
        classes=len(manifest.head.classes),
        shards=len(manifest.shards),
        bytes=sum(shard.bytes for shard in manifest.shards.values()),
        notes=manifest.head.notes,
        license=manifest.head.license,
    )


def differ_in_size(domain: str) -> str:
    """How the note begins that a domain's pictures are not all of one size; a manifest says it nowhere else."""
    return f"pictures of domain {domain} differ in size"


def _said(manifest: Manifest, beginning: str) -> bool:
    return any(note.startswith(f"{beginning},") for note in manifest.head.notes)


def _existing(store: Store, recipe: Recipe) -> Manifest | None:
    """The data set if it is there already, None where there is room for it; DataError where something else is."""
    if isinstance(store, FolderStore) and store.root.is_file():
        raise DataError(f"{store.root} is a file; give the path of a new folder")
    try:
        there = Manifest(store, store.read(FILE))
    except (FileNotFoundError, NotADirectoryError):
        if not isinstance(store, FolderStore):
            check_room(store)
        elif store.root.exists() and any(store.root.iterdir()):
            raise DataError(f"{store.root} is not empty and holds no shards; give the path of a new folder") from None
        return None
    if dict(there.head.recipe) == recipe.record():
        return there
    raise DataError(
        f"{store.uri} holds other shards: {difference(there.head.recipe, recipe.record())}; give another place, or "
        "delete what is there"
    )


def _pairs(manifest: Manifest, side: str) -> int:
    first, *others = manifest.domains
    return len(manifest.join([first, *others], side)[first]) if others else 0


def difference(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
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
