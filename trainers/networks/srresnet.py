"""SRGAN's networks (Ledig et al., CVPR 2017): SRResNet, which enlarges, and a critic of whole pictures.

The published batch norms keep running statistics, and none are kept here (see `blocks`), so the norm is a choice.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.networks.blocks import Norm, check_multiple, initialise, initialise_xavier, widths_for

LEAST = 2  # pixels of a side that must be left for a norm
HALVINGS = 4  # of the critic
GAIN = 0.5  # of the first weights: without norms, 16 residual blocks neither swell the signal nor lose it


def resized(x: Tensor, side: int) -> Tensor:
    """`[N,C,H,W]` -> `[N,C,side,side]`: bicubic as MATLAB and Pillow have it, which see all pixels that they take together."""
    return F.interpolate(x, size=(side, side), mode="bicubic", align_corners=False, antialias=True)


class _Residual(nn.Module):
    """x + two 3x3 convolutions, a PReLU between them."""

    def __init__(self, c: int, norm: Norm) -> None:
        super().__init__()
        first = [nn.Conv2d(c, c, 3, 1, 1), norm(c), nn.PReLU(c)]
        self.body = nn.Sequential(*first, nn.Conv2d(c, c, 3, 1, 1), norm(c))

    def forward(self, x: Tensor) -> Tensor:
        """`[N,c,H,W]` -> the same shape."""
        out: Tensor = x + self.body(x)
        return out


class SRResNet(nn.Module):
    """Pictures to pictures of `factor` times their side; factor: a power of two."""

    def __init__(self, channels: int, width: int, blocks: int, factor: int, norm: Norm) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, width, 9, 1, 4), nn.PReLU(width))
        residual = [_Residual(width, norm) for _ in range(blocks)]
        self.body = nn.Sequential(*residual, nn.Conv2d(width, width, 3, 1, 1), norm(width))
        doublings: list[nn.Module] = []
        for _ in range(factor.bit_length() - 1):
            doublings += [nn.Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU(width)]
        self.last = nn.Sequential(*doublings, nn.Conv2d(width, channels, 9, 1, 4))
        initialise_xavier(self, gain=GAIN)

    @staticmethod
    def check(image: int, factor: int) -> None:
        """Raise SettingError where a picture of this side is not made of one `factor` times smaller."""
        if image < LEAST * factor:
            problem = f"a picture {factor} times smaller needs {LEAST} pixels a side; nearest: {LEAST * factor}"
            raise SettingError("data.image", image, problem)
        check_multiple(image, factor, f"a picture {factor} times smaller")

    def enlarged(self, x: Tensor) -> Tensor:
        """`x: [N,channels,h,w]` -> `[N,channels,factor x h,factor x w]`, not bounded: as it learns."""
        first = self.first(x)
        out: Tensor = self.last(first + self.body(first))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """The same in [-1, 1]."""
        return self.enlarged(x).clamp(-1.0, 1.0)


class SRCritic(nn.Module):
    """Pictures to one logit, HIGH = real: four pairs of 3x3 convolutions of stride 1 and 2, then two layers over all that is left.

    LeakyReLU 0.2; norm on all but the first and the last two.
    """

    def __init__(self, channels: int, image: int, width: int, norm: Norm) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for c in widths_for(width, HALVINGS):
            for stride, c_in in ((1, before), (2, c)):
                layers += [nn.Conv2d(c_in, c, 3, stride, 1), *([norm(c)] if layers else []), nn.LeakyReLU(0.2)]
            before = c
        left = before * (image >> HALVINGS) ** 2
        hidden = 16 * width
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(left, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1)
        )
        initialise(self)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit."""
        factor = 2**HALVINGS
        if image < LEAST * factor:
            problem = f"a critic of {HALVINGS} halvings needs at least {LEAST * factor}; nearest: {LEAST * factor}"
            raise SettingError("data.image", image, problem)
        check_multiple(image, factor, f"a critic of {HALVINGS} halvings")

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,channels,image,image]` -> logits `[N,1]`."""
        out: Tensor = self.layers(x)
        return out
