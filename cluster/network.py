"""By which network interface the workers of a trial would talk from this machine, as NCCL and gloo choose one.

NCCL's rule, of its ncclFindInterfaces: what NCCL_SOCKET_IFNAME says; else one whose name begins with ib; else any but docker's, the
loopback and virbr; else docker's; else the loopback. It takes only those that are up and have an address.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INTERFACES = Path("/sys/class/net")
NAMED = "NCCL_SOCKET_IFNAME"
LAST = ("docker", "lo", "virbr")  # in this order, where there is nothing else
UP = 0x1  # IFF_UP


@dataclass(frozen=True)
class Choice:
    """What NCCL would take. interfaces: in its order; the first is what it connects by. problem: why there is none."""

    interfaces: tuple[str, ...]
    named: str = ""
    problem: str = ""


def interfaces() -> list[str]:
    """The interfaces of this machine that are up, in the kernel's order."""
    return [name for _, name in socket.if_nameindex() if _is_up(name)]


def nccl_choice(there: Sequence[str], environment: Mapping[str, str] = os.environ) -> Choice:
    """Which of the interfaces `there` NCCL would talk by."""
    named = environment.get(NAMED, "").strip()
    if named:
        found = [name for name in there if _is_meant(name, named)]
        return Choice(tuple(found), named, "" if found else f"{NAMED}={named} fits none of {_listed(there)}")
    groups = [
        [name for name in there if name.startswith("ib")],
        [name for name in there if not name.startswith(LAST)],
        *([name for name in there if name.startswith(last)] for last in LAST),
    ]
    found = next((group for group in groups if group), [])
    return Choice(tuple(found), problem="" if found else "no network interface is up")


def nccl_version() -> str:
    """NCCL's version in the installed torch; empty where it has none, as torch for CPUs. Raises ImportError and OSError where
    torch cannot be loaded."""
    import torch
    from torch import distributed

    if not distributed.is_available() or not distributed.is_nccl_available() or torch.version.cuda is None:
        return ""
    return ".".join(map(str, torch.cuda.nccl.version()))


def _is_meant(name: str, spelled: str) -> bool:
    """Beginnings of names by commas; `=` before them: whole names; `^`: all but these."""
    excludes, rest = spelled.startswith("^"), spelled.removeprefix("^")
    whole, rest = rest.startswith("="), rest.removeprefix("=")
    parts = [part.partition(":")[0] for part in rest.split(",") if part]  # behind a colon: a port
    fits = any(name == part if whole else name.startswith(part) for part in parts)
    return fits != excludes


def _is_up(name: str) -> bool:
    try:
        return bool(int((INTERFACES / name / "flags").read_text(encoding="ascii"), 16) & UP)
    except (OSError, ValueError):
        return False


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
