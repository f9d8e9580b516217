"""What BicycleGAN and its two halves share: a latent vector that is encoded or drawn, and the networks around it.

The divergence is summed over a vector and averaged over the batch. The published code sums over the batch too, so that its
term grows with the batch; at the half-batch of one picture that it is trained with, the two are the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainers.adversarial import CRITERIA
from trainers.hyper import Adversary, Learning
from trainers.networks import unet
from trainers.networks.blocks import Norm, batch_norm, instance_norm
from trainers.networks.encoder import ENCODERS
from trainers.networks.latent_unet import TOLD, LatentUNet
from trainers.networks.multiscale import MultiScaleCritic
from trainers.networks.noise import normal
from trainers.networks.patch import STRIDED_LAYERS
from trainers.settings import setting
from trainers.system import Shapes

NORMS: dict[str, Norm] = {"instance": instance_norm, "batch": batch_norm}


def divergence(mu: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, I)), the mean over samples: `[N,L]` each -> a scalar, in nats.

    0.5 x sum(mu^2 + sigma^2 - 1 - log sigma^2); sigma^2 - 1 is taken at once, since an encoder begins with sigma next to 1.
    """
    mu, log_variance = mu.float(), log_variance.float()
    return 0.5 * (mu.square() + log_variance.expm1() - log_variance).sum(1).mean()


def sample(mu: Tensor, log_variance: Tensor) -> Tensor:
    """mu + sigma x eps with eps ~ N(0, I): `[N,L]` each -> `[N,L]`, differentiable in both."""
    eps = normal(*mu.shape).to(mu.device)
    return mu.float() + (0.5 * log_variance.float()).exp() * eps


def show_random(generator: nn.Module, images: Mapping[str, Tensor], latent: int) -> dict[str, Tensor]:
    """`fake_b`: what `generator` makes of the pictures of a, `[N,C,H,W]`, each with a vector from N(0, I); nothing without any.

    One at a time, so that batch statistics are one image's.
    """
    if "a" not in images:
        return {}
    a = images["a"]
    z = normal(len(a), latent).to(a.device)
    made = [generator(image, each) for image, each in zip(a.split(1), z.split(1), strict=True)]
    return {"fake_b": torch.cat(made)}


@dataclass(frozen=True)
class LatentNetworks:
    """The sizes of the networks, with the published defaults."""

    latent: int = setting(8, "length of the latent vector z", minimum=1, maximum=4096)
    where: str = setting(
        "all", "where z joins the generator: every encoder block, or the input alone", choices=tuple(TOLD)
    )
    width: int = setting(64, "channels of the generator's first layer", minimum=1, maximum=4096)
    levels: int | None = setting(
        None, "halvings in the generator; empty: as many as come out even, at most 8", minimum=3
    )
    dropout: float = setting(0.0, "dropout in the first three decoder blocks", minimum=0.0, maximum=0.99)
    encoder: str = setting("resnet", "the encoder: residual blocks, or plain convolutions", choices=tuple(ENCODERS))
    encoder_width: int = setting(64, "channels of the encoder's first layer", minimum=1, maximum=4096)
    critic: str = setting(
        "patch70",
        "the critic of the full size, by its receptive field in pixels",
        choices=tuple(name for name, strided in STRIDED_LAYERS.items() if strided),
    )
    critic_width: int = setting(64, "channels of that critic's first layer", minimum=1, maximum=4096)
    scales: int = setting(2, "sizes of the image that a critic judges, each half the one before", minimum=1, maximum=8)
    conditional: bool = setting(False, "a critic sees the input beside the picture, or the picture alone")
    norm: str = setting("instance", "normalisation of all networks", choices=tuple(NORMS))

    def build_generator(self, shapes: Shapes) -> LatentUNet:
        """G: pictures of a and vectors -> pictures of b."""
        (channels_a, image, _), (channels_b, _, _) = shapes["a"], shapes["b"]
        levels, norm = unet.levels_for(image, self.levels), NORMS[self.norm]
        return LatentUNet(channels_a, channels_b, self.latent, self.width, levels, norm, self.dropout, self.where)

    def build_encoder(self, shapes: Shapes) -> nn.Module:
        """E: pictures of b -> mu and log sigma^2."""
        channels, image, _ = shapes["b"]
        return ENCODERS[self.encoder](channels, self.latent, self.encoder_width, image, NORMS[self.norm])

    def build_critic(self, shapes: Shapes) -> MultiScaleCritic:
        """D: what `seen` gives -> logits at each scale."""
        channels = shapes["b"][0] + (shapes["a"][0] if self.conditional else 0)
        return MultiScaleCritic(channels, self.critic_width, self.scales, STRIDED_LAYERS[self.critic], NORMS[self.norm])

    def seen(self, a: Tensor, b: Tensor) -> Tensor:
        """What a critic is given of pictures b with their inputs a."""
        return torch.cat([a, b], 1) if self.conditional else b


@dataclass(frozen=True)
class LatentHyper(Learning, Adversary, LatentNetworks):
    """All settings that BicycleGAN, cVAE-GAN and cLR-GAN have in common."""

    gan: str = setting(
        "lsgan", "adversarial criterion", choices=tuple(name for name, kind in CRITERIA.items() if not kind.controls)
    )

    def check(self, shapes: Shapes) -> None:
        """Raise SettingError where the networks do not fit the images, or the choices each other."""
        image = shapes["a"][1]
        unet.check(image, self.levels)
        MultiScaleCritic.check(image, self.scales, STRIDED_LAYERS[self.critic])
        self.check_adversary(batch_norm=self.norm == "batch")
