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
    body = {"step": step, "digest": whole, "files": {STATE: entry}, "about": dict(about)}
    manifest = {"format": FORMAT, "sha256": _hash(body), "body": body}
    return Packed({STATE: payload, MANIFEST: json.dumps(manifest, indent=1, sort_keys=True).encode()}, whole)


def unpack(manifest: bytes, read: Callable[[str], bytes]) -> Unpacked:
    """Read and verify a checkpoint; `read` gives a file of it by name. Raises DamagedCheckpoint, or what `read` raises."""
    body = _read_manifest(manifest)
    try:
        (name, entry), *others = body["files"].items()
        size, sha256 = int(entry["bytes"]), str(entry["sha256"])
        step, whole, about = int(body["step"]), str(body["digest"]), dict(body["about"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DamagedCheckpoint(f"{MANIFEST}: not a checkpoint's manifest") from error
    if name != STATE or others:
        raise DamagedCheckpoint(f"{MANIFEST}: names files other than {STATE}")
    return Unpacked(_read_state(read(STATE), size, sha256), step, whole, about)


def _read_manifest(raw: bytes) -> dict[str, Any]:
    """The body of a manifest that is whole and of a version known here."""
    try:
        manifest = json.loads(raw)
    except (RecursionError, ValueError) as error:
        raise DamagedCheckpoint(f"{MANIFEST}: not JSON: {error}") from error
    try:
        version, sha256, body = manifest["format"], manifest["sha256"], manifest["body"]
    except (KeyError, TypeError) as error:
        raise DamagedCheckpoint(f"{MANIFEST}: not a checkpoint's manifest") from error
    if not isinstance(version, int) or not isinstance(body, dict) or version < 1:
        raise DamagedCheckpoint(f"{MANIFEST}: not a checkpoint's manifest")
    if version > FORMAT:
        raise DamagedCheckpoint(f"{MANIFEST}: format {version} is newer than {FORMAT}: upgrade i2i-cluster")
    if sha256 != _hash(body):
        raise DamagedCheckpoint(f"{MANIFEST}: its SHA-256 is not the one it names")
    return body


def _read_state(payload: bytes, size: int, sha256: str) -> dict[str, Tensor]:
    if len(payload) != size:
        raise DamagedCheckpoint(f"{STATE}: {len(payload)} bytes, the manifest says {size}")
    if hashlib.sha256(payload).hexdigest() != sha256:
        raise DamagedCheckpoint(f"{STATE}: its SHA-256 is not the manifest's")
    try:
        return load(payload)
    except (SafetensorError, KeyError, ValueError, OverflowError) as error:  # a forged header; nothing was executed
        raise DamagedCheckpoint(f"{STATE}: {error}") from error


def _hash(body: Mapping[str, Any]) -> str:
    """SHA-256 of a body, whatever its layout in the file."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
