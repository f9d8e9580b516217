"""Puts a data set that was made in a folder into an object store, so that nobody ever finds half of one.

The manifest goes last. The surprise is the marker that goes first: without it, what a killed upload left behind could
not be told from shards of somebody else that happen to have such names, and those must never be overwritten.
"""

import json
import re
from functools import partial

from data_shards.address import join
from data_shards.build.picture import Progress, in_parallel
from data_shards.errors import DataError
from data_shards.manifest import FILE, Manifest
from data_shards.manifest_file import ETAGS, etags_bytes
from data_shards.store import Entry, FolderStore, Store

MARKER = "unfinished.json"
_OURS = re.compile(rf"(train|validation)-[^/]+-\d{{6}}\.tar|{re.escape(ETAGS)}|{re.escape(MARKER)}")
_UPLOADS = 3  # shards at a time; a large one goes in several parts besides


def check_room(store: Store) -> None:
    """DataError where something is in the way at an address that has no manifest; what a killed upload left is not."""
    there = store.list()
    foreign = [name for name in there if not _OURS.fullmatch(name)]
    if there and MARKER not in there:
        foreign = there
    if foreign:
        raise DataError(f"{store.uri} is not empty and holds no shards (there is {foreign[0]}); give another address")


def publish(made: Manifest, target: Store, progress: Progress) -> None:
    """Copy a data set from its folder to `target`, which `check_room` let pass; progress counts shards.

    Raises DataError where another process writes there too.
    """
    source = made.store
    assert isinstance(source, FolderStore), source.uri
    told = {"what": "an upload that has not finished; building the same data set again finishes it", "name": made.name}
    target.create(MARKER, json.dumps(told).encode())
    names = sorted(made.shards)
    for name in set(target.list()) - {*names, MARKER}:
        target.delete(name)  # of a killed upload of another data set, or an older version of this one
    taken = in_parallel(partial(_upload, source, target), names, len(names), progress, _UPLOADS)
    sent = dict(zip(names, taken, strict=True))
    there = target.entries()
    if any(there.get(name) != entry for name, entry in sent.items()):
        raise DataError(f"{target.uri} was written to by someone else at the same time; run again to see what it is")
    etags = {name: entry.etag for name, entry in sent.items()}
    target.write(ETAGS, etags_bytes(made.sha256, target.uri, etags))
    if not target.create(FILE, source.read(FILE)):
        raise DataError(
            f"{join(target.uri, FILE)} was made by someone else in the meantime; run again to see what it is"
        )
    finish(target)


def finish(target: Store) -> None:
    """Take the marker away from a data set that has its manifest."""
    if target.exists(MARKER):
        target.delete(MARKER)


def _upload(source: FolderStore, target: Store, name: str) -> Entry:
    return target.upload(name, source.path(name))
