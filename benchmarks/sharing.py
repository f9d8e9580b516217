"""Small trainings that share one device / one after the other: the time of all of them, with and without MPS on a GPU.

    python -m benchmarks.sharing [--trainings 4] [--system cyclegan] [--rounds 5] [--block 20] [--device cuda] [--json]

One after the other each has the device alone; together they have a process each, as trials with `resources: {gpus_per_worker:
0.25}` do. MPS, where the machine has it, is a server of its own for this run: it lets kernels of several processes run at the same
time, which a GPU does in turns otherwise. On a CPU each has one thread, and what is shown is that the processes really share.
"""

from __future__ import annotations

import gc
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import torch

from benchmarks.cases import BICYCLEGAN, CASES, CYCLEGAN, PIX2PIX, Case
from benchmarks.group import Group
from benchmarks.measure import Finding, conditions, interleave, parser, ratio, show

CONTROL = "nvidia-cuda-mps-control"
ALONE, TOGETHER, UNDER_MPS = "one after the other", "together", "together under MPS"
WARM_UP = 3  # steps
SMALL = (CYCLEGAN, PIX2PIX, BICYCLEGAN)  # at 64 px


def serve(pipe: Connection, case: Case, device: str) -> None:
    """A training: makes as many steps as it is told, and answers when the device has done them."""
    torch.set_num_threads(1)
    engine = case.engine(device=torch.device(device))
    while (steps := pipe.recv()) is not None:
        for _ in range(steps):
            engine.step()
        if device == "cuda":
            torch.cuda.synchronize()
        pipe.send(torch.cuda.max_memory_allocated() if device == "cuda" else 0)


@contextmanager
def mps() -> Iterator[None]:
    """A server of NVIDIA's Multi-Process Service in folders of its own, for processes that are started inside."""
    with tempfile.TemporaryDirectory() as folder:
        own = {"CUDA_MPS_PIPE_DIRECTORY": f"{folder}/pipe", "CUDA_MPS_LOG_DIRECTORY": f"{folder}/log"}
        before = {name: os.environ.get(name) for name in own}
        os.environ.update(own)
        subprocess.run([CONTROL, "-d"], check=True)
        try:
            yield
        finally:
            subprocess.run([CONTROL], input="quit\n", text=True, check=False)
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def in_turn(group: Group, count: int, block: int) -> Callable[[], float]:
    """Seconds of a block of each of `count` trainings, each when the one before it has ended."""

    def run() -> float:
        began = time.perf_counter()
        for place in range(count):
            group.ask([block], first=place)
        return time.perf_counter() - began

    return run


def at_once(group: Group, count: int, block: int) -> Callable[[], float]:
    """Seconds until the last of `count` trainings has made its block."""

    def run() -> float:
        began = time.perf_counter()
        group.ask([block] * count)
        return time.perf_counter() - began

    return run


def measure(case: Case, count: int, device: str, rounds: int, block: int) -> list[Finding]:
    """The findings of one system. Without a server of MPS on the machine there is nothing of it."""
    rows = [(case, device)] * count
    seconds, most = _timed(rows, TOGETHER, rounds, block)
    unfit = "" if device == "cuda" else "no GPU"
    each = f"{seconds_of(seconds[ALONE], count * block)} alone, {seconds_of(seconds[TOGETHER], count * block)} together"
    note = f"a step: {each}" + (f"; {max(most) / 1e6:.0f} MB a training" if device == "cuda" else "")
    name = f"{count} trainings of {case.name} on a {device}: {ALONE} / "
    findings = [
        ratio(name + TOGETHER, seconds[ALONE], seconds[TOGETHER], target=None, at_least=True, note=note, unfit=unfit)
    ]
    if device == "cuda" and shutil.which(CONTROL):
        with mps():
            seconds, _ = _timed(rows, UNDER_MPS, rounds, block)
        findings.append(ratio(name + UNDER_MPS, seconds[ALONE], seconds[UNDER_MPS], target=None, at_least=True))
    return findings


def seconds_of(blocks: list[float], steps: int) -> str:
    """Milliseconds of one step, of blocks of so many."""
    return f"{1000 * statistics.median(blocks) / steps:.2f} ms"


def _timed(
    rows: list[tuple[Case, str]], together: str, rounds: int, block: int
) -> tuple[dict[str, list[float]], list[int]]:
    """Seconds of each round of both sides, and the bytes that each training held at most. Both use the same processes: those that
    wait take nothing but memory."""
    group = Group(serve, rows)
    try:
        most = group.ask([WARM_UP] * len(rows))
        sides = {ALONE: in_turn(group, len(rows), block), together: at_once(group, len(rows), block)}
        return interleave(sides, rounds), most
    finally:
        group.close()


def main() -> None:
    """Command line."""
    options = parser(__doc__, waits=False)
    options.add_argument("--system", choices=CASES, help="this one only")
    options.add_argument("--trainings", type=int, default=4, help="how many share the device")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--block", type=int, default=20, help="steps in a block")
    options.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    asked = options.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("no GPU here: nothing was measured", file=sys.stderr)
        return
    where = conditions()
    findings: list[Finding] = []
    for case in [CASES[asked.system]] if asked.system else SMALL:
        print(f"timing {case.name}", file=sys.stderr)
        findings += measure(case, asked.trainings, asked.device, asked.rounds, asked.block)
        gc.collect()
    show(findings, where, asked.json)


if __name__ == "__main__":
    main()
