"""Who drives a sweep, for people and readers: what its lock says in a folder, and its newest claim in a remote store.

Nothing is decided by this: `driving` decides, and what is told here may be out of date when it is read. A claim that was not
given up by a process of another machine can only be judged by its last sign of life, and by clocks that may differ.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from cluster.layout import SweepPaths
from cluster.log.driver import is_driven
from cluster.log.lease import CLAIM, Claim
from cluster.log.lock import is_locked
from data_shards.store import FolderStore, Store


@dataclass(frozen=True)
class Holder:
    """The process that drives a sweep, or drove it last.

    state: drives; silent (it did not let go, and has given no sign of life for a while); gone. pid, host: as far as they were
    told. seen: seconds since 1970 of its last sign of life, by its own clock. mark: tells two holders apart.
    """

    state: str
    pid: int | None
    host: str | None
    seen: float | None
    mark: str

    @property
    def drives(self) -> bool:
        """Whether it is alive, as far as anybody here can know."""
        return self.state == "drives"

    def __str__(self) -> str:
        process = "another process" if self.pid is None else f"process {self.pid}"
        return f"{process} on {self.host}" if self.host else process


def last_holder(store: Store, paths: SweepPaths) -> Holder | None:
    """Who drives the sweep, or drove it last; None where nobody ever did."""
    return _claimant(store, paths) if store.remote else _locker(store, paths)


def _locker(store: Store, paths: SweepPaths) -> Holder | None:
    """By the lock: the kernel knows whether it is held, and the file who took it last."""
    assert isinstance(store, FolderStore)
    file = store.path(paths.lock)
    held = is_locked(file)
    try:
        text = file.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    return Holder("drives" if held else "gone", int(text) if text.isdecimal() else None, None, None, text)


def _claimant(store: Store, paths: SweepPaths) -> Holder | None:
    """By the newest claim."""
    while names := sorted(path for path in store.list(f"{paths.claims}/") if CLAIM.search(path)):
        try:
            raw = store.read(names[-1])
        except FileNotFoundError:
            continue  # it was the newest when we looked: a newer one has come
        driven = is_driven(store, paths)
        claim = _claim(raw)
        if claim is None:
            return Holder("silent", None, None, None, names[-1])
        state = "drives" if driven else "gone" if claim.is_gone() else "silent"
        return Holder(state, claim.pid, claim.host, claim.at, f"{names[-1]} {claim.token}")
    return None


def _claim(raw: bytes) -> Claim | None:
    """What a claim says; None where it is damaged."""
    try:
        fields = json.loads(raw)
        return Claim(**{name: fields[name] for name in Claim.__dataclass_fields__})
    except (KeyError, TypeError, ValueError):
        return None
