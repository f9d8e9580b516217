"""Makes a manifest for tar shards that somebody else wrote; the shards stay where and as they are.

Every shard is read once, from a folder or by one download each, several at a time. The surprise is the second run: it
says what changed and stops, because another manifest is another data set, and the sweeps that were trained on the
first one name it by its hash.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_shards.address import is_remote, join, parse
from data_shards.build.picture import Progress, silent
from data_shards.build.writer import BuildReport, check_validation, describe, difference
from data_shards.check.files import on_each, tars
from data_shards.errors import DataError
from data_shards.index.names import COMPRESSED, DomainPattern, Domains
from data_shards.index.rows import IndexRows
from data_shards.index.shard import ShardIndex, index_shard
from data_shards.manifest import FILE, Head, Manifest, Shard, manifest_bytes
from data_shards.manifest_file import ETAGS, etags_bytes, place_of
from data_shards.store import Entry, Store, open_store

_INDEXER = "index 1"  # part of every recipe: another number where the same shards would give another manifest
_SHOWN = 3  # how many shards an error lists


@dataclass(frozen=True)
class IndexRequest:
    """What an index is made of. uri: the shards' address. out: the manifest's, "" for beside the shards.

    domains: patterns as `DomainPattern.read` takes them; none where extensions like `a.png` tell. validation: the share
    held back, in [0, 1), where no shard's name tells. name: "" for that in the manifest that is there, else the last
    part of the address. prefix_keys: put the shard's name before every key. paired: where the shards' names tell the
    domains, equal keys are pairs. strict: refuse files that claim to be pictures and are none or links, instead of noting them.
    """

    uri: str
    out: str = ""
    domains: Sequence[str] = ()
    validation: float = 0.1
    name: str = ""
    prefix_keys: bool = False
    strict: bool = False
    paired: bool = False

    def arguments(self, apart: bool) -> dict[str, Any]:
        """What the manifest depends on beside the shards, as JSON values. apart: see `Domains.apart`; where it is
        false, `paired` changes nothing and is not written."""
        return {
            "domains": sorted(self.domains),
            "prefix_keys": self.prefix_keys,
            "validation": self.validation,
            **({"paired": self.paired} if apart else {}),
        }


def index(request: IndexRequest, *, again: bool = False, progress: Progress = silent) -> BuildReport:
    """Make the manifest, or find that there is one of the same shards already (`up_to_date`).

    again: replace a manifest of other shards or made otherwise. progress: told (done, total) shards. Raises DataError,
    among others, where there are no shards, one is damaged, or nothing tells the pictures' domains.
    """
    check_validation(request.validation)
    if request.paired and request.prefix_keys:
        raise DataError("--paired joins equal keys of different shards and --prefix-keys makes them differ; give one")
    store = open_store(request.uri)
    target = open_store(request.out) if request.out else store
    domains = Domains(tuple(DomainPattern.read(text) for text in request.domains))
    listed = _shards(store)
    entries = {name: entry for name, entry in listed.items() if domains.reads(name)}
    if not entries:
        raise DataError(f"{store.uri}: no shard's name fits a --domain pattern: {', '.join(request.domains)}")
    there = _existing(target)
    name = request.name or (there.name if there is not None else _last_part(store.uri))
    wanted = {"arguments": request.arguments(domains.apart(entries)), "builder": _INDEXER, "name": name}
    if there is not None and not again:
        _check_same(there, wanted, store, listed, entries, progress)
        return BuildReport(**vars(describe(there)), up_to_date=True)
    rows = IndexRows(
        store.uri,
        list(entries),
        domains,
        prefix_keys=request.prefix_keys,
        paired=request.paired,
        strict=request.strict,
    )
    for found in on_each(store, entries, _Indexer(store.uri), progress):
        rows.add(found)
    made, notes = rows.settle(request.validation)
    head = Head(
        name=name,
        shapes=rows.shapes(),
        shards=rows.shards,
        classes=rows.classes,
        attributes=rows.attributes,
        recipe={**wanted, "sources": _sources(rows.shards)},
        notes=tuple(notes),
        home=place_of(store.uri) if place_of(target.uri) != place_of(store.uri) else "",
    )
    _put(target, manifest_bytes(head, made), store, {name: entries[name] for name in rows.shards}, again)
    return BuildReport(**vars(describe(Manifest.open(target.uri))))


@dataclass(frozen=True)
class _Indexer:
    uri: str

    def __call__(self, name: str, path: Path) -> ShardIndex:
        return index_shard(path, name, f"{self.uri}: {name}")


def _sources(shards: Mapping[str, Shard]) -> str:
    """A digest of what was read."""
    read = json.dumps({name: asdict(shard) for name, shard in shards.items()}, sort_keys=True)
    return hashlib.sha256(read.encode()).hexdigest()


def _last_part(uri: str) -> str:
    """What a data set is called that nobody gave a name: the last part of its address."""
    if is_remote(uri):
        address = parse(uri)
        return address.prefix.rpartition("/")[2] or address.bucket
    return Path(uri).name.encode(errors="replace").decode()


def _shards(store: Store) -> dict[str, Entry]:
    """The shards by name; DataError where there are none, or some that no single sample can be read from."""
    packed = [name for name in store.list() if name.endswith(COMPRESSED)]
    if packed:
        raise DataError(
            f"{store.uri} has compressed shards ({_some(packed)}): single samples cannot be read from them; "
            "unpack them first (gunzip makes x.tar of x.tar.gz), which costs little room, as pictures are packed already"
        )
    found = tars(store)
    if not found:
        raise DataError(f"{store.uri} holds no shards (no file whose name ends in .tar)")
    for name in found:
        if not name.isprintable():
            raise DataError(f"{store.uri}: {name!r} is no name for a shard; rename it to plain text")
    return found


def _existing(target: Store) -> Manifest | None:
    """The manifest that an earlier run left; DataError for one that is no index's."""
    try:
        there = Manifest(target, target.read(FILE))
    except (FileNotFoundError, NotADirectoryError):
        return None
    if there.head.recipe.get("builder") != _INDEXER:
        raise DataError(f"{join(target.uri, FILE)} was made with its shards, by `shards build`: it needs no index")
    return there


def _check_same(
    there: Manifest,
    wanted: Mapping[str, Any],
    store: Store,
    listed: Mapping[str, Entry],
    entries: Mapping[str, Entry],
    progress: Progress,
) -> None:
    """DataError, saying what differs, unless `there` is the manifest of these shards as they are now. wanted: the
    recipe without its sources. listed: all shards that are there, of which `entries` are to be read.

    Changed shards are told first: they may be damaged, whatever was asked for.
    """
    path = join(there.uri, FILE)
    recipe = dict(there.head.recipe)
    if place_of(there.store.uri) != place_of(store.uri):
        raise DataError(f"{path} is of the shards at {there.store.uri}; --again replaces it")
    same_domains = recipe["arguments"].get("domains") == wanted["arguments"]["domains"]
    new = sorted(entries.keys() - there.shards.keys()) if same_domains else []
    changes = _changes(there, store, listed, new, progress)
    if changes:
        raise DataError(
            f"{path} is of other shards: {'; '.join(changes)}. An index of those that are there is another data set, "
            f"and sweeps of this one (sha256 {there.sha256[:12]}) would not be continued with it; --again makes it"
        )
    if recipe != {**wanted, "sources": recipe["sources"]}:
        raise DataError(f"{path} was made otherwise: {difference(recipe, wanted)}; --again replaces it")


def _changes(
    there: Manifest, store: Store, entries: Mapping[str, Entry], new: Sequence[str], progress: Progress
) -> list[str]:
    """What tells the shards that are there from those of a manifest, in words. Reads those that may have changed."""
    both = {name: entry for name, entry in entries.items() if name in there.shards}
    resized = {name for name, entry in both.items() if entry.size != there.shards[name].bytes}
    unsure = {n: e for n, e in both.items() if n not in resized and (not e.etag or e.etag != there.etags.get(n))}
    digests = zip(unsure, on_each(store, unsure, _sha256, progress), strict=True)
    changed = sorted(resized | {name for name, digest in digests if digest != there.shards[name].sha256})
    found = {
        "changed": changed,
        "new": new,
        "gone": sorted(there.shards.keys() - entries.keys()),
    }
    return [f"{what} {_some(names)}" for what, names in found.items() if names]


def _sha256(name: str, path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put(target: Store, data: bytes, store: Store, entries: Mapping[str, Entry], again: bool) -> None:
    """Write the manifest last: whoever finds it finds all that belongs to it."""
    etags = {name: entry.etag for name, entry in entries.items() if entry.etag}
    if etags:
        target.write(ETAGS, etags_bytes(hashlib.sha256(data).hexdigest(), store.uri, etags))
    if again:
        target.write(FILE, data)
    elif not target.create(FILE, data):
        raise DataError(f"{join(target.uri, FILE)} was made by someone else in the meantime; run again to compare")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
