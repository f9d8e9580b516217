"""BicycleGAN's critic: patch critics of the image at several sizes. Callers sum their losses over the scales, as published."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.networks.blocks import Norm, initialise_xavier
from trainers.networks.patch import PatchCritic


def _least(scales: int, strided: int) -> int:
    """The smallest image of which the critic of the last scale is left something; halving rounds up."""
    least: int = (3 * 2**strided - 1) * 2 ** (scales - 1) + 1
    return least


class MultiScaleCritic(nn.Module):
    """The critic of each scale has half the channels of the one before, and sees the image at half the size.

    The published code divides the channels by 2, then by 4, and so on; the two agree at two scales, the default.
    """

    def __init__(self, channels: int, width: int, scales: int, strided: int, norm: Norm) -> None:
        super().__init__()
        widths = [max(1, width // 2**i) for i in range(scales)]
        self.critics = nn.ModuleList(PatchCritic(channels, w, strided, norm) for w in widths)
        initialise_xavier(self)

    @staticmethod
    def check(image: int, scales: int, strided: int) -> None:
        """Raise SettingError where nothing would be left of the image behind the last scale's strided layers."""
        least = _least(scales, strided)
        if image >= least:
            return
        if image < _least(1, strided):
            problem = f"{strided} strided layers need an image of at least {_least(1, strided)} pixels"
            raise SettingError("data.image", image, f"{problem}; nearest: {_least(1, strided)}")
        fitting = max(n for n in range(1, scales) if image >= _least(n, strided))
        problem = f"{scales} scales need an image of at least {least} pixels, not {image}; nearest: {fitting}"
        raise SettingError("hyper.scales", scales, problem)

    def forward(self, x: Tensor) -> list[Tensor]:
        """`x: [N,C,H,W]` -> logits `[N,1,h,w]` of each scale, the full size first. HIGH = real."""
        logits: list[Tensor] = []
        for i, critic in enumerate(self.critics):
            if i > 0:
                x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            logits.append(critic(x))
        return logits
