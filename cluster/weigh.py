"""What a step of a run weighs: its parameters, operations and memory, counted without doing it.

The networks are built and played on tensors that have a shape and no content, so that a system of any size costs the same
moment. The surprise is what is not counted: the optimizers' own work, which is small beside the passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
from trainers.gradients import OwnGradient, differentiate
from trainers.pool import Pool
from trainers.replica import HostedReplica, attributes, classes, texts
from trainers.system import Move, Shapes, System

FLOAT = 4  # bytes
COPIES = 5  # of a parameter: itself, its gradient, two moments of Adam, and an average


@dataclass(frozen=True)
class Weight:
    """What one replica's step takes. flops: of its forward and backward passes. memory: bytes, at most: parameters, what their
    optimizers keep, and all that a pass makes."""

    parameters: int
    flops: int
    memory: int


class _Counter(TorchDispatchMode):
    """Counts what operations do, and the bytes of the tensors that they make; views and what is changed in place are none."""

    flops = 0
    made = 0
    within = 0  # the most that was made inside one of `once_more`

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func._overloadpacket)) is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=found)
        if not any(one.alias_info for one in func._schema.returns):
            self.made += _bytes(found)
        return found

    def once_more(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """A pass that is computed again on the way back: what it makes is there meanwhile, and what it gives for good."""

        def passed(*given: Any) -> Any:
            made, flops = self.made, self.flops
            found = forward(*given)
            if torch.is_grad_enabled():
                self.within = max(self.within, self.made - made)
                self.made, self.flops = made + _bytes(found), 2 * self.flops - flops
            return found

        return passed


def _bytes(found: Any) -> int:
    return sum(t.numel() * t.element_size() for t in tree_leaves(found) if isinstance(t, torch.Tensor))


def weigh(run: Run, shapes: Shapes) -> Weight | None:
    """What a step of `run` takes of one replica at a time; None where a system's step cannot be played without numbers."""
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
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


def first_step(run: Run, shapes: Shapes, system: System) -> Iterator[Move]:
    """The moves of a system's first step on one replica, on made-up pictures."""
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
    return system.step(0, replica)


def _played(run: Run, shapes: Shapes) -> Weight:
    system = build_system(run, shapes)
    parameters = sum(p.numel() for p in system.parameters())
    game, flops, most = first_step(run, shapes, system), 0, 0
    forward = _Counter()  # type: ignore[no-untyped-call]
    if run.recompute:
        for network in (network for player in system.players for network in player.networks):
            network.forward = forward.once_more(network.forward)
    while True:
        forward.made = forward.within = forward.flops = 0
        with forward:
            move = next(game, None)
        if move is None:
            return Weight(parameters, flops, FLOAT * COPIES * parameters + most)
        with _Counter() as backward:  # type: ignore[no-untyped-call]
            differentiate(move, {player.name: OwnGradient(player) for player in move.players})
        flops, most = flops + forward.flops + backward.flops, max(most, forward.made + forward.within)
