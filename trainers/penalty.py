"""Penalties on the norm of a critic's gradient: two-sided (WGAN-GP, Gulrajani et al. 2017) and one-sided (WGAN-LP, Petzka
et al. 2018).

The gradient is that of the mean over a sample's patches; summing them instead (StarGAN's published code) makes the norm of a
30 x 30 critic 900 times as large. A critic with batch norm has no gradient of one sample, so the two exclude each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from trainers.compiling import as_they_are

Judge = Callable[[Tensor], Tensor]  # images [N,C,H,W] -> logits [N,...]
TINY = 1e-12  # inside the square root, whose own gradient is infinite at 0


def two_sided(norm: Tensor) -> Tensor:
    """(norm - 1)^2: a gradient of any other norm costs. `norm: [N]`."""
    return (norm - 1.0).square()


def one_sided(norm: Tensor) -> Tensor:
    """(max{0, norm - 1})^2: only a gradient above 1 costs; the maximum is taken before the square. `norm: [N]`."""
    return (norm - 1.0).clamp_min(0.0).square()


PENALTIES: Mapping[str, Callable[[Tensor], Tensor]] = {"gp": two_sided, "lp": one_sided}


def over_mean(logits: Tensor) -> Tensor:
    """`[N,...]` -> `[N]`: a sample's mean over its patches."""
    return logits.flatten(1).mean(1)


def over_sum(logits: Tensor) -> Tensor:
    """`[N,...]` -> `[N]`: a sample's sum over its patches."""
    return logits.flatten(1).sum(1)


PATCHES: Mapping[str, Callable[[Tensor], Tensor]] = {"mean": over_mean, "sum": over_sum}


def gradient_penalty(judge: Judge, real: Tensor, fake: Tensor, kind: str, patches: str = "mean") -> Tensor:
    """The mean penalty at random points between real and generated pictures of the domain that `judge` judges: a scalar.

    real, fake: `[N,C,H,W]`, of which nothing gets a gradient; a larger batch of the two is cut. Points: a x fake +
    (1 - a) x real, with a from U[0, 1] for each sample. In fp32, whatever the precision of the rest.
    """
    graph = torch.is_grad_enabled()
    count = min(len(real), len(fake))
    real, fake = real[:count].detach().float(), fake[:count].detach().float()
    share = torch.rand((count, 1, 1, 1), device=real.device)
    with as_they_are(), torch.autocast(real.device.type, enabled=False), torch.enable_grad():
        point = torch.lerp(real, fake, share).requires_grad_()
        (slope,) = torch.autograd.grad(PATCHES[patches](judge(point)).sum(), point, create_graph=graph)
        norm = (slope.flatten(1).square().sum(1) + TINY).sqrt()
        return PENALTIES[kind](norm).mean()
