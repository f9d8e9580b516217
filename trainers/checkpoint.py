"""Checkpoints as files: one packed safetensors file and a manifest that names it, its size and its hash.

Nothing on the load path can execute anything. The manifest is written last by whoever moves the files: without it there is
no checkpoint, with it there is a whole one, or damage that is named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from trainers.state import digest

FORMAT = 1
MANIFEST = "manifest.json"
STATE = "state.safetensors"


class DamagedCheckpoint(ValueError):
    """A checkpoint that does not verify; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Packed:
    """The files of a checkpoint, in the order in which they must be written; the manifest is the last."""

    files: Mapping[str, bytes]
    digest: str


@dataclass(frozen=True)
class Unpacked:
    """A verified checkpoint: the training state, and what was said about it when it was made."""

    state: dict[str, Tensor]
    step: int
    digest: str
    about: Mapping[str, Any]


def pack(state: Mapping[str, Tensor], step: int, about: Mapping[str, Any]) -> Packed:
    """The files of the training state `state` after `step` steps. `about` must be JSON-able."""
    payload = save(dict(state))
    whole = digest(state)
    entry = {"bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
    manifest = {"format": FORMAT, "step": step, "digest": whole, "files": {STATE: entry}, "about": dict(about)}
    return Packed({STATE: payload, MANIFEST: json.dumps(manifest, indent=1, sort_keys=True).encode()}, whole)


def read_manifest(raw: bytes) -> dict[str, Any]:
    """A manifest's content. Raises DamagedCheckpoint where it is not one, or comes from a newer version."""
    try:
        manifest = json.loads(raw)
    except ValueError as error:
        raise DamagedCheckpoint(f"{MANIFEST}: not JSON: {error}") from error
    if not isinstance(manifest, dict) or not {"format", "step", "digest", "files", "about"} <= set(manifest):
        raise DamagedCheckpoint(f"{MANIFEST}: not a checkpoint's manifest")
    if manifest["format"] > FORMAT:
        raise DamagedCheckpoint(f"{MANIFEST}: format {manifest['format']} is newer than {FORMAT}: upgrade i2i-cluster")
    return manifest


def unpack(raw_manifest: bytes, read: Callable[[str], bytes]) -> Unpacked:
    """Read and verify a checkpoint; `read` gives a file of it by name. Raises DamagedCheckpoint, or what `read` raises."""
    manifest = read_manifest(raw_manifest)
    if set(manifest["files"]) != {STATE}:
        raise DamagedCheckpoint(f"{MANIFEST}: names files other than {STATE}")
    expected = manifest["files"][STATE]
    payload = read(STATE)
    if len(payload) != expected["bytes"]:
        raise DamagedCheckpoint(f"{STATE}: {len(payload)} bytes, the manifest says {expected['bytes']}")
    if hashlib.sha256(payload).hexdigest() != expected["sha256"]:
        raise DamagedCheckpoint(f"{STATE}: its SHA-256 is not the manifest's")
    try:
        state = load(payload)
    except SafetensorError as error:
        raise DamagedCheckpoint(f"{STATE}: {error}") from error
    return Unpacked(state, int(manifest["step"]), str(manifest["digest"]), manifest["about"])
