"""Hyper-parameters that many systems have, declared once: a system's own class inherits them and changes the defaults.

`changed(Learning, "lr", 5e-5)` in the body of such a class is the inherited field with another default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainers.adversarial import CRITERIA, Criterion
from trainers.errors import SettingError
from trainers.optimizers import SGD, Adam, Optimizer, RMSProp
from trainers.penalty import PATCHES, PENALTIES, Judge, gradient_penalty
from trainers.schedule import constant_then_linear
from trainers.settings import setting

NO_PENALTY = "none"
MOST_DECAY = 0.999999  # at 1 a moving average would never move


@dataclass(frozen=True)
class Adversary:
    """The adversarial loss of a system and what keeps its critics in bounds."""

    gan: str = setting("lsgan", "adversarial criterion", choices=tuple(CRITERIA))
    smoothing: float = setting(
        0.0, "one-sided label smoothing: a critic's target for real pictures is 1 - this", minimum=0.0, maximum=0.5
    )
    penalty: str = setting(
        NO_PENALTY,
        "penalty on the norm of a critic's gradient: gp as in WGAN-GP, lp one-sided; its weight is weights.gp",
        choices=(NO_PENALTY, *PENALTIES),
    )
    penalty_patches: str = setting(
        "mean", "how a critic's patches become the one number that the penalty differentiates", choices=tuple(PATCHES)
    )
    clip: float | None = setting(
        None, "a critic's parameters are clamped to this after each move, as in WGAN; empty: not", minimum=0.0
    )

    @property
    def criterion(self) -> Criterion:
        """The criterion with its smoothing."""
        return CRITERIA[self.gan](self.smoothing)

    @property
    def penalised(self) -> bool:
        """Whether the penalty's terms exist."""
        return self.penalty != NO_PENALTY

    def penalise(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The penalty of `judge` between real and generated pictures, `[N,C,H,W]` each: a scalar."""
        return gradient_penalty(judge, real, fake, self.penalty, self.penalty_patches)

    def penalise_scales(self, critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """The penalty on all that `critic` is given, on the gradient of the sum over its scales: a scalar.

        The sum, because the critic's loss is one: with it the scales are one function, whose slope is to be 1.
        """

        def judge(seen: Tensor) -> Tensor:
            scores = [PATCHES[self.penalty_patches](logits) for logits in critic(seen)]
            return torch.stack(scores, 1).sum(1, keepdim=True)

        return self.penalise(judge, real, fake)

    def controls(self, *terms: str) -> tuple[str, ...]:
        """Those of a system's critic terms that have a number of their own: all of them, or none."""
        return terms if CRITERIA[self.gan].controls else ()

    def check_adversary(self, *, batch_norm: bool = False, autoencoder: bool = False) -> None:
        """Raise SettingError where the choices do not fit each other, or the critic.

        batch_norm: whether the critic's norm depends on the other samples. autoencoder: whether its logits are an
        autoencoder's errors.
        """
        if self.smoothing and not CRITERIA[self.gan].smoothable:
            able = ", ".join(name for name, kind in CRITERIA.items() if kind.smoothable)
            raise SettingError(
                "hyper.smoothing", self.smoothing, f"{self.gan} has no target to smooth; these have: {able}"
            )
        if self.penalised and batch_norm:
            problem = "a critic with batch norm has no gradient of one sample to penalise; nearest: hyper.norm instance"
            raise SettingError("hyper.penalty", self.penalty, problem)
        if self.gan == "began" and not autoencoder:
            raise SettingError(
                "hyper.gan", self.gan, "began judges by an autoencoder; nearest: hyper.critic autoencoder"
            )
        if autoencoder and self.gan != "began":
            problem = "an autoencoder's errors are judged by began alone; nearest: hyper.gan began"
            raise SettingError("hyper.gan", self.gan, problem)


def penalised(hyper: Adversary) -> bool:
    """For `Term(when=...)`: whether there is a penalty."""
    return hyper.penalised


@dataclass(frozen=True)
class Learning:
    """How the players follow their gradients, and the average that is evaluated."""

    optimizer: str = setting("adam", "the optimizer of all players", choices=("adam", "rmsprop", "sgd"))
    lr: float = setting(2e-4, "learning rate", minimum=0.0)
    beta1: float = setting(0.5, "decay of Adam's first moment", minimum=0.0, maximum=MOST_DECAY)
    beta2: float = setting(0.999, "decay of Adam's second moment", minimum=0.0, maximum=MOST_DECAY)
    rms_decay: float = setting(0.99, "decay of RMSProp's squared gradient", minimum=0.0, maximum=1.0)
    weight_decay: float = setting(0.0, "L2 penalty on the weights; not RMSProp's", minimum=0.0)
    decay_from: float = setting(
        0.5, "share of the run after which the rate falls linearly to 0; 1: constant", minimum=0.0, maximum=1.0
    )
    ema: float = setting(
        0.0, "decay of the generators' moving average, which is then evaluated; 0: off", minimum=0.0, maximum=MOST_DECAY
    )

    def build_optimizer(self) -> Optimizer:
        """The settings of every player's optimizer."""
        return OPTIMIZERS[self.optimizer](self)

    def rate(self, steps: int) -> Callable[[int], float]:
        """The factor on the learning rate at a step of a run of `steps`."""
        return constant_then_linear(steps, self.decay_from)


OPTIMIZERS: dict[str, Callable[[Learning], Optimizer]] = {
    "adam": lambda h: Adam(h.lr, h.beta1, h.beta2, h.weight_decay),
    "rmsprop": lambda h: RMSProp(h.lr, h.rms_decay),
    "sgd": lambda h: SGD(h.lr, h.weight_decay),
}
