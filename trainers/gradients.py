"""Flat gradients: one buffer per player, filled replica by replica, summed in the tree, and stepped on through views.

Parameters stay ordinary tensors and only their gradients are flat: an optimizer that writes through flat views of the
parameters would leave autograd's version counters behind, and a graph kept from before the step would be silently wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainers.system import Move, Player, Weighed
from trainers.tree import LocalSum, Tree


class FlatGradient:
    """A player's gradient buffers of `numel + tail` floats; the tail carries the step's scalars across the workers."""

    def __init__(self, player: Player, tail: int, device: torch.device) -> None:
        self.player = player
        self.parameters = player.parameters
        self.numel = sum(p.numel() for p in self.parameters)
        self.sums = LocalSum(self.numel + tail, device)
        self._views: dict[int, list[Tensor]] = {}

    def views(self, buffer: Tensor) -> list[Tensor]:
        """One view per parameter, of its shape and strides (fused optimizers ask for equal strides)."""
        known = self._views.get(buffer.data_ptr())
        if known is None:
            known, offset = [], 0
            for p in self.parameters:
                known.append(buffer[offset : offset + p.numel()].as_strided(p.shape, p.stride(), offset))
                offset += p.numel()
            self._views[buffer.data_ptr()] = known
        return known

    def put(self, buffer: Tensor, gradients: Sequence[Tensor | None], *, first: bool) -> None:
        """Add a loss's gradients to the buffer, or write the first one's; None where it does not reach a parameter."""
        reached = [(v, g) for v, g in zip(self.views(buffer), gradients, strict=True) if g is not None]
        views, found = [v for v, _ in reached], [g for _, g in reached]
        if first and len(reached) < len(gradients):
            buffer.zero_()
        if reached:
            (torch._foreach_copy_ if first else torch._foreach_add_)(views, found)

    def apply(self, total: Tensor) -> None:
        """Hand the reduced gradient to the parameters as `.grad`."""
        for p, view in zip(self.parameters, self.views(total), strict=True):
            p.grad = view


def differentiate(move: Move, active: dict[str, FlatGradient]) -> dict[str, Tensor]:
    """This replica's gradients of a move, for the active players: one filled buffer each.

    Pairs are taken last to first; the last pass (the first pair) frees the graph.
    """
    buffers = {name: flat.sums.take() for name, flat in active.items()}
    passes: list[tuple[Weighed, list[FlatGradient]]] = []
    for weighed, players in move.pairs:
        flats = [active[player.name] for player in players if player.name in active]
        if flats and weighed.loss is not None and weighed.loss.requires_grad:
            passes.append((weighed, flats))
    written: set[str] = set()
    for remaining in reversed(range(len(passes))):
        weighed, flats = passes[remaining]
        assert weighed.loss is not None
        wanted: list[nn.Parameter] = [p for flat in flats for p in flat.parameters]
        found = torch.autograd.grad(weighed.loss, wanted, retain_graph=remaining > 0, allow_unused=True)
        start = 0
        for flat in flats:
            end = start + len(flat.parameters)
            name = flat.player.name
            flat.put(buffers[name], found[start:end], first=name not in written)
            written.add(name)
            start = end
    for name in active.keys() - written:  # nothing of weight reaches this player: its gradient is zero
        buffers[name].zero_()
    return buffers


def reduce_move(flats: Sequence[FlatGradient], scalars: Tensor, tree: Tree) -> tuple[list[Tensor], Tensor]:
    """The mean gradient over all replicas per player, and the sum of the scalars, which ride in the first player's tail."""
    totals = [flat.sums.result() for flat in flats]
    if not totals:
        tree.sum_across_workers(scalars)
        return [], scalars
    if tree.workers > 1:
        totals[0][flats[0].numel :].copy_(scalars)
        for total in totals:
            tree.sum_across_workers(total)
        scalars = totals[0][flats[0].numel :].clone()
    if tree.replicas > 1:
        for total, flat in zip(totals, flats, strict=True):
            total[: flat.numel].mul_(1.0 / tree.replicas)
    return totals, scalars
