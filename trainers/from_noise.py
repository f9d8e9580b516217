"""What the systems that make pictures from noise alone share: the noise, and the sizes of DCGAN's networks.

A generator with batch norm makes other pictures in other company: the statistics are those of the pictures made together. So
pictures are made in company to be shown, as they are in training, and never alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.adversarial import CRITERIA
from trainers.hyper import Adversary, Learning
from trainers.networks.blocks import Norm, affine_instance_norm, batch_norm, no_norm
from trainers.networks.dcgan import DOWNSAMPLES, UPSAMPLES, DCGANCritic, DCGANGenerator
from trainers.networks.noise import LATENTS
from trainers.settings import changed, setting
from trainers.system import Shapes

NORMS: dict[str, Norm] = {"batch": batch_norm, "instance": affine_instance_norm, "none": no_norm}
COMPANY = 32  # pictures that are made together, at least, to be shown


@dataclass(frozen=True)
class NoiseNetworks:
    """Where the noise comes from, and the networks' sizes, with DCGAN's published defaults."""

    latent: int = setting(100, "length of z", minimum=1, maximum=4096)
    latent_kind: str = setting("normal", "where z comes from: N(0, I) or a sphere", choices=tuple(LATENTS))
    width: int = setting(64, "channels of the generator's last map", minimum=1, maximum=4096)
    upsample: str = setting("deconv", "how the generator doubles the side", choices=tuple(UPSAMPLES))
    generator_norm: str = setting("batch", "normalisation of the generator", choices=tuple(NORMS))
    critic_width: int = setting(64, "channels of the critic's first layer", minimum=1, maximum=4096)
    downsample: str = setting("strided", "how the critic halves the side", choices=tuple(DOWNSAMPLES))
    norm: str = setting("batch", "normalisation of the critic; a penalty excludes batch", choices=tuple(NORMS))

    def noise(self, count: int, device: torch.device) -> Tensor:
        """New noise: `[count,latent]`."""
        return LATENTS[self.latent_kind](count, self.latent).to(device)

    def build_generator(self, shapes: Shapes) -> DCGANGenerator:
        """Noise -> pictures of b."""
        channels, image, _ = shapes["b"]
        return DCGANGenerator(self.latent, channels, image, self.width, self.upsample, NORMS[self.generator_norm])

    def build_critic(self, shapes: Shapes) -> DCGANCritic:
        """Pictures of b -> logits."""
        channels, image, _ = shapes["b"]
        return DCGANCritic(channels, image, self.critic_width, self.downsample, NORMS[self.norm])


@dataclass(frozen=True)
class NoiseHyper(Learning, Adversary, NoiseNetworks):
    """All settings that DCGAN, WGAN and the conditional GAN have in common."""

    gan: str = setting(
        "vanilla", "adversarial criterion", choices=tuple(name for name, kind in CRITERIA.items() if not kind.controls)
    )
    decay_from: float = changed(Learning, "decay_from", 1.0)

    def check(self, shapes: Shapes) -> None:
        """Raise SettingError where the networks do not fit the pictures, or the choices each other."""
        DCGANGenerator.check(shapes["b"][1])
        self.check_adversary(batch_norm=self.norm == "batch")
