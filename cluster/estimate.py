"""How long a run would take here: a few real steps of its system on made-up pictures, before anything is started.

A step is weighed before it is taken. One that this machine has no memory for, or would take for minutes, is not tried: its time is
told by its operations, at the rate that a convolution reaches here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch
from torch.nn.functional import conv2d

from cluster.building import build_system, engine_options, process_settings
from cluster.run import Run
from cluster.weigh import FLOAT, Weight, made_up, weigh
from trainers.engine import Engine
from trainers.state import named_state
from trainers.system import Shapes
from trainers.tree import Tree

STEPS = 3  # the first one warms up, the fastest of the others counts
LONGEST_S = 15.0  # of a step that is tried; where the first one takes longer, it is the only one
KEPT = 3  # numbers that a checkpoint has of a parameter: itself and two moments of Adam, which most systems use
CHANNELS, SIDE = 64, 64  # of the convolution that is timed


@dataclass(frozen=True)
class Estimate:
    """One worker's cost of a run: seconds a step with the whole batch, parameters, bytes of a checkpoint, bytes that a step takes
    at most. seconds_per_step: None where it can only be known elsewhere. basis: where that is from, for people."""

    seconds_per_step: float | None
    parameters: int
    state_bytes: int
    memory_bytes: int | None = None
    basis: str = ""


def measure(run: Run, shapes: Shapes, free: int | None = None) -> Estimate:
    """Take a few steps of `run` on this machine's CPU with `run.threads` threads; reads and writes nothing.

    free: bytes of memory that it may take; None: as many as it wants. Raises MemoryError and RuntimeError where a step cannot
    be taken.
    """
    weight = weigh(run, shapes)
    with process_settings(run):
        if weight is not None:
            expected = weight.flops * run.data.replicas / _rate()
            if expected > LONGEST_S or (free is not None and weight.memory > free):
                much = f"{weight.flops * run.data.replicas / 1e12:.3g} TFLOP"
                basis = f"counted, not tried: a step has {much}, at the rate of a convolution on one worker here"
                return _counted(weight, expected, basis)
        threads = "a thread" if run.threads == 1 else f"{run.threads} threads"
        return _tried(run, shapes, torch.device("cpu"), weight, f"{threads} of this machine's processor")


def weighed(run: Run, shapes: Shapes) -> Estimate:
    """What is known of a step without taking it: all but its seconds. Raises RuntimeError where nothing is."""
    weight = weigh(run, shapes)
    if weight is None:
        raise RuntimeError("its system cannot be weighed")
    return _counted(weight, None, "")


def measure_on_gpu(run: Run, shapes: Shapes) -> Estimate:
    """The same on this machine's first GPU. Without one, or for a step that it has no room for: without seconds.

    Raises RuntimeError where a step cannot be taken.
    """
    if not torch.cuda.is_available():
        return weighed(run, shapes)
    weight = weigh(run, shapes)
    free, _ = torch.cuda.mem_get_info()
    name = torch.cuda.get_device_name()
    if weight is not None and weight.memory > free:
        return _counted(weight, None, f"a step takes more memory than this machine's {name} has free")
    with process_settings(run):
        return _tried(run, shapes, torch.device("cuda"), weight, f"this machine's {name}")


def _tried(run: Run, shapes: Shapes, device: torch.device, weight: Weight | None, basis: str) -> Estimate:
    if run.compile:  # a plan is not worth a minute of compiling; `i2i-cluster speed` is
        run, basis = replace(run, compile=False), f"{basis}, not compiled"
    system = build_system(run, shapes)
    batch = made_up(run, shapes, system)
    engine = Engine(system, batch, shapes, Tree(run.data.replicas), engine_options(run), device)
    engine.measured = {name: torch.ones(shape, device=device) for name, shape in system.measures.items()}
    seconds = [_timed(engine)]
    while len(seconds) < STEPS and seconds[0] < LONGEST_S:
        seconds.append(_timed(engine))
    state = named_state(engine) or {}
    return Estimate(
        min(seconds[1:] or seconds),
        sum(p.numel() for p in engine.system.parameters()),
        sum(tensor.numel() * tensor.element_size() for tensor in state.values()),
        None if weight is None else weight.memory,
        basis,
    )


def _counted(weight: Weight, seconds: float | None, basis: str) -> Estimate:
    return Estimate(seconds, weight.parameters, weight.parameters * FLOAT * KEPT, weight.memory, basis)


def _timed(engine: Engine) -> float:
    started = time.perf_counter()
    engine.step()
    if engine.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _rate() -> float:
    """Operations a second of a convolution, by the fastest of three."""
    images, kernel = torch.zeros((1, CHANNELS, SIDE, SIDE)), torch.zeros((CHANNELS, CHANNELS, 3, 3))
    seconds = []
    for _ in range(STEPS):
        started = time.perf_counter()
        conv2d(images, kernel, padding=1)
        seconds.append(time.perf_counter() - started)
    return 2 * CHANNELS * CHANNELS * 9 * SIDE * SIDE / min(seconds)
