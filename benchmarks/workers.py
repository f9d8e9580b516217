"""One worker's step time / two workers' step time: bare gloo processes of one thread, 2 replicas, the same global batch.

    python -m benchmarks.workers [--system cyclegan] [--rounds 12] [--block 4] [--json]

Beside it stands what the machine itself allows: two processes at once, each on half of the batch, that exchange nothing.
Rounds during which others kept a core busy are left out, and with fewer than five others nothing is judged: two workers
need two idle cores, one worker does not.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch
import torch.distributed as dist

from benchmarks.cases import Case, main_of
from benchmarks.group import Group
from benchmarks.measure import Finding, Timed, Watch, interleave, quiet, ratio, wait_for_quiet
from trainers.tree import Tree

TARGET = 1.8
WARM_UP = 3  # steps


def serve(pipe: Connection, case: Case, tree: Tree, folder: str) -> None:
    """A worker: makes as many steps as it is told."""
    torch.set_num_threads(1)
    if tree.workers > 1:
        meet = f"file://{folder}/rendezvous"
        dist.init_process_group("gloo", init_method=meet, rank=tree.rank, world_size=tree.workers)
    engine = case.engine(tree)
    while (steps := pipe.recv()) is not None:
        for _ in range(steps):
            engine.step()
        pipe.send(steps)
    if tree.workers > 1:
        dist.destroy_process_group()


def groups_of(case: Case, folder: str) -> dict[str, Group]:
    """The sides: the batch on one worker, on two, and two halves of it that know nothing of each other."""
    half = dataclasses.replace(case, batch=case.batch // 2)
    return {
        "one": Group(serve, [(case, Tree(2), folder)]),
        "two": Group(serve, [(case, Tree(2, rank, 2), folder) for rank in (0, 1)]),
        "apart": Group(serve, [(half, Tree(1), folder)] * 2),
    }


def side(group: Group, steps: int) -> Callable[[], Timed]:
    """A block of steps."""

    def run() -> Timed:
        watch, began = Watch(), time.perf_counter()
        group.ask([steps, steps])
        return Timed(time.perf_counter() - began, watch.others())

    return run


def measure(case: Case, rounds: int, block: int, wait: float) -> list[Finding]:
    """The findings of one system."""
    before = wait_for_quiet(wait)
    with tempfile.TemporaryDirectory() as folder:
        groups = groups_of(case, folder)
        for group in groups.values():
            group.ask([WARM_UP, WARM_UP])
        found = interleave({name: side(group, block) for name, group in groups.items()}, rounds)
        for group in groups.values():
            group.close()
    kept, reason = quiet(found)
    seconds = {name: [block.seconds for block in blocks] for name, blocks in kept.items()}
    others = {name: statistics.median(block.others for block in blocks) for name, blocks in kept.items()}
    each = ", ".join(f"{name} {1000 * statistics.median(s) / block:.1f} ms" for name, s in seconds.items())
    busy = ", ".join(f"{share:.2f} during {name}" for name, share in others.items())
    note = f"a step: {each}; cores that others kept busy: {before:.2f} before, {busy}"
    one, name = seconds["one"], f"workers {case.name}"
    return [
        ratio(name, one, seconds["two"], target=TARGET, at_least=True, note=note, unfit=reason),
        ratio(f"{name}, no exchange", one, seconds["apart"], target=None, at_least=True),
    ]


if __name__ == "__main__":
    main_of(__doc__, measure, rounds=12, block=4, varied=True)
