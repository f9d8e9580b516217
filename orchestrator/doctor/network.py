"""What `doctor` says of NCCL and of the network interfaces that the workers of a trial would talk by."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from cluster.finding import Finding
from cluster.network import NAMED, nccl_choice

GLOO = "GLOO_SOCKET_IFNAME"
LOOPBACK = "lo"
CUDA_TORCH = "install a torch that was built for CUDA (https://pytorch.org/get-started), in place of the one for CPUs"


def nccl_finding(version: str, gpus: int) -> Finding:
    """version: NCCL's in torch, empty where it has none. gpus: of this machine."""
    if version:
        return Finding("NCCL", True, f"{version}, in torch")
    if gpus:
        return Finding(
            "NCCL", False, f"{gpus} GPUs, and a torch without NCCL: workers on them could not talk", CUDA_TORCH
        )
    return Finding("NCCL", True, "none in this torch, which is for CPUs: workers talk by gloo")


def choice_finding(there: Sequence[str], environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Which of the interfaces `there`, which are up, NCCL would take; and whether the one that gloo is told is one of them."""
    choice = nccl_choice(there, environment)
    others = ", ".join(name for name in there if name != LOOPBACK) or "none"
    mend = f"unset {NAMED}, or name one of: {others}" if choice.named else "bring an interface up (`ip link`)"
    if choice.problem:
        yield Finding("interface", False, choice.problem, mend)
    else:
        first, by = choice.interfaces[0], f"by {NAMED}={choice.named}" if choice.named else "as NCCL chooses by itself"
        told = f"{first}, {by}" + (": workers on this machine alone" if first == LOOPBACK else "")
        yield Finding("interface", True, told)
    gloo = environment.get(GLOO, "")
    if gloo and gloo not in there:
        yield Finding(
            "gloo's interface", False, f"{GLOO}={gloo} is none that is up", f"unset {GLOO}, or name one of: {others}"
        )
