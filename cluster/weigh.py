"""What a step of a run weighs: its parameters, operations and memory, counted without doing it.

The networks are built and played on tensors that have a shape and no content, so that a system of any size costs the same
moment. The surprise is what is not counted: the optimizers' own work, which is small beside the passes.
"""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode  # torch.compile's own; verified with torch 2.13
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from cluster.building import build_system
from cluster.run import Run
from data_shards.texts import WORDS
from trainers.engine import LAYOUTS
from trainers.gradients import Gradient, OwnGradient, differentiate
from trainers.pool import Pool
from trainers.recomputing import recompute_networks
from trainers.replica import HostedReplica, attributes, classes, texts
from trainers.system import Move, Shapes, System

FLOAT = 4  # bytes
KEPT = 3  # times a parameter, beside itself and its gradient: two moments of Adam, and an average
ROUND = 3  # steps that are played where not everybody moves in the first: DiscoGAN's critics move in every third alone
MARGIN = 1.1  # of what is alive at once, for what kernels take meanwhile and nobody sees


@dataclass(frozen=True)
class Weight:
    """What one replica's step takes. flops: of its forward and backward passes. memory: bytes, about: parameters, what their
    optimizers keep, image histories, and what is alive at once of all that the passes make. A tiny network takes more: kernels
    need more for it than the margin."""

    parameters: int
    flops: int
    memory: int


class _Watch(TorchDispatchMode):
    """Counts what operations do, and the bytes that are alive: from when an operation makes a tensor's memory to when nobody has it
    any more, forward and on the way back. What is dropped in a circle of references counts on."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = self.alive = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func._overloadpacket)) is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=found)
        for tensor in tree_leaves(found):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor.untyped_storage())
        return found

    def _see(self, storage: torch.UntypedStorage) -> None:
        place, size = storage._cdata, storage.nbytes()
        if place in self._known:
            return
        self._known.add(place)
        self.alive += size
        self.most = max(self.most, self.alive)
        weakref.finalize(storage, self._gone, place, size).atexit = False

    def _gone(self, place: int, size: int) -> None:
        self._known.remove(place)
        self.alive -= size


@contextmanager
def _by_reference() -> Iterator[None]:
    """Nothing goes before its last reference does: when the collector of circles comes by is chance."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def weigh(run: Run, shapes: Shapes) -> Weight | None:
    """What a step of `run` takes of one replica at a time; None where a system's step cannot be played without numbers."""
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), _by_reference():
            return _played(run, shapes)
    except (RuntimeError, NotImplementedError):  # it looks at a tensor's content, or torch cannot tell a shape
        return None


def made_up(run: Run, shapes: Shapes, system: System) -> Callable[[str, int, int], Mapping[str, np.ndarray]]:
    """Noise for one replica, with labels where the system reads some. Not black: norms one behind the other make gradients of
    a picture that is the same everywhere larger and larger. Label maps are of their first class."""
    each = run.data.batch // run.data.replicas
    batch: dict[str, np.ndarray] = {
        name: np.random.default_rng(0).integers(
            0, 1 if name == system.reads.label_map else 256, (each, height, width, c), np.uint8
        )
        for name, (c, height, width) in shapes.items()
    }
    batch |= {classes(name): np.zeros(each, np.int64) for name in system.reads.labelled}
    batch |= {attributes(name): np.zeros((each, run.hyper["classes"]), np.bool_) for name in system.reads.attributed}
    batch |= {texts(name): np.ones((each, WORDS), np.int64) for name in system.reads.captioned}
    return lambda source, draw, replica: batch


def play_step(run: Run, shapes: Shapes, system: System, t: int = 0) -> Iterator[Move]:
    """The moves of a step of a system on one replica, on made-up pictures."""
    device = torch.device("cpu")
    system.numbers = {term: torch.zeros(()) for term in system.controlled}
    system.measured = {name: torch.ones(shape) for name, shape in system.measures.items()}
    replica = HostedReplica(
        0,
        system.reads,
        made_up(run, shapes, system),
        device,
        LAYOUTS[run.layout],
        {domain: Pool(0, shapes[domain], device) for domain in system.pools},
        dict.fromkeys(system.reads.sources, 0),
        {player.name: int(run.balance["critic_turns"]) for player in system.players},
    )
    return system.step(t, replica)


def _played(run: Run, shapes: Shapes) -> Weight:
    with _Watch() as watch:
        system = build_system(run, shapes)
        if run.recompute:
            recompute_networks(network for player in system.players for network in player.networks)
        gradients: dict[str, Gradient] = {player.name: OwnGradient(player) for player in system.players}
        watch.flops = 0  # of the weights' initial values
        steps, moved = 1, set[str]()
        for t in range(ROUND):
            for move in play_step(run, shapes, system, t):
                differentiate(move, {player.name: gradients[player.name] for player in move.players})
                moved |= {player.name for player in move.players}
            if t == 0 and len(moved) == len(gradients):
                break
            steps = t + 1
        parameters = sum(p.numel() for p in system.parameters())
        histories = sum(size * math.prod(shapes[domain]) for domain, size in system.pools.items())
        sums = parameters * run.data.replicas.bit_length() if run.data.replicas > 1 else 0  # of gradients, pairwise
        memory = FLOAT * (KEPT * parameters + histories + sums) + MARGIN * watch.most
        return Weight(parameters, watch.flops // steps, int(memory))
