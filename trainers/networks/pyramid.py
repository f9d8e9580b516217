"""UNIT's and MUNIT's critic: one of the same width for each size of the image. Losses are summed over the sizes, as published.

BicycleGAN's (`multiscale.py`) halves the width with the image, and ends in two layers of stride 1.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.networks.blocks import Reflect, initialise


def _least(scales: int, layers: int) -> int:
    """The smallest image of which the critic of the last size is left something; halving the image rounds up."""
    least: int = (2**layers - 1) * 2 ** (scales - 1) + 1
    return least


class PyramidCritic(nn.Module):
    """For each size `layers` 4x4 convolutions of stride 2, reflection-padded, LeakyReLU 0.2, no norm; then one of 1x1."""

    def __init__(self, channels: int, width: int, scales: int, layers: int) -> None:
        super().__init__()
        self.critics = nn.ModuleList(_critic(channels, width, layers) for _ in range(scales))
        initialise(self)

    @staticmethod
    def check(image: int, scales: int, layers: int) -> None:
        """Raise SettingError where nothing would be left of the image behind the last size's layers."""
        if image >= _least(scales, layers):
            return
        fitting = [n for n in range(1, scales) if image >= _least(n, layers)]
        if fitting:
            problem = f"{scales} scales of {layers} layers need an image of at least {_least(scales, layers)} pixels"
            raise SettingError("hyper.scales", scales, f"{problem}, not {image}; nearest: {fitting[-1]}")
        problem = f"{layers} layers need an image of at least {_least(1, layers)} pixels, not {image}"
        raise SettingError("hyper.critic_layers", layers, f"{problem}; nearest: {image.bit_length() - 1}")

    def forward(self, x: Tensor) -> list[Tensor]:
        """`x: [N,C,H,W]` -> logits `[N,1,h,w]` of each size, the full one first. HIGH = real."""
        logits: list[Tensor] = []
        for i, critic in enumerate(self.critics):
            if i > 0:
                x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            logits.append(critic(x))
        return logits


def _critic(channels: int, width: int, layers: int) -> nn.Sequential:
    stack: list[nn.Module] = []
    c = channels
    for i in range(layers):
        out = width * 2**i
        stack += [Reflect(1), nn.Conv2d(c, out, 4, 2), nn.LeakyReLU(0.2)]
        c = out
    return nn.Sequential(*stack, nn.Conv2d(c, 1, 1))
