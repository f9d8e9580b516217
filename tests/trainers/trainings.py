"""Trainings on bare gloo processes: undisturbed ones, and those in legs.

A leg has another number of workers than the one before it, and ends by kill -9 of all of them at a moment that chance
chose. Every variant is trained at once, a step of each in turn, so that a leg costs one set of processes. A kill falls wherever it
falls: in a gradient, between two workers' moves, in the middle of writing a state.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

import trainers.tree
from tests.trainers.processes import Processes
from tests.trainers.worlds import DISTURBED, STEPS, VARIANTS, variant
from trainers.engine import Engine
from trainers.state import digest, load_state, named_state
from trainers.tree import LARGE, Tree

LEGS = (4, 2, 1, 4)
REPLICAS = 4
LEAST = len(DISTURBED) + 2  # steps of a leg: some variant has then made two of them, and saved
A_STEP = 0.04  # seconds, about, of a step with its state


def run_undisturbed(pipe: Connection, rank: int, workers: int, replicas: int, names: Sequence[str], large: int) -> None:
    """Train variants one after another; rank 0 says each one's (digest, numbers of the last step, skips)."""
    trainers.tree.LARGE = large
    for name in names:
        trained = played(variant(name, Tree(replicas, rank, workers)))
        state = named_state(trained)
        if state is not None:
            pipe.send((digest(state), *numbers(trained)))


def played(of: Engine) -> Engine:
    """The engine at the end of the run; every second step is a report step."""
    while of.t < STEPS:
        of.step(report=of.t % 2 == 1)
    return of


def numbers(of: Engine) -> tuple[str, str]:
    """What a run tells besides its weights: the last step's means, and what was skipped."""
    of.settle()
    return str(sorted(of.ledger.means().items())), str(of.take_skips())


def digests_on(
    workers: int, replicas: int, names: Sequence[str] = tuple(VARIANTS), large: int = LARGE
) -> dict[str, tuple[str, str, str]]:
    """variant -> what `run_undisturbed` says. large: numbers from which a sum is shared out among the workers."""
    with Processes(run_undisturbed, workers, replicas, names, large) as processes:
        return {name: processes.answer() for name in names}


def run_leg(pipe: Connection, rank: int, workers: int, folder: str, every: int) -> None:
    """Go on from the newest states in `folder` to the end; rank 0 saves after `every` steps. Tells of each step.

    At the end it waits to be asked for the digests, so that a leg that is to be killed does not escape by being quick.
    """
    tree = Tree(REPLICAS, rank, workers)
    engines = {name: variant(name, tree) for name in DISTURBED}
    for name, engine in engines.items():
        file = Path(folder, f"{name}.safetensors")
        if file.exists():
            load_state(engine, load_file(file))
    if workers > 1:
        dist.barrier()  # nobody replaces a state that another has still to read
    pipe.send([engine.t for engine in engines.values()])
    while any(engine.t < STEPS for engine in engines.values()):
        for name, engine in engines.items():
            if engine.t == STEPS:
                continue
            engine.step(report=engine.t % 2 == 1)
            if engine.t % every == 0:
                state = named_state(engine)
                if state is not None:
                    _replace(Path(folder, f"{name}.safetensors"), state)
            pipe.send(name)
    pipe.recv()
    for name, engine in engines.items():
        state = named_state(engine)
        pipe.send((name, None if state is None else digest(state)))


def _replace(file: Path, state: dict[str, torch.Tensor]) -> None:
    beside = file.with_suffix(".partial")
    save_file(state, beside)
    os.replace(beside, file)


def train_in_legs(seed: int, folder: Path) -> dict[str, str]:
    """variant -> its digest at the end of all legs."""
    chance = random.Random(seed)
    every = 1 + seed % 2
    for number, workers in enumerate(LEGS[:-1]):
        with Processes(run_leg, workers, str(folder), every) as processes:
            began = processes.answer()
            assert any(began) == (number > 0), f"leg {number} begins at {began}"
            left = sum(STEPS - step for step in began)
            for _ in range(min(left, chance.randrange(LEAST, LEAST + 4))):
                processes.answer()
            time.sleep(chance.uniform(0.0, 2 * A_STEP))
            order = chance.sample(range(workers), workers)
            assert 0 not in processes.kill(order), "a process came to its end before it was killed"
    with Processes(run_leg, LEGS[-1], str(folder), every) as processes:
        assert any(processes.answer())
        for pipe in processes.pipes:
            pipe.send("digests")
        while isinstance(said := processes.answer(), str):
            pass
        ends = dict([said, *(processes.answer() for _ in DISTURBED[1:])])
    return ends
