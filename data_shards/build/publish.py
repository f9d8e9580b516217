"""Puts a data set that was made in a folder into an object store, so that nobody ever finds half of one.

The manifest goes last. The surprise is the marker that goes first: without it, what a killed upload left behind could
not be told from shards of somebody else that happen to have such names, and those must never be overwritten. It names
one build. Nobody can tell a killed build from a slow one, so the next one takes the place over by putting its own
marker there, and a build that finds another's marker stops. A store has no locks: what two builds wrote at once is
found by the shards' ETags, before the manifest is made and after.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data_shards.address import join
from data_shards.build.picture import Progress, in_parallel
from data_shards.errors import DataError
from data_shards.manifest import FILE, Manifest
from data_shards.manifest_file import ETAGS, etags_bytes
from data_shards.store import Entry, FolderStore, Store

MARKER = "unfinished.json"
_SHARD = re.compile(r"(train|validation)-[^/]+-\d{6}\.tar")
_UPLOADS = 3  # shards at a time; a large one goes in several parts besides


def check_room(store: Store) -> list[str]:
    """What is there at an address that has no manifest: nothing, or what a killed upload left.

    DataError where something else is in the way.
    """
    there = store.list()
    foreign = [name for name in there if name not in (ETAGS, MARKER) and not _SHARD.fullmatch(name)]
    if there and MARKER not in there:
        foreign = there
    if foreign:
        raise DataError(f"{store.uri} is not empty and holds no shards (there is {foreign[0]}); give another address")
    return there


def publish(made: Manifest, target: Store, progress: Progress) -> bool:
    """Copy a data set from its folder to `target`: False where an equal one is there by now; progress counts shards.

    Raises DataError where something else is there, or another process writes there too; what is there then stays.
    """
    source = made.store
    assert isinstance(source, FolderStore), source.uri
    if _made_meanwhile(made, target):
        return False
    claim = _claim(made, target)
    if _made_meanwhile(made, target):  # by a build that had not seen the claim yet
        return False

    def upload(name: str) -> Entry:
        claim.check()
        return target.upload(name, source.path(name))

    names = sorted(made.shards)
    try:
        sent = dict(zip(names, in_parallel(upload, names, len(names), progress, _UPLOADS), strict=True))
        claim.check()
    except _LostError:
        if _made_meanwhile(made, target):
            return False
        raise
    if _made_meanwhile(made, target):
        return False
    _compare(target, sent)
    etags = {name: entry.etag for name, entry in sent.items()}
    target.write(ETAGS, etags_bytes(made.sha256, target.uri, etags))
    if not target.create(FILE, source.read(FILE)):
        _made_meanwhile(made, target)
        return False
    claim.check(gone=True)  # who took the place over before there was a manifest may not have seen it
    _compare(target, sent)
    _clear(target, made)
    return True


def finish(there: Manifest) -> None:
    """Take away what a build left that was killed after it had made this manifest.

    DataError where the shards are not those that it had uploaded.
    """
    target = there.store
    if target.exists(MARKER):
        _compare(target, {name: Entry(shard.bytes, there.etags.get(name, "")) for name, shard in there.shards.items()})
        _clear(target, there)


class _LostError(DataError):
    """The marker is not this build's any more."""


@dataclass(frozen=True)
class _Claim:
    """What a build says in the marker: `build` is its random name."""

    target: Store
    build: str

    def check(self, *, gone: bool = False) -> None:
        """_LostError where the marker is not this build's any more. gone: it may be missing."""
        told = _told(self.target)
        if told.get("build") != self.build and not (gone and not self.target.exists(MARKER)):
            raise _LostError(
                f"{self.target.uri} is written to by another build too (its {MARKER} is not of this one any more); "
                "wait for that one or give another address, then build again"
            )


def _claim(made: Manifest, target: Store) -> _Claim:
    """Put our marker there, over that of a build that began before; DataError where there is no room."""
    there = check_room(target)
    claim = _Claim(target, uuid.uuid4().hex)
    told = {
        "build": claim.build,
        "leftovers": [name for name in there if _SHARD.fullmatch(name) and name not in made.shards],
        "name": made.name,
        "recipe": dict(made.head.recipe),
        "what": "an upload that has not finished; building the same data set again finishes it",
    }
    data = json.dumps(told, sort_keys=True).encode()
    if MARKER in there:
        target.write(MARKER, data)
    elif not target.create(MARKER, data):
        raise DataError(
            f"{target.uri}: another build began there at the same time; wait for it or give another address"
        )
    claim.check()
    return claim


def _made_meanwhile(made: Manifest, target: Store) -> bool:
    """Whether somebody made the same data set there; DataError where it is another one."""
    try:
        there = Manifest(target, target.read(FILE))
    except FileNotFoundError:
        return False
    if there.head.recipe != made.head.recipe:
        raise DataError(
            f"{join(target.uri, FILE)} was made by someone else in the meantime, of another data set "
            f"({there.name}, sha256 {there.sha256[:12]}); give another address"
        )
    finish(there)
    return True


def _compare(target: Store, wanted: Mapping[str, Entry]) -> None:
    """DataError where a shard is not the one that was uploaded."""
    there = target.entries()
    for name, entry in wanted.items():
        if there.get(name) != entry:
            made = "; delete what is there and" if FILE in there else ";"
            raise DataError(
                f"{target.uri} was written to by two builds at once ({name} is not what was uploaded){made} build again"
            )


def _clear(target: Store, made: Manifest) -> None:
    """Take away the shards that an earlier build had left when the one of the marker began, and the marker."""
    listed = _told(target).get("leftovers", [])
    for name in listed if isinstance(listed, list) else []:
        if isinstance(name, str) and _SHARD.fullmatch(name) and name not in made.shards:
            target.delete(name)
    target.delete(MARKER)


def _told(target: Store) -> Mapping[str, Any]:
    """What the marker says; nothing where there is none, or one that is damaged."""
    try:
        told = json.loads(target.read(MARKER))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
