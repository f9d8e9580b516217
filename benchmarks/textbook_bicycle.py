"""BicycleGAN as a careful researcher writes it in plain torch, after `textbook.py`.

The encoder must not follow the latent loss, which passes through it: as in the published code, its gradients are switched off
between two backward passes over one graph. That works since torch asks for the switch only where a gradient arrives; the
encoder's are computed all the same, and thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.textbook import Losses, Pixels, adam, set_requires_grad, to_images
from trainers.system import System
from trainers.systems.bicyclegan import BicycleGAN


class TextbookBicycleGAN:
    """Four optimizers: generator, encoder, and a critic for each kind of fake."""

    def __init__(self, system: System, fused: bool) -> None:
        nets = cast(BicycleGAN, system)
        hyper = nets.hyper
        self.ab, self.e, self.d, self.d2 = nets.ab, nets.e, nets.d, nets.d2
        betas = (hyper.beta1, hyper.beta2)
        self.generator_adam, self.encoder_adam, self.critic_adam, self.critic2_adam = (
            adam([network], hyper.lr, betas, fused) for network in (self.ab, self.e, self.d, self.d2)
        )

    def step(self, pixels: Mapping[str, Pixels]) -> Losses:
        """One step on a batch of pairs: the generator with the encoder, then each critic."""
        (a1, _), (b1, b2) = (to_images(pixels[domain]).chunk(2) for domain in ("a", "b"))
        mu, log_variance = self.e(b1)
        encoded = self.ab(a1, mu + torch.exp(0.5 * log_variance) * torch.randn_like(mu))
        z = torch.randn_like(mu)
        drawn = self.ab(a1, z)

        set_requires_grad([self.d, self.d2], False)
        self.generator_adam.zero_grad(set_to_none=True)
        self.encoder_adam.zero_grad(set_to_none=True)
        losses = {
            "adv": summed(self.d(encoded), real=True),
            "adv2": summed(self.d2(drawn), real=True),
            "l1": F.l1_loss(encoded, b1),
            "kl": 0.5 * (mu**2 + log_variance.expm1() - log_variance).sum(1).mean(),
            "latent": F.l1_loss(self.e(drawn)[0], z),
        }
        made = losses["adv"] + losses["adv2"] + 10.0 * losses["l1"] + 0.01 * losses["kl"]
        made.backward(retain_graph=True)
        set_requires_grad([self.e], False)
        (0.5 * losses["latent"]).backward()
        set_requires_grad([self.e], True)
        self.generator_adam.step()
        self.encoder_adam.step()

        set_requires_grad([self.d, self.d2], True)
        losses["d"] = moved(self.d, self.critic_adam, b1, encoded.detach())
        losses["d2"] = moved(self.d2, self.critic2_adam, b2, drawn.detach())
        return {name: loss.detach() for name, loss in losses.items()}


def moved(critic: nn.Module, optimizer: torch.optim.Optimizer, real: Tensor, fake: Tensor) -> Tensor:
    """A critic's move, and the loss before it."""
    optimizer.zero_grad(set_to_none=True)
    loss = summed(critic(real), real=True) + summed(critic(fake), real=False)
    loss.backward()
    optimizer.step()
    return loss


def summed(maps: list[Tensor], real: bool) -> Tensor:
    """The least-squares loss of maps that should all say real, or fake, summed over the scales."""
    target = torch.ones_like if real else torch.zeros_like
    return torch.stack([F.mse_loss(logits, target(logits)) for logits in maps]).sum()
