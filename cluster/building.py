"""From a run to an engine at step 0, and the process settings that its arithmetic needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cluster.data import Batches
from cluster.kinds import kind_of
from cluster.report import Place
from cluster.run import Run
from cluster.task import begin_with_task
from trainers import randomness
from trainers.engine import Engine, Options
from trainers.microbatches import divided
from trainers.settings import Balance, effective
from trainers.system import Shapes, System
from trainers.tree import Tree


def build_system(run: Run, shapes: Shapes) -> System:
    """The run's system with its initial weights, drawn on the CPU from the run's seed."""
    kind = kind_of(run)
    hyper = kind.Hyper(**run.hyper)
    weights = effective(kind.in_force(hyper), run.weights)
    torch.default_generator.manual_seed(randomness.key(run.seed, "weights"))
    return kind.build(hyper, shapes, weights, run.steps)


def build_engine(run: Run, shapes: Shapes, stream: Batches, place: Place, parts: int = 1) -> Engine:
    """The engine at step 0. parts: into how many a replica's batch is dealt. Raises DataError where the run's task network
    cannot be read."""
    tree = Tree(run.data.replicas * parts, place.rank, place.workers, run.exact)
    system = build_system(run, shapes)
    begin_with_task(system, run)
    read = divided(stream.read, parts)
    return Engine(system, read, shapes, tree, engine_options(run), torch.device(place.device))


def engine_options(run: Run) -> Options:
    """How the run computes."""
    ema = float(run.hyper.get("ema", 0.0))
    balance = Balance(**run.balance)
    return Options(
        run.seed, run.precision, run.layout, run.on_nonfinite, ema, balance, run.compile, run.recompute, run.graphs
    )


@contextmanager
def process_settings(run: Run) -> Iterator[None]:
    """Threads and determinism for this run; a reused actor must not inherit the last trial's."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with a fixed workspace
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(run.threads)
    torch.use_deterministic_algorithms(run.exact)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a help in debugging that costs 3 % of a step
    torch.backends.cuda.matmul.allow_tf32 = run.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = run.precision == "tf32"
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(threads)
