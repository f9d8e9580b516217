"""torch's all-reduce / our tree: a sum of as many numbers as CycleGAN has gradients, over 2 and 4 workers.

    python -m benchmarks.tree [--rounds 12] [--block 2] [--json]

Below 1 the tree, whose order of addition is fixed, is the slower one. The networks are the published ones (256 px, all
players in one flat buffer; here only counted, not built). Workers are bare processes of one thread that speak gloo; where
there are as many CUDA devices as workers, each has one and they speak NCCL.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch
import torch.distributed as dist

from benchmarks.group import Group
from benchmarks.measure import Finding, Timed, Watch, conditions, interleave, parser, quiet, ratio, show, wait_for_quiet
from trainers.systems.cyclegan import CycleGAN
from trainers.tree import Tree

WORKERS = (2, 4)
IMAGE = 256
WARM_UP = 2  # sums
BYTES = 4  # of a number


def gradients() -> int:
    """How many numbers a step of the published CycleGAN reduces: the parameters of all players."""
    shapes = dict.fromkeys(("a", "b"), (3, IMAGE, IMAGE))
    with torch.device("meta"):
        system = CycleGAN.build(CycleGAN.Hyper(), shapes, {}, 1)
    return sum(p.numel() for player in system.players for p in player.parameters)


def serve(pipe: Connection, rank: int, workers: int, size: int, folder: str) -> None:
    """A worker: adds up as often as it is told, in the tree or not, and answers with the seconds."""
    torch.set_num_threads(1)
    device = torch.device("cuda", rank) if nccl(workers) else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if nccl(workers) else "gloo"
    dist.init_process_group(backend, init_method=f"file://{folder}/rendezvous", rank=rank, world_size=workers)
    trees = {exact: Tree(workers, rank, workers, exact) for exact in (True, False)}
    buffer = torch.zeros(size, device=device)
    while (asked := pipe.recv()) is not None:
        exact, times = asked
        dist.barrier()
        began = time.perf_counter()
        for _ in range(times):
            trees[exact].sum_across_workers(buffer)
        if device.type == "cuda":
            torch.cuda.synchronize()
        pipe.send(time.perf_counter() - began)
    dist.destroy_process_group()


def nccl(workers: int) -> bool:
    """Whether each worker can have a CUDA device of its own."""
    return torch.cuda.device_count() >= workers


def side(group: Group, workers: int, exact: bool, block: int) -> Callable[[], Timed]:
    """A block of sums, by the slowest worker's clock."""

    def run() -> Timed:
        watch = Watch()
        seconds = max(group.ask([(exact, block)] * workers))
        return Timed(seconds, watch.others())

    return run


def measure(workers: int, size: int, rounds: int, block: int, wait: float) -> Finding:
    """Both sides in turns, on the same processes and the same buffer."""
    before = wait_for_quiet(wait)
    with tempfile.TemporaryDirectory() as folder:
        group = Group(serve, [(rank, workers, size, folder) for rank in range(workers)])
        sides = {"all-reduce": side(group, workers, False, block), "tree": side(group, workers, True, block)}
        for exact in (False, True):
            group.ask([(exact, WARM_UP)] * workers)
        found = interleave(sides, rounds)
        group.close()
    kept, reason = quiet(found)
    seconds = {name: [block.seconds for block in blocks] for name, blocks in kept.items()}
    each = ", ".join(f"{name} {1000 * statistics.median(s) / block:.1f} ms" for name, s in seconds.items())
    busy = max(statistics.median(block.others for block in blocks) for blocks in kept.values())
    note = f"a sum of {size * BYTES / 1e6:.0f} MB by {'nccl' if nccl(workers) else 'gloo'}: {each}; "
    note += f"cores that others kept busy: {before:.2f} before, {busy:.2f} meanwhile"
    name = f"tree {workers} workers"
    return ratio(name, seconds["all-reduce"], seconds["tree"], target=None, at_least=True, note=note, unfit=reason)


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=12)
    options.add_argument("--block", type=int, default=2, help="sums in a block")
    asked = options.parse_args()
    where, size = conditions(), gradients()
    findings = []
    for workers in WORKERS:
        print(f"timing {workers} workers", file=sys.stderr)
        findings.append(measure(workers, size, asked.rounds, asked.block, asked.wait))
    show(findings, where, asked.json)


if __name__ == "__main__":
    main()
