"""The processes of one cluster on this machine, and no others: by what only they have, and by who started them.

`ray stop` would end every Ray of this user. What a cluster's processes have alone is a mark in their environment, which
every process inherits, or their output in the cluster's own folder; some of Ray's rename themselves, and a few detach.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

MARK = "I2I_CLUSTER"  # the variable
GRACE_S = 5.0
ROUNDS = 20  # of kill -9: a process may be starting another one
LOOK_S = 0.1


def processes_of(mark: str, folder: str) -> list[int]:
    """The living processes of the cluster with that mark and folder, and all that they started; sorted."""
    parents = {pid: parent for pid in _pids() if (parent := _parent(pid)) is not None}
    wanted = f"{MARK}={mark}".encode()
    found = {pid for pid in parents if wanted in _environment(pid) or _writes_into(pid, folder)}
    found -= {os.getpid()}
    while below := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= below
    return sorted(found)


def end(mark: str, folder: str) -> int:
    """End them: SIGTERM, a few seconds, kill -9. Returns how many there were. Raises OSError where one does not go."""
    first = living = processes_of(mark, folder)
    _send(living, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while living and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        living = processes_of(mark, folder)
    for _ in range(ROUNDS):
        if not living:
            return len(first)
        _send(living, signal.SIGKILL)
        time.sleep(LOOK_S)
        living = processes_of(mark, folder)
    raise OSError(f"processes of the cluster do not end: {', '.join(map(str, living))}")


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _parent(pid: int) -> int | None:
    """The parent of a living process; None for one that is gone, or a zombie."""
    state, parent, *_ = _told(pid, "stat").rpartition(b")")[2].split() or [b"X", b"0"]
    return None if state in (b"Z", b"X") else int(parent)


def _environment(pid: int) -> set[bytes]:
    return set(_told(pid, "environ").split(b"\0"))


def _writes_into(pid: int, folder: str) -> bool:
    """Whether its output goes into that folder."""
    for stream in ("1", "2"):
        with suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{stream}").startswith(f"{folder}/"):
                return True
    return False


def _told(pid: int, name: str) -> bytes:
    """What the kernel tells of a process; nothing of one that is gone, or somebody else's."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
