"""What surrounds an optimizer's step: an update that is taken back where it is not finite, and WGAN's clamp."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def hold(optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> list[tuple[Tensor, Tensor]]:
    """(tensor, copy of it) for all that the next step of the optimizer changes.

    For optimizers that cannot mask their own update. One that has not stepped yet has no state: it is made by a step with
    gradients of zero, which moves nothing, so that what is held is complete.
    """
    if not optimizer.state:
        gradients = [p.grad for p in parameters]
        rates = [group["lr"] for group in optimizer.param_groups]
        for p in parameters:
            p.grad = torch.zeros_like(p)
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        optimizer.step()
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        for p, gradient in zip(parameters, gradients, strict=True):
            p.grad = gradient
            for value in optimizer.state[p].values():
                value.zero_()
    tensors = [p.detach() for p in parameters]
    tensors += [value for p in parameters for value in optimizer.state[p].values()]
    return [(tensor, tensor.clone()) for tensor in tensors]


def put_back(held: Sequence[tuple[Tensor, Tensor]], masked: Tensor) -> None:
    """Where `masked` (0 or 1, a scalar on the device) is 1, every held tensor becomes what it was; no wait for the host."""
    with torch.no_grad():
        for tensor, copy in held:
            tensor.copy_(torch.where(masked.to(tensor.device) > 0, copy, tensor))


def clamp(parameters: Sequence[nn.Parameter], most: float) -> None:
    """Every parameter into [-most, most], after the move (Arjovsky et al. 2017, algorithm 1; norms included)."""
    with torch.no_grad():
        for p in parameters:
            p.clamp_(-most, most)
