"""Adversarial criteria on raw logits, HIGH = real. Every network minimises its loss; the critic's comes with its accuracy.

The constant in front of a critic's loss is not uniform in the literature (0.5 in CycleGAN and pix2pix, 1 in others), and it
matters as soon as a penalty stands beside it: so each system states it in `scale`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.system import Control, Scored

GAMMA = 0.5  # BEGAN's diversity ratio, L(G(z)) / L(x) at the balance (Berthelot et al. 2017, section 3.4)
K_RATE = 1e-3  # lambda_k, the learning rate of BEGAN's k


@dataclass(frozen=True)
class Criterion(ABC):
    """l(logits, target), the mean over batch and patches, for targets real and fake. In fp32 whatever the critic computes in.

    `smoothing`: one-sided label smoothing, the critic's target for real pictures is 1 - smoothing (Salimans et al. 2016).
    """

    smoothing: float = 0.0
    smoothable: ClassVar[bool] = False  # whether it has a target that could be smoothed
    controls: ClassVar[bool] = False  # whether the engine keeps a number for its critic terms

    @abstractmethod
    def real(self, logits: Tensor) -> Tensor:
        """The critic's loss of real pictures: a scalar."""

    @abstractmethod
    def fake(self, logits: Tensor) -> Tensor:
        """The critic's loss of generated pictures: a scalar."""

    @abstractmethod
    def generator(self, logits: Tensor) -> Tensor:
        """The generator's loss, from what the critic says of its pictures: a scalar."""

    @abstractmethod
    def boundary(self, real: Tensor, fake: Tensor) -> Tensor | float:
        """Logits above it say "real"."""

    def critic(self, real: Tensor, fake: Tensor, scale: float) -> Scored:
        """`scale` x (real + fake) and the share of patches judged rightly. Logits of any shape."""
        loss = scale * (self.real(real) + self.fake(fake))
        return Scored(loss, self.accuracy(real, fake), outputs=_means(real, fake))

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """The share of patches on the right side of the boundary, in [0, 1]; real and fake count alike."""
        boundary = self.boundary(real, fake)
        return 0.5 * ((real > boundary).float().mean() + (fake < boundary).float().mean())

    def critic_over(self, real: Sequence[Tensor], fake: Sequence[Tensor], scale: float) -> Scored:
        """The same over the maps of a critic of several scales: losses are summed, as published, accuracies averaged."""
        judged = [self.critic(r, f, scale) for r, f in zip(real, fake, strict=True)]
        value, right = judged[0].value, judged[0].accuracy
        for more in judged[1:]:
            value, right = value + more.value, right + more.accuracy
        means = [_means(r, f) for r, f in zip(real, fake, strict=True)]
        outputs = (torch.stack([mean for mean, _ in means]).mean(), torch.stack([mean for _, mean in means]).mean())
        return Scored(value, right / len(judged), outputs=outputs)

    def generator_over(self, maps: Sequence[Tensor]) -> Tensor:
        """The generator's loss summed over the maps of a critic of several scales."""
        total = self.generator(maps[0])
        for logits in maps[1:]:
            total = total + self.generator(logits)
        return total


class LeastSquares(Criterion):
    """LSGAN with targets 1 and 0 (Mao et al. 2017, the coding used in practice; the generator's loss is not halved)."""

    smoothable = True

    def real(self, logits: Tensor) -> Tensor:
        return (logits.float() - (1.0 - self.smoothing)).square().mean()

    def fake(self, logits: Tensor) -> Tensor:
        return logits.float().square().mean()

    def generator(self, logits: Tensor) -> Tensor:
        return (logits.float() - 1.0).square().mean()

    def boundary(self, real: Tensor, fake: Tensor) -> float:
        return 0.5


class Vanilla(Criterion):
    """Binary cross-entropy on logits; the generator's loss is the non-saturating one (Goodfellow et al. 2014)."""

    smoothable = True

    def real(self, logits: Tensor) -> Tensor:
        return _cross_entropy(logits, 1.0 - self.smoothing)

    def fake(self, logits: Tensor) -> Tensor:
        return _cross_entropy(logits, 0.0)

    def generator(self, logits: Tensor) -> Tensor:
        return _cross_entropy(logits, 1.0)

    def boundary(self, real: Tensor, fake: Tensor) -> float:
        return 0.0


class Minimax(Vanilla):
    """Goodfellow et al. 2014, eq. 1, as it stands: the generator minimises log(1 - D(G)), whose gradient vanishes where the
    critic is sure. To be compared with, not to be used.
    """

    def generator(self, logits: Tensor) -> Tensor:
        return -_cross_entropy(logits, 0.0)


class Hinge(Criterion):
    """The hinge of Lim and Ye 2017 (Geometric GAN, eq. 10) and SAGAN."""

    def real(self, logits: Tensor) -> Tensor:
        return F.relu(1.0 - logits.float()).mean()

    def fake(self, logits: Tensor) -> Tensor:
        return F.relu(1.0 + logits.float()).mean()

    def generator(self, logits: Tensor) -> Tensor:
        return -logits.float().mean()

    def boundary(self, real: Tensor, fake: Tensor) -> float:
        return 0.0


class Wasserstein(Criterion):
    """E f(fake) - E f(real) (Arjovsky et al. 2017). It needs a Lipschitz critic: by clipping, or by a penalty.

    A critic without a scale has no boundary of its own: the middle between the two means stands in for it.
    """

    def real(self, logits: Tensor) -> Tensor:
        return -logits.float().mean()

    def fake(self, logits: Tensor) -> Tensor:
        return logits.float().mean()

    def generator(self, logits: Tensor) -> Tensor:
        return -logits.float().mean()

    def boundary(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * (real.float().mean() + fake.float().mean())


class Equilibrium(Wasserstein):
    """BEGAN (Berthelot et al. 2017, section 3.4): the critic is an autoencoder, its logits are -|AE(x) - x|.

    L_D = L(x) - k L(G(z)), L_G = L(G(z)), and k moves by lambda_k (gamma L(x) - L(G(z))) after each move. The engine keeps
    k, in [0, 1], from 0.
    """

    controls = True

    def critic(self, real: Tensor, fake: Tensor, scale: float) -> Scored:
        wrong_real, wrong_fake = self.real(real), self.real(fake)
        drift = K_RATE * (GAMMA * wrong_real - wrong_fake)
        control = Control(scale * wrong_fake, drift)
        return Scored(scale * wrong_real, self.accuracy(real, fake), control, _means(real, fake))


def _means(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """What a critic said on the average, without its graph."""
    return real.detach().float().mean(), fake.detach().float().mean()


def _cross_entropy(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


CRITERIA: dict[str, type[Criterion]] = {
    "lsgan": LeastSquares,
    "vanilla": Vanilla,
    "minimax": Minimax,
    "hinge": Hinge,
    "wgan": Wasserstein,
    "began": Equilibrium,
}
