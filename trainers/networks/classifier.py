"""Small networks that judge what others made: a classifier, a segmenter, a regressor, and their features. They are trained apart.

Their norm is one group norm over a whole sample: an instance norm would hide a map's mean from the pooling that follows. A
loss or a score may compare the maps of their three layers on the way in.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.networks.blocks import initialise_xavier
from trainers.outputs import ANGLES, LOGITS, PIXELS

LAYERS = 3  # that `maps` gives


def _block(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, stride, 1), nn.GroupNorm(1, channels_out), nn.ReLU())


def _body(channels: int, width: int) -> nn.Sequential:
    """Three halvings: `[N,channels,H,W]` -> `[N,4 x width,H/8,W/8]`."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, 2, 1), nn.ReLU(), _block(width, 2 * width, 2), _block(2 * width, 4 * width, 2)
    )


def _maps(body: nn.Sequential, x: Tensor) -> tuple[Tensor, ...]:
    """What the three blocks of a body make of `x: [N,C,H,W]`, `[N,C,H,W]` each."""
    found, blocks = [], [body[:2], body[2], body[3]]
    for block in blocks:
        x = block(x)
        found.append(x)
    return tuple(found)


class Classifier(nn.Module):
    """Three 3x3 stride 2 convolutions, the mean over the image, one linear layer. Images of any side from 8."""

    output: ClassVar[str] = LOGITS

    def __init__(self, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.body = _body(channels, width)
        self.last = nn.Linear(4 * width, classes)
        initialise_xavier(self, gain=1.0)

    def features(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> `[N,4 x width]`, what the last layer sees."""
        out: Tensor = self.body(x).mean((2, 3))
        return out

    def maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """`x: [N,C,H,W]` -> what its three blocks make of it, `[N,C,H,W]` each."""
        return _maps(self.body, x)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> logits `[N,classes]`."""
        out: Tensor = self.last(self.features(x))
        return out


class Regressor(nn.Module):
    """The classifier's convolutions; of their maps the mean and where in the image it lies; two linear layers. An angle, as a
    point of the plane in its direction. Images of any side from 8.

    A mean alone would not know where the top of a thing is, which is most of how far it is turned.
    """

    output: ClassVar[str] = ANGLES

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.body = _body(channels, width)
        self.hidden = nn.Sequential(nn.Linear(3 * 4 * width, 4 * width), nn.ReLU())
        self.last = nn.Linear(4 * width, 2)
        initialise_xavier(self, gain=1.0)

    def features(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> `[N,4 x width]`, what the last layer sees."""
        maps = self.body(x)
        down, across = (_places(side, maps) for side in maps.shape[2:])
        moments = [maps, maps * down[:, None], maps * across]
        out: Tensor = self.hidden(torch.cat([of.mean((2, 3)) for of in moments], 1))
        return out

    def maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """`x: [N,C,H,W]` -> what its three blocks make of it, `[N,C,H,W]` each."""
        return _maps(self.body, x)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> `[N,2]`: a cosine and a sine, times how sure it is."""
        out: Tensor = self.last(self.features(x))
        return out


class Segmenter(nn.Module):
    """A U of two halvings with skips: a class for each pixel. Images of any side from 4.

    torch's cross-entropy of maps is not deterministic on CUDA; that of the pixels in one row is.
    """

    output: ClassVar[str] = PIXELS

    def __init__(self, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.outer = nn.Sequential(nn.Conv2d(channels, width, 3, 1, 1), nn.ReLU())
        self.middle = _block(width, 2 * width, 2)
        self.inner = _block(2 * width, 4 * width, 2)
        self.middle_up = _block(4 * width + 2 * width, 2 * width, 1)
        self.outer_up = _block(2 * width + width, width, 1)
        self.last = nn.Conv2d(width, classes, 1)
        initialise_xavier(self, gain=1.0)

    def features(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> `[N,4 x width]`, the mean of the innermost maps."""
        out: Tensor = self.inner(self.middle(self.outer(x))).mean((2, 3))
        return out

    def maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """`x: [N,C,H,W]` -> what its three sizes see, `[N,C,H,W]` each."""
        outer = self.outer(x)
        middle = self.middle(outer)
        return outer, middle, self.inner(middle)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> logits `[N,classes,H,W]`."""
        outer = self.outer(x)
        middle = self.middle(outer)
        up = self.middle_up(_beside(self.inner(middle), middle))
        out: Tensor = self.last(self.outer_up(_beside(up, outer)))
        return out


def _beside(x: Tensor, skip: Tensor) -> Tensor:
    """x at the size of the skip by repetition, and the skip beside it."""
    return torch.cat([F.interpolate(x, size=skip.shape[2:], mode="nearest"), skip], 1)


def _places(side: int, like: Tensor) -> Tensor:
    """Where the pixels of a side lie, from -1 to 1: `[side]`."""
    return (2.0 * torch.arange(side, dtype=like.dtype, device=like.device) + 1.0) / side - 1.0
