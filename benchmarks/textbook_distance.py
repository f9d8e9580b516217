"""DistanceGAN with distances and the cycle as a careful researcher writes it in plain torch, after `textbook.py`.

Its pairs are written as in the published code, one by one, but of single pictures; mean and deviation are measured once, on
the batch that is timed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.textbook import ImagePool, Losses, Pixels, adam, judge, set_requires_grad, to_images
from trainers.system import System
from trainers.systems.distancegan import DistanceGAN


class TextbookDistanceGAN:
    """CycleGAN's loop without identities, and the distances of all pairs of a batch."""

    def __init__(self, system: System, fused: bool) -> None:
        nets = cast(DistanceGAN, system)
        hyper = nets.hyper
        assert hyper.cycle and hyper.both and hyper.distance == "pairs", "what is written here"
        self.ab, self.ba = nets.ab, cast(nn.Module, nets.ba)
        self.d_a, self.d_b = cast(nn.Module, nets.d_a), nets.d_b
        betas = (hyper.beta1, hyper.beta2)
        self.generator_adam = adam([self.ab, self.ba], hyper.lr, betas, fused)
        self.critic_adam = adam([self.d_a, self.d_b], hyper.lr, betas, fused)
        self.pool_a, self.pool_b = ImagePool(hyper.pool), ImagePool(hyper.pool)
        self.known: tuple[Statistics, Statistics] | None = None  # of a, of b

    def step(self, pixels: Mapping[str, Pixels]) -> Losses:
        """One step on a batch: the generators, then the critics."""
        a, b = to_images(pixels["a"]), to_images(pixels["b"])
        self.known = self.known or (measured(a), measured(b))
        fake_b, fake_a = self.ab(a), self.ba(b)

        set_requires_grad([self.d_a, self.d_b], False)
        self.generator_adam.zero_grad(set_to_none=True)
        says_b, says_a = self.d_b(fake_b), self.d_a(fake_a)
        of_a, of_b = self.known
        losses = {
            "adv_ab": F.mse_loss(says_b, torch.ones_like(says_b)),
            "adv_ba": F.mse_loss(says_a, torch.ones_like(says_a)),
            "cyc_a": F.l1_loss(self.ba(fake_b), a),
            "cyc_b": F.l1_loss(self.ab(fake_a), b),
            "dist_ab": F.l1_loss(standardised(fake_b, of_b), standardised(a, of_a)),
            "dist_ba": F.l1_loss(standardised(fake_a, of_a), standardised(b, of_b)),
        }
        cycle = 10.0 * (losses["cyc_a"] + losses["cyc_b"])
        (losses["adv_ab"] + losses["adv_ba"] + cycle + losses["dist_ab"] + losses["dist_ba"]).backward()
        self.generator_adam.step()

        set_requires_grad([self.d_a, self.d_b], True)
        self.critic_adam.zero_grad(set_to_none=True)
        losses["d_a"] = judge(self.d_a, a, self.pool_a.query(fake_a.detach()))
        losses["d_a"].backward()
        losses["d_b"] = judge(self.d_b, b, self.pool_b.query(fake_b.detach()))
        losses["d_b"].backward()
        self.critic_adam.step()
        return {name: loss.detach() for name, loss in losses.items()}


Statistics = tuple[float, float]  # mean and deviation of the distances of a domain


def distances(images: Tensor) -> Tensor:
    """`[N,C,H,W]` -> `[N(N-1)/2]`: mean |x - y| of all pairs."""
    return torch.stack([F.l1_loss(one, other) for one, other in itertools.combinations(images, 2)])


def measured(images: Tensor) -> Statistics:
    """Mean and deviation of the distances of pictures."""
    found = distances(images)
    return found.mean().item(), found.std(correction=0).item()


def standardised(images: Tensor, known: Statistics) -> Tensor:
    """Distances less the mean of their domain, over its deviation."""
    mean, deviation = known
    return (distances(images) - mean) / deviation
