"""Gradients: taken replica by replica, summed in the tree in one flat buffer per player, and stepped on through its views.

Parameters stay ordinary tensors and only their gradients are flat: an optimizer that writes through flat views of the
parameters would leave autograd's version counters behind, and a graph kept from before the step would be silently wrong.
A run of one replica in all has nothing to add up: its players step on the tensors that autograd made, and no buffer exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from trainers.system import Move, Player
from trainers.tree import LocalSum, Tree


@dataclass(frozen=True)
class Total:
    """A player's mean gradient over all replicas: one tensor per parameter, of its shape and strides (fused optimizers ask
    for equal strides), and the norm of all of them, a scalar."""

    gradients: list[Tensor]
    norm: Tensor


class Gradient(Protocol):
    """Where a player's gradients come together: every hosted replica's is pushed, then they are reduced."""

    player: Player
    parameters: list[nn.Parameter]

    def push(self, gradients: list[Tensor]) -> None:
        """Hand in a replica's gradients, one per parameter."""
        ...

    def reduce(self, tree: Tree, scalars: Tensor | None) -> Total:
        """The mean over all replicas; `scalars`, if given, become their sum over the workers, in place.

        It is valid until the player's next push.
        """
        ...

    def clear(self) -> None:
        """Give up what was pushed and not reduced."""
        ...


class FlatGradient:
    """Buffers of `numel + tail` floats; the tail carries the step's scalars across the workers."""

    def __init__(self, player: Player, tail: int, device: torch.device) -> None:
        self.player = player
        self.parameters = player.parameters
        self.numel = sum(p.numel() for p in self.parameters)
        self.sums = LocalSum(self.numel + tail, device)
        self._views: dict[int, list[Tensor]] = {}

    def views(self, buffer: Tensor) -> list[Tensor]:
        """One view per parameter, of its shape and strides."""
        known = self._views.get(buffer.data_ptr())
        if known is None:
            known, offset = [], 0
            for p in self.parameters:
                known.append(buffer[offset : offset + p.numel()].as_strided(p.shape, p.stride(), offset))
                offset += p.numel()
            self._views[buffer.data_ptr()] = known
        return known

    def push(self, gradients: list[Tensor]) -> None:
        """Copy a replica's gradients into a buffer, and that into the sum."""
        buffer = self.sums.take()
        torch._foreach_copy_(self.views(buffer), gradients)
        self.sums.push(buffer)

    def reduce(self, tree: Tree, scalars: Tensor | None) -> Total:
        """Sum over the workers, with the scalars in the tail, and divide."""
        total = self.sums.result()
        own, tail = total[: self.numel], total[self.numel :]
        if tree.workers > 1:
            if scalars is not None:
                tail.copy_(scalars)
            tree.sum_across_workers(total)
            if scalars is not None:
                scalars.copy_(tail)
        own.mul_(1.0 / tree.replicas)
        return Total(self.views(total), torch.linalg.vector_norm(own))

    def clear(self) -> None:
        """Give up a sum that was begun."""
        self.sums.clear()


class OwnGradient:
    """The gradients of the only replica there is: already the mean, nothing is copied."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.parameters = player.parameters
        self._gradients: list[Tensor] = []

    def push(self, gradients: list[Tensor]) -> None:
        """Keep the gradients; one whose strides are not the parameter's is laid out anew."""
        self._gradients = [
            g if g.stride() == p.stride() else torch.empty_like(p).copy_(g)
            for p, g in zip(self.parameters, gradients, strict=True)
        ]

    def reduce(self, tree: Tree, scalars: Tensor | None) -> Total:
        """What was pushed. `scalars` are the sum as they are."""
        assert tree.replicas == 1 and self._gradients, "one replica in all, and it was pushed"
        total, self._gradients = self._gradients, []
        return Total(total, torch.linalg.vector_norm(torch.stack(torch._foreach_norm(total))))

    def clear(self) -> None:
        """Give up what was pushed."""
        self._gradients = []


def differentiate(move: Move, active: Mapping[str, Gradient]) -> None:
    """Push this replica's gradients of a move for the active players, and nobody else's; 0 where no loss reaches.

    Pairs are taken last to first; the last pass (the first pair) frees the graph. Passes over the same parameters add up
    in `.grad`.
    """
    passes: list[tuple[Tensor, list[nn.Parameter]]] = []
    for weighed, players in move.pairs:
        wanted = [p for player in players if player.name in active for p in active[player.name].parameters]
        if wanted and weighed.loss is not None and weighed.loss.requires_grad:
            passes.append((weighed.loss, wanted))
    for gradient in active.values():
        for p in gradient.parameters:
            p.grad = None  # what the last move followed: its memory is wanted now
    for remaining in reversed(range(len(passes))):
        loss, wanted = passes[remaining]
        loss.backward(retain_graph=remaining > 0, inputs=wanted)
    for gradient in active.values():
        gradient.push([_taken(p) for p in gradient.parameters])


def _taken(parameter: nn.Parameter) -> Tensor:
    """A parameter's gradient, which it no longer holds."""
    found, parameter.grad = parameter.grad, None
    return torch.zeros_like(parameter) if found is None else found


def reduce_move(gradients: Sequence[Gradient], scalars: Tensor, tree: Tree) -> list[Total]:
    """The mean gradients of the players that move; `scalars` become their sum over the workers, in place.

    They ride with the first player's gradients, and alone where nobody moves.
    """
    if not gradients:
        tree.sum_across_workers(scalars)
    return [gradient.reduce(tree, scalars if gradient is gradients[0] else None) for gradient in gradients]
