"""MUNIT's networks of a picture's style (Huang, Liu, Belongie, Kautz 2018): the encoder has no norm, since instance norms would
take the style away, and the decoder is told a style by the means and deviations of its maps.
"""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.networks.blocks import Reflect, initialise_kaiming
from trainers.networks.content import FACTOR, content_channels, doublings, halving

HALVINGS = 4
LEAST_IMAGE = 2**HALVINGS
EPSILON = 1e-5  # added to a variance


def restyled(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """AdaIN: `x: [N,C,H,W]` with the mean and the deviation of each of its maps moved to these, `[N,C]` each."""
    n, c, *sides = x.shape
    maps = x.reshape(1, n * c, *sides)
    out = F.batch_norm(
        maps, None, None, deviation.float().flatten(), mean.float().flatten(), training=True, eps=EPSILON
    )
    return out.view(n, c, *sides)


class StyleEncoder(nn.Module):
    """Pictures to vectors: c7s1-w, four halvings of which two double the channels, the mean over the image, one linear layer."""

    def __init__(self, channels: int, width: int, style: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [Reflect(3), nn.Conv2d(channels, width, 7), nn.ReLU(inplace=True)]
        widths = [min(2**i, FACTOR) * width for i in range(HALVINGS + 1)]
        for c, out in itertools.pairwise(widths):
            layers += halving(c, out, nn.ReLU(inplace=True))
        self.body = nn.Sequential(*layers)
        self.last = nn.Linear(widths[-1], style)
        initialise_kaiming(self)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit."""
        if image < LEAST_IMAGE:
            problem = f"the style encoder needs an image of at least {LEAST_IMAGE} pixels; nearest: {LEAST_IMAGE}"
            raise SettingError("data.image", image, problem)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,channels,H,W]` -> `[N,style]`."""
        out: Tensor = self.last(self.body(x).mean((2, 3)))
        return out


class StyledResidual(nn.Module):
    """A residual block whose two norms are told their statistics."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(Reflect(1), nn.Conv2d(channels, channels, 3))
        self.second = nn.Sequential(Reflect(1), nn.Conv2d(channels, channels, 3))

    def forward(self, x: Tensor, statistics: Tensor) -> Tensor:
        """`x: [N,C,h,w]`, `statistics: [N,4,C]`, mean and deviation of the first norm and of the second -> `[N,C,h,w]`."""
        mean, deviation, mean2, deviation2 = statistics.unbind(1)
        inner = F.relu(restyled(self.first(x), mean, deviation))
        return x + restyled(self.second(inner), mean2, deviation2)


class StyledDecoder(nn.Module):
    """Content maps and a style to pictures in [-1, 1]: three linear layers tell the residual blocks what the style is."""

    def __init__(self, channels: int, width: int, blocks: int, style: int, mlp: int) -> None:
        super().__init__()
        inner = content_channels(width)
        self.shape = (blocks, 4, inner)
        layers: list[nn.Module] = [nn.Linear(style, mlp), nn.ReLU(), nn.Linear(mlp, mlp), nn.ReLU()]
        self.tell = nn.Sequential(*layers, nn.Linear(mlp, blocks * 4 * inner))
        self.blocks = nn.ModuleList(StyledResidual(inner) for _ in range(blocks))
        self.out = doublings(width, channels)
        initialise_kaiming(self)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """`content: [N,4 x width,h,w]`, `style: [N,style]` -> `[N,channels,4h,4w]`."""
        told: Tensor = self.tell(style).view(-1, *self.shape)
        x = content
        for block, statistics in zip(self.blocks, told.unbind(1), strict=True):
            x = block(x, statistics)
        out: Tensor = self.out(x)
        return out
