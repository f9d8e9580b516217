"""Reads one checkpoint of a store and believes nothing: what a listing says is compared before a byte is read."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cluster.checkpoints.retention import Place
from cluster.checkpoints.staging import fetched
from data_shards.errors import Unreachable
from data_shards.store import Entry, Store
from trainers.checkpoint import (
    LARGEST_MANIFEST,
    MANIFEST,
    STATE,
    DamagedCheckpoint,
    Manifest,
    Unpacked,
    check_size,
    read_state,
)


def read_checkpoint(store: Store, at: str, place: Place, files: Mapping[str, Entry]) -> Unpacked:
    """The checkpoint in the folder `at`, whose files are these; verified. Raises DamagedCheckpoint, naming the file."""
    manifest = read_manifest(store, at, place, files)
    with _naming(at), _damage(STATE), fetched(store, f"{at}/{STATE}", files[STATE]) as file:
        state = read_state(file, manifest)
    return Unpacked(state, manifest.step, manifest.digest, manifest.about)


def read_manifest(store: Store, at: str, place: Place, files: Mapping[str, Entry]) -> Manifest:
    """What it says of itself, of its state no more than the size is looked at. Raises DamagedCheckpoint, naming the file."""
    with _naming(at):
        for name in (MANIFEST, STATE):
            if name not in files:
                raise DamagedCheckpoint(f"{name}: it is not there")
        size = files[MANIFEST].size
        if size > LARGEST_MANIFEST:
            raise DamagedCheckpoint(f"{MANIFEST}: {size} bytes, more than the {LARGEST_MANIFEST} a manifest may have")
        with _damage(MANIFEST):
            raw = store.read(f"{at}/{MANIFEST}")
        manifest = Manifest.decode(raw)
        if manifest.step != place.step:
            raise DamagedCheckpoint(f"{MANIFEST}: it is of step {manifest.step}")
        check_size(manifest, files[STATE].size)
    return manifest


@contextmanager
def _naming(at: str) -> Iterator[None]:
    """Put the folder before the file's name in what is raised."""
    try:
        yield
    except DamagedCheckpoint as error:
        raise type(error)(f"{at}/{error}") from error


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """What a disk or a store says about content that cannot be read again, as damage. Everything else passes."""
    try:
        yield
    except FileNotFoundError as error:
        raise DamagedCheckpoint(f"{name}: it is not there") from error
    except Unreachable:
        raise
    except OSError as error:
        if error.errno not in (None, errno.EIO):  # a store names no number for content that fails its checksums
            raise
        raise DamagedCheckpoint(f"{name}: {error}") from error
