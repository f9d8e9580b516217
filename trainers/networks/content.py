"""UNIT's and MUNIT's networks of a picture's content (Liu, Breuel, Kautz 2017; Huang, Liu, Belongie, Kautz 2018).

The encoder has instance norms, which take the style away; the decoder's doublings have a layer norm, which leaves it what the
channels say of each other.
"""

from __future__ import annotations

from torch import Tensor, nn

from trainers.networks.blocks import Reflect, check_multiple, initialise_kaiming, instance_norm
from trainers.networks.resnet import Residual

HALVINGS = 2
FACTOR = 2**HALVINGS  # of the side, and of the channels


def content_channels(width: int) -> int:
    """Channels of a content map, for `width` of the first layer."""
    channels: int = FACTOR * width
    return channels


def layer_norm(channels: int) -> nn.Module:
    """Over all of a sample, with a scale and a shift for each channel; the scales begin uniform in [0, 1], as published."""
    norm = nn.GroupNorm(1, channels)
    nn.init.uniform_(norm.weight)
    return norm


def halving(channels_in: int, channels_out: int, *after: nn.Module) -> list[nn.Module]:
    """A 4x4 stride 2 convolution, and what comes behind it."""
    return [Reflect(1), nn.Conv2d(channels_in, channels_out, 4, 2), *after]


def doublings(width: int, channels: int) -> nn.Sequential:
    """Content maps `[N,4 x width,h,w]` -> pictures `[N,channels,4h,4w]` in [-1, 1]."""
    layers: list[nn.Module] = []
    for c in (4 * width, 2 * width):
        twice = nn.Upsample(scale_factor=2, mode="nearest")
        layers += [twice, Reflect(2), nn.Conv2d(c, c // 2, 5), layer_norm(c // 2), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, Reflect(3), nn.Conv2d(width, channels, 7), nn.Tanh())


class Residuals(nn.Sequential):
    """Some residual blocks at the innermost size, or none: what two domains may share."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__(*(Residual(content_channels(width)) for _ in range(blocks)))
        initialise_kaiming(self)


class ContentEncoder(nn.Module):
    """Pictures to content maps: c7s1-w, two halvings, residual blocks; instance norm and ReLU."""

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        layers = [Reflect(3), nn.Conv2d(channels, width, 7), instance_norm(width), nn.ReLU(inplace=True)]
        for c in (width, 2 * width):
            layers += halving(c, 2 * c, instance_norm(2 * c), nn.ReLU(inplace=True))
        self.layers = nn.Sequential(*layers, Residuals(width, blocks))
        initialise_kaiming(self)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit; it holds for the decoder too."""
        check_multiple(image, FACTOR, "the content encoder")

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,channels,H,W]` in [-1, 1] -> `[N,4 x width,H/4,W/4]`."""
        out: Tensor = self.layers(x)
        return out


class ContentDecoder(nn.Module):
    """Content maps to pictures in [-1, 1]: residual blocks, two doublings."""

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(Residuals(width, blocks), doublings(width, channels))
        initialise_kaiming(self)

    def forward(self, content: Tensor) -> Tensor:
        """`content: [N,4 x width,h,w]` -> `[N,channels,4h,4w]`."""
        out: Tensor = self.layers(content)
        return out
