"""Checkpoints as files: one packed safetensors file and a manifest that names it, its size and its hash.

Nothing on the load path can execute anything, and nothing is allocated that the file's size does not vouch for. Both ways are
one pass: tensors go to the file as they lie in memory, and what is hashed while it is read is the very memory that is used.
The manifest is written last by whoever moves the files: without it there is no checkpoint, with it there is a whole one, or
damage that is named.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from trainers.safetensors_file import Malformed, read_tensors, write_tensors

FORMAT = 1
MANIFEST = "manifest.json"
STATE = "state.safetensors"
LARGEST_MANIFEST = 64_000_000  # bytes


class DamagedCheckpoint(ValueError):
    """A checkpoint that does not verify; the message names the file and what is wrong with it."""


class NewerFormat(DamagedCheckpoint):
    """A checkpoint of a later version of this software: whole perhaps, but not to be passed over for an older one."""


@dataclass(frozen=True)
class Manifest:
    """What a manifest says: the state file's size in bytes and its SHA-256, the digest of the state in it, when it was saved
    (seconds since 1970; None where it does not say), and what was said about it."""

    step: int
    digest: str
    size: int
    sha256: str
    about: Mapping[str, Any]
    saved: float | None = None

    def encode(self) -> bytes:
        """The manifest as a file. `about` must be JSON-able."""
        entry = {"bytes": self.size, "sha256": self.sha256}
        body: dict[str, Any] = {
            "step": self.step,
            "digest": self.digest,
            "files": {STATE: entry},
            "about": dict(self.about),
        }
        if self.saved is not None:
            body["saved"] = self.saved
        return json.dumps({"format": FORMAT, "sha256": _hash(body), "body": body}, indent=1, sort_keys=True).encode()

    @staticmethod
    def decode(raw: bytes) -> Manifest:
        """Read and verify a manifest. Raises DamagedCheckpoint."""
        body = _body(raw)
        try:
            (name, entry), *others = body["files"].items()
            size, sha256 = int(entry["bytes"]), str(entry["sha256"])
            step, digest, about = int(body["step"]), str(body["digest"]), dict(body["about"])
            saved = None if body.get("saved") is None else float(body["saved"])
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise DamagedCheckpoint(f"{MANIFEST}: not a checkpoint's manifest") from error
        if name != STATE or others:
            raise DamagedCheckpoint(f"{MANIFEST}: names files other than {STATE}")
        return Manifest(step, digest, size, sha256, about, saved)


@dataclass(frozen=True)
class Unpacked:
    """A verified checkpoint: the training state, and what was said about it when it was made."""

    state: dict[str, Tensor]
    step: int
    digest: str
    about: Mapping[str, Any]


def write_state(state: Mapping[str, Tensor], file: Path) -> tuple[int, str]:
    """Make `file` the packed state (tensors on the CPU); returns its size and SHA-256. Equal states make equal bytes."""
    return write_tensors(state, file)


def read_state(file: Path, manifest: Manifest) -> dict[str, Tensor]:
    """The tensors of `file`, which must be what the manifest says it is. Raises DamagedCheckpoint."""
    check_size(manifest, file.stat().st_size)
    try:
        state, sha256 = read_tensors(file)
    except Malformed as error:
        raise DamagedCheckpoint(f"{STATE}: {error}") from error
    if sha256 != manifest.sha256:
        raise DamagedCheckpoint(f"{STATE}: its SHA-256 is not the manifest's")
    return state


def check_size(manifest: Manifest, size: int) -> None:
    """Raise DamagedCheckpoint unless a state file of `size` bytes can be the manifest's and has room in this machine."""
    if size != manifest.size:
        raise DamagedCheckpoint(f"{STATE}: {size} bytes, the manifest says {manifest.size}")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise DamagedCheckpoint(f"{STATE}: {size} bytes, and this machine has {memory} bytes of memory")


def _body(raw: bytes) -> dict[str, Any]:
    """The body of a manifest that is whole and of a version known here."""
    if len(raw) > LARGEST_MANIFEST:
        raise DamagedCheckpoint(f"{MANIFEST}: {len(raw)} bytes, more than the {LARGEST_MANIFEST} a manifest may have")
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
        raise NewerFormat(f"{MANIFEST}: format {version} is newer than {FORMAT}: upgrade i2i-cluster")
    try:
        mine = _hash(body)
    except (RecursionError, ValueError) as error:  # nested more deeply than can be written, or half a character
        raise DamagedCheckpoint(f"{MANIFEST}: not a checkpoint's manifest") from error
    if sha256 != mine:
        raise DamagedCheckpoint(f"{MANIFEST}: its SHA-256 is not the one it names")
    return body


def _hash(body: Mapping[str, Any]) -> str:
    """SHA-256 of a body, whatever its layout in the file."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
