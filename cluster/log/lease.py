"""One driver per sweep where there is no lock to take: numbered claims in the store, the highest of which counts.

A claim is made by `Store.create`, so of two claimants one gets the number. Its holder overwrites it every few seconds; a
claimant watches it with its own stopwatch, and no clock is ever compared with another machine's. A holder on this very
machine whose process is gone needs no watching. A claim is never deleted while it is the highest, so numbers never come
back; a holder that was taken for dead, a frozen one say, is stopped by the log, not by this.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cluster.log.lock import SweepBusy
from data_shards.errors import DataError
from data_shards.store import Store

logger = logging.getLogger(__name__)
BEAT_S = 5.0  # between two signs of life
DEAD_S = 30.0  # without one, by the claimant's own clock
LOOK_S = 1.0  # between two looks of a claimant
FRESH_S = 60.0  # how old a sign of life from elsewhere may seem, by clocks that may differ
RELEASE_S = 5.0  # an ending driver waits no longer than this to say so: the store may be what ended it
CLAIM = re.compile(r"(\d{8})\.json")


@dataclass(frozen=True)
class Claim:
    """What a driver says of itself. `machine` is one boot and one namespace of processes; `born` tells processes of one
    number apart; `token` tells two claims of one process apart; `at` (seconds since 1970) is a hint for people."""

    host: str
    machine: str
    pid: int
    born: str
    token: str
    beat: int = 0
    at: float = 0.0
    released: bool = False

    def is_gone(self) -> bool:
        """Whether it certainly drives no more: it said so, or it was a process of this machine that is no more."""
        return self.released or (self.machine == _machine() and _born(self.pid) != self.born)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@contextmanager
def leased(store: Store, folder: str) -> Iterator[int]:
    """Hold the lease in `folder` for this process; gives the claim's number, which no other driver ever had.

    Waits up to DEAD_S where the last holder may be dead. Raises SweepBusy, naming the holder, where it lives.
    """
    mine = Claim(socket.gethostname(), _machine(), os.getpid(), _born(os.getpid()), uuid.uuid4().hex, at=time.time())
    number = _claim(store, folder, mine)
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(store, _at(folder, number), mine, ended), daemon=True)
    beating.start()
    try:
        yield number
    finally:
        ended.set()
        beating.join(RELEASE_S)


def is_leased(store: Store, folder: str) -> bool:
    """Whether somebody seems to drive: exact on the holder's own machine, elsewhere a hint from clocks that may differ."""
    number, claim, _ = _highest(store, folder)
    if not number or (claim is not None and claim.is_gone()):
        return False
    if claim is not None and claim.machine == _machine():
        return True
    return claim is not None and time.time() - claim.at < FRESH_S


def _claim(store: Store, folder: str, mine: Claim) -> int:
    """Make the next claim once the highest one is dead; returns its number. Raises SweepBusy."""
    number, holder, _ = _await_death(store, folder)
    number += 1
    made = store.create(_at(folder, number), _encode(mine))
    claims = _numbers(store, folder)
    if not made or claims[-1] != number:  # a slow claimant may find a number free again that others are past
        raise SweepBusy(f"this sweep was just taken by another process{_after(holder)}; wait for it, or stop it first")
    for old in claims[:-1]:
        store.delete(_at(folder, old))
    return number


def _after(holder: Claim | None) -> str:
    return f", after {holder}" if holder else ""


def _await_death(store: Store, folder: str) -> tuple[int, Claim | None, bytes]:
    """The highest claim, once it is certain that its holder is dead. Raises SweepBusy as soon as it moves."""
    number, holder, seen = first = _highest(store, folder)
    if not number or (holder is not None and holder.is_gone()):
        return first
    logger.warning("%s had this sweep; watching for up to %.0f s whether it lives", holder or "another process", DEAD_S)
    since = time.monotonic()
    while time.monotonic() - since < DEAD_S:
        time.sleep(LOOK_S)
        asked = time.monotonic()
        now = _highest(store, folder)
        if now[1] is not None and now[1].is_gone():
            return now
        if (now[0], now[2]) != (number, seen):
            raise SweepBusy(f"this sweep is already being run by {now[1] or holder}; wait for it, or stop it first")
        if time.monotonic() - asked > BEAT_S:
            since = time.monotonic()  # the store was silent, for the holder too
    return first


def _highest(store: Store, folder: str) -> tuple[int, Claim | None, bytes]:
    """The highest claim: its number (0: none), what it says (None: damaged), and its bytes."""
    while numbers := _numbers(store, folder):
        try:
            raw = store.read(_at(folder, numbers[-1]))
        except FileNotFoundError:
            continue  # it was the highest when we looked: a higher one has come
        return numbers[-1], _decode(raw), raw
    return 0, None, b""


def _numbers(store: Store, folder: str) -> list[int]:
    names = (path.removeprefix(f"{folder}/") for path in store.list(f"{folder}/"))
    return sorted(int(match[1]) for name in names if (match := CLAIM.fullmatch(name)))


def _beat(store: Store, path: str, claim: Claim, ended: threading.Event) -> None:
    """Overwrite the claim until the end, then once more to give it up. All writes to it are made here, one by one."""
    while not ended.wait(BEAT_S):
        claim = replace(claim, beat=claim.beat + 1, at=time.time())
        _write(store, path, claim)
    _write(store, path, replace(claim, released=True))


def _write(store: Store, path: str, claim: Claim) -> None:
    try:
        store.write(path, _encode(claim))
    except (DataError, OSError) as error:
        logger.debug("no sign of life could be given: %s", error)  # the log will say it, if it lasts


def _at(folder: str, number: int) -> str:
    return f"{folder}/{number:08d}.json"


def _encode(claim: Claim) -> bytes:
    return json.dumps({"format": 1, **asdict(claim)}).encode()


def _decode(raw: bytes) -> Claim | None:
    try:
        fields = json.loads(raw)
        return Claim(**{name: fields[name] for name in Claim.__dataclass_fields__})
    except (KeyError, TypeError, ValueError):
        return None


@functools.cache
def _machine() -> str:
    """This boot of this machine, and this container of it: where a process number means what it says."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"


def _born(pid: int) -> str:
    """When a living process of this machine was started, in its clock's ticks; empty where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()  # a process's own name may hold anything, but comes first
    return "" if state in "ZX" else fields[18]
