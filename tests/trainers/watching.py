"""Looks over an engine's shoulder: the moves of a step as they were yielded, and the networks as they were before it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tests.trainers.worlds import IMAGE
from trainers.engine import Engine
from trainers.replica import to_images
from trainers.system import Move, Replica


@dataclass(frozen=True)
class Seen:
    """One replica's move: who moves, the weighted loss, the raw terms."""

    players: tuple[str, ...]
    loss: float | None
    raw: dict[str, float]


def watch(of: Engine) -> list[Seen]:
    """The list that this engine's moves will be added to, replica by replica."""
    seen: list[Seen] = []
    honest = of.system.step

    def step(t: int, replica: Replica) -> Iterator[Move]:
        for move in honest(t, replica):
            for weighed, players in move.pairs:
                loss = None if weighed.loss is None else weighed.loss.item()
                raw = {name: value.item() for name, value in weighed.raw.items()}
                seen.append(Seen(tuple(player.name for player in players), loss, raw))
            yield move

    of.system.step = step
    return seen


def batch(of: Engine, draw: int = 0, replica: int = 0) -> dict[str, Tensor]:
    """domain -> the images `[N,C,H,W]` that a replica draws."""
    out = {}
    for source in of.system.reads.sources:
        read = of.read(source, draw, replica)
        for domain in of.system.reads.sources[source]:
            out[domain] = to_images(read[domain], of.device, torch.contiguous_format)
    assert all(images.shape[-1] == IMAGE for images in out.values())
    return out


def before(of: Engine) -> Any:
    """A copy of the system as it is now; a test knows which networks it has."""
    return copy.deepcopy(of.system)


def gradients(of: Engine, player: str) -> dict[str, Tensor]:
    """What the player's last move followed, by parameter name."""
    mine = {id(p) for p in of.gradients[player].parameters}
    return {name: p.grad.clone() for name, p in of.system.named_parameters() if id(p) in mine and p.grad is not None}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Equal names and equal bits."""
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
