"""BicycleGAN and its halves by hand: engines whose networks have something to say, losses over scales, the noise of a step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from tests.trainers.watching import gradients
from tests.trainers.worlds import SEED, TINY, engine
from trainers import randomness
from trainers.engine import STAGE, Engine
from trainers.tree import Tree

LATENT: int = TINY["bicyclegan"]["latent"]
LIVELIER = 20.0


def lively(name: str, **settings: Any) -> Engine:
    """One replica whose weights are larger than a beginner's: fakes, logits and divergences then differ by more than rounding."""
    of = engine(name, tree=Tree(1), **settings)
    with torch.no_grad():
        for parameter in of.system.parameters():
            parameter.mul_(LIVELIER) if parameter.dim() > 1 else parameter.normal_()
    return of


def says_real(maps: list[Tensor]) -> Tensor:
    """The least-squares loss of maps that should say real, summed over the scales."""
    return torch.stack([(logits - 1).square().mean() for logits in maps]).sum()


def says_fake(maps: list[Tensor]) -> Tensor:
    """The same of maps that should say fake."""
    return torch.stack([logits.square().mean() for logits in maps]).sum()


def divergence(mu: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, I)), summed over the vector, the mean over the samples."""
    mu, log_variance = mu.double(), log_variance.double()
    return kl_divergence(Normal(mu, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum() / len(mu)


def noise(*counts: int) -> list[Tensor]:
    """What the first replica draws in its first step: so many vectors, one draw after another."""
    randomness.seed_generators(torch.device("cpu"), SEED, STAGE, 0, 0, 0)
    return [torch.randn(count, LATENT) for count in counts]


def taught(of: Engine) -> set[str]:
    """The players whose last move followed something."""
    return {p.name for p in of.system.players if any(g.any() for g in gradients(of, p.name).values())}


def alone(name: str, term: str) -> Engine:
    """An engine after a step with this term and no other."""
    of = engine(name)
    of.system.weights = {known: float(known == term) for known in of.system.weights}
    of.step()
    return of
