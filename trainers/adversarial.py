"""Adversarial criteria on raw logits, HIGH = real. Every network minimises its loss; the critic's comes with its accuracy.

The constant in front of a critic's loss is not uniform in the literature (0.5 in CycleGAN and pix2pix, 1 in others), and it
matters as soon as a penalty stands beside it: so each system states it in `scale`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.system import Scored


class Criterion(ABC):
    """l(logits, target), the mean over batch and patches, for targets real and fake."""

    boundary: ClassVar[float]  # logits above it say "real"

    @abstractmethod
    def real(self, logits: Tensor) -> Tensor:
        """The loss of logits that should say real: a scalar."""

    @abstractmethod
    def fake(self, logits: Tensor) -> Tensor:
        """The loss of logits that should say fake: a scalar."""

    def critic(self, real: Tensor, fake: Tensor, scale: float) -> Scored:
        """`scale` x (real + fake) and the share of patches judged rightly. Logits of any shape."""
        right = 0.5 * ((real > self.boundary).float().mean() + (fake < self.boundary).float().mean())
        return Scored(scale * (self.real(real) + self.fake(fake)), right)


class LeastSquares(Criterion):
    """LSGAN with targets 1 and 0 (Mao et al. 2017, the coding used in practice)."""

    boundary = 0.5

    def real(self, logits: Tensor) -> Tensor:
        return (logits - 1.0).square().mean()

    def fake(self, logits: Tensor) -> Tensor:
        return logits.square().mean()


class Vanilla(Criterion):
    """Binary cross-entropy on logits; the generator's use of `real` is the non-saturating form (Goodfellow et al. 2014)."""

    boundary = 0.0

    def real(self, logits: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))

    def fake(self, logits: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


CRITERIA: dict[str, Criterion] = {"lsgan": LeastSquares(), "vanilla": Vanilla()}
