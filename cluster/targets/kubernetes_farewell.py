"""The end of a head's pod: before Ray is told to go, the drivers beside it are asked to let their trials save.

Ray's own drain at SIGTERM is for workers. A driver that is not asked would die with its head, and the steps since the last
checkpoints with it. Drivers are found by their command lines: a pod sees its own processes only.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from cluster.targets.kubernetes_site import PRODUCT

PROC = Path("/proc")
LOOK_S = 0.2
DRIVER = "drive"  # the command of i2i-cluster that a target runs


def farewell(wait: float, proc: Path = PROC) -> list[int]:
    """Ask every driver of this pod to end, and wait at most `wait` seconds for it; returns those that have not."""
    deadline, left = time.monotonic() + wait, drivers(proc)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    while left and time.monotonic() < deadline:
        threading.Event().wait(LOOK_S)
        left = [pid for pid in drivers(proc) if pid in left]
    return left


def drivers(proc: Path = PROC) -> list[int]:
    """The processes that run `i2i-cluster drive`: themselves, and no shell around them."""
    found = []
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it ended meanwhile
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if _is_driver([word.decode("utf-8", "replace") for word in words]) and not _has_ended(entry):
                    found.append(int(entry.name))
    return sorted(found)


def _is_driver(words: list[str]) -> bool:
    """Such as python3 /opt/i2i/bin/i2i-cluster drive FILE."""
    return any(Path(one).name == PRODUCT and other == DRIVER for one, other in pairwise(words))


def _has_ended(entry: Path) -> bool:
    """Whether only its parent has not asked how."""
    state = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return state[:1] == ["Z"]
