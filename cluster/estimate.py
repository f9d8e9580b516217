"""How long a run would take here: a few real steps of its system on made-up pictures, before anything is started."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from cluster.building import build_system, engine_options
from cluster.run import Run
from trainers.engine import Engine
from trainers.replica import attributes, classes
from trainers.state import named_state
from trainers.system import Shapes
from trainers.tree import Tree

STEPS = 3  # the first one warms up, the fastest of the others counts


@dataclass(frozen=True)
class Estimate:
    """One worker's cost of a run: seconds a step with the whole batch, parameters, bytes of a checkpoint."""

    seconds_per_step: float
    parameters: int
    state_bytes: int


def measure(run: Run, shapes: Shapes) -> Estimate:
    """Take a few steps of `run` on this machine's CPU with `run.threads` threads; reads and writes nothing."""
    each = run.data.batch // run.data.replicas
    system = build_system(run, shapes)
    batch: dict[str, np.ndarray] = {
        name: np.zeros((each, height, width, c), np.uint8) for name, (c, height, width) in shapes.items()
    }
    batch |= {classes(name): np.zeros(each, np.int64) for name in system.reads.labelled}
    batch |= {attributes(name): np.zeros((each, run.hyper["classes"]), np.bool_) for name in system.reads.attributed}
    threads = torch.get_num_threads()
    torch.set_num_threads(run.threads)
    try:
        engine = Engine(
            system,
            lambda source, draw, replica: batch,
            shapes,
            Tree(run.data.replicas),
            engine_options(run),
            torch.device("cpu"),
        )
        engine.measured = {name: torch.ones(shape) for name, shape in system.measures.items()}
        seconds = [_timed(engine) for _ in range(STEPS)]
    finally:
        torch.set_num_threads(threads)
    state = named_state(engine) or {}
    return Estimate(
        min(seconds[1:]),
        sum(p.numel() for p in engine.system.parameters()),
        sum(tensor.numel() * tensor.element_size() for tensor in state.values()),
    )


def _timed(engine: Engine) -> float:
    started = time.perf_counter()
    engine.step()
    return time.perf_counter() - started
