"""A step with `exact: false` / a step with `exact: true`, of the same engine: what equal bits cost.

    python -m benchmarks.exact [--system cyclegan] [--rounds 16] [--block 2] [--json]

Below 1 exactness is the slower one. On one worker it is torch's deterministic algorithms alone, by the process's CPU time as
in `step`. On two workers, bare gloo processes of one thread, it is these and the fixed tree in the place of an all-reduce,
by the wall clock; rounds during which others kept a core busy are left out, as in `workers`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from benchmarks import workers
from benchmarks.cases import Case, main_of
from benchmarks.group import Group
from benchmarks.measure import Finding, Watch, interleave, quiet, ratio, wait_for_quiet
from trainers.tree import Tree

TARGET = 0.97
SIDES = {"exact": True, "inexact": False}


def settle_algorithms(exact: bool) -> None:
    """Torch's algorithms as a run has them."""
    torch.use_deterministic_algorithms(exact)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def alone(case: Case, rounds: int, block: int) -> Finding:
    """One worker, in this process; the first round warms up and is dropped."""

    def side(exact: bool) -> Callable[[], float]:
        engine = case.engine(Tree(1, exact=exact))

        def run() -> float:
            settle_algorithms(exact)
            began = time.process_time()
            for _ in range(block):
                engine.step()
            return time.process_time() - began

        return run

    watch = Watch()
    found = interleave({name: side(exact) for name, exact in SIDES.items()}, rounds + 1)
    seconds = {name: blocks[1:] for name, blocks in found.items()}
    settle_algorithms(False)
    note = f"CPU time of {_each(seconds, block)}; others kept {watch.others():.2f} cores busy"
    name = f"exact {case.system}, 1 worker"
    return ratio(name, seconds["inexact"], seconds["exact"], target=TARGET, at_least=True, note=note)


def serve(pipe: Connection, case: Case, tree: Tree, folder: str) -> None:
    """A worker of `workers`, with the algorithms that go with its tree."""
    settle_algorithms(tree.exact)
    workers.serve(pipe, case, tree, folder)


def together(case: Case, rounds: int, block: int) -> Finding:
    """Two workers with two replicas."""
    groups = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, exact in SIDES.items():
            meet = Path(folder, name)
            meet.mkdir()
            groups[name] = Group(serve, [(case, Tree(2, rank, 2, exact), str(meet)) for rank in (0, 1)])
        for group in groups.values():
            group.ask([workers.WARM_UP] * 2)
        found = interleave({name: workers.side(group, block) for name, group in groups.items()}, rounds)
        for group in groups.values():
            group.close()
    kept, reason = quiet(found)
    seconds = {name: [one.seconds for one in blocks] for name, blocks in kept.items()}
    busy = max(statistics.median(one.others for one in blocks) for blocks in kept.values())
    note = f"{_each(seconds, block)}; others kept {busy:.2f} cores busy"
    name = f"exact {case.system}, 2 workers"
    return ratio(name, seconds["inexact"], seconds["exact"], target=TARGET, at_least=True, note=note, unfit=reason)


def _each(seconds: dict[str, list[float]], block: int) -> str:
    medians = (f"{name} {1000 * statistics.median(found) / block:.1f} ms" for name, found in seconds.items())
    return f"a step: {', '.join(medians)}"


def measure(case: Case, rounds: int, block: int, wait: float) -> list[Finding]:
    """The findings of one system."""
    torch.set_num_threads(1)
    wait_for_quiet(wait)
    return [alone(case, rounds, block), together(case, rounds, block)]


if __name__ == "__main__":
    main_of(__doc__, measure, rounds=16, block=2)
