"""Peak memory of the engine's training / of the textbook loop's, each in a process that has done nothing else.

    python -m benchmarks.peak [--system cyclegan] [--rounds 3] [--json]

Above 1 the engine takes more. Judged by what torch allocates, from before the networks are built until the histories of
generated images are full: the profiler tells of each allocation and each release, so that the figure is the same in
every run, whoever else is on the machine. It knows nothing of what lies outside of tensors. That is in the second figure,
the growth of the process's resident size by the kernel's high-water mark: workspaces, loaded code and what the C library
keeps for later, which also depends on chance.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch.autograd.profiler import profile

from benchmarks.cases import CASES
from benchmarks.fresh import fresh
from benchmarks.measure import Finding, conditions, parser, ratio, show
from benchmarks.step import TEXTBOOK

TARGET = 1.05
STEPS = 14  # the smallest batch, 4, fills CycleGAN's history of 50 images in 13
SIDES = ("textbook", "engine")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def train(system: str, side: str) -> None:
    """Some steps of one side, from the beginning."""
    case = CASES[system]
    if side == "engine":
        step: Callable[[], object] = case.engine().step
    else:
        textbook, pixels = TEXTBOOK[system](case.build(), fused=True), case.pixels()
        step = lambda: textbook.step(pixels)  # noqa: E731
    for _ in range(STEPS):
        step()


def allocated(system: str, side: str) -> float:
    """MB of tensors that were alive at once at most. For a process of its own."""
    return most_alive(lambda: train(system, side))


def most_alive(work: Callable[[], None]) -> float:
    """MB of tensors that were alive at once at most during some work. For a process of its own."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler tells when it begins and ends
    torch.set_num_threads(1)
    with profile(profile_memory=True) as seen:
        work()
    changes = sorted((e.start_ns(), e.nbytes()) for e in seen.kineto_results.events() if e.name() == "[memory]")
    alive = most = 0
    for _, size in changes:
        alive += size
        most = max(most, alive)
    return most / 1e6


def resident(system: str, side: str) -> float:
    """MB by which the process grew at most. For a process of its own."""
    torch.set_num_threads(1)
    CLEAR.write_text("5")  # the high-water mark starts anew: imports may have been higher
    before = _status("VmRSS")
    train(system, side)
    return (_status("VmHWM") - before) / 1e6


def _status(name: str) -> int:
    lines = (line.split() for line in STATUS.read_text().splitlines())
    return next(1024 * int(words[1]) for words in lines if words[0] == f"{name}:")


def measure(system: str, rounds: int) -> list[Finding]:
    """The findings of one system."""
    tensors = {side: [fresh(allocated, system, side)] for side in SIDES}
    sizes: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            sizes[side].append(fresh(resident, system, side))
    name = f"peak {system}"
    return [
        ratio(name, tensors["engine"], tensors["textbook"], target=TARGET, at_least=False, note=_each(tensors)),
        ratio(f"{name}, resident", sizes["engine"], sizes["textbook"], target=None, at_least=False, note=_each(sizes)),
    ]


def _each(found: dict[str, list[float]]) -> str:
    return ", ".join(f"{side} {statistics.median(values):.1f} MB" for side, values in found.items())


def main() -> None:
    """Command line."""
    options = parser(__doc__, waits=False)
    options.add_argument("--system", choices=CASES, help="this one only")
    options.add_argument("--rounds", type=int, default=3, help="of the resident size; the other is exact")
    asked = options.parse_args()
    where = conditions()
    findings: list[Finding] = []
    for system in [asked.system] if asked.system else CASES:
        print(f"measuring {system}", file=sys.stderr)
        findings += measure(system, asked.rounds)
    show(findings, where, asked.json)


if __name__ == "__main__":
    main()
