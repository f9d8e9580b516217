"""CycleGAN's resnet generator in four pieces, of which two domains share the inner two (OST).

    own encoder | shared encoder, the code, shared decoder | own decoder

`unshared` of the two halvings, and as many doublings, are a domain's own; the residual blocks are shared, half of them on either
side of the code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.networks.blocks import Reflect, initialise, instance_norm
from trainers.networks.resnet import Residual

HALVINGS = 2


class Own(nn.Module):
    """A domain's own layers."""

    def __init__(self, channels: int, width: int, unshared: int) -> None:
        super().__init__()
        first = [Reflect(3), nn.Conv2d(channels, width, 7), instance_norm(width), nn.ReLU(inplace=True)]
        last = [Reflect(3), nn.Conv2d(width, channels, 7), nn.Tanh()]
        self.encoder = nn.Sequential(*first, *_down(width, range(unshared)))
        self.decoder = nn.Sequential(*_up(width, range(unshared, 0, -1)), *last)
        initialise(self)


class Shared(nn.Module):
    """The layers that both domains have."""

    def __init__(self, width: int, unshared: int, blocks: int) -> None:
        super().__init__()
        inner = width << HALVINGS
        before = [Residual(inner) for _ in range(blocks - blocks // 2)]
        behind = [Residual(inner) for _ in range(blocks // 2)]
        self.encoder = nn.Sequential(*_down(width, range(unshared, HALVINGS)), *before)
        self.decoder = nn.Sequential(*behind, *_up(width, range(HALVINGS, unshared, -1)))
        initialise(self)


class Path(nn.Module):
    """From pictures of one domain to pictures of another, or of the same: own layers, shared ones, own ones.

    `noise`: standard deviation of the code around its middle while training.
    """

    def __init__(self, source: Own, shared: Shared, target: Own, noise: float) -> None:
        super().__init__()
        self.source, self.shared, self.target, self.noise = source, shared, target, noise

    def code(self, x: Tensor) -> Tensor:
        """The middle of a code: `[N,C,H,W]` -> `[N,4 width,H/4,W/4]`."""
        middle: Tensor = self.shared.encoder(self.source.encoder(x))
        return middle

    def picture(self, code: Tensor, drawn: bool = True) -> Tensor:
        """A code's picture, `[N,C,H,W]` in [-1, 1]; drawn: with the noise."""
        if drawn and self.noise:
            code = code + self.noise * torch.randn(code.shape).to(code)
        made: Tensor = self.target.decoder(self.shared.decoder(code))
        return made

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> `[N,C,H,W]`, without noise."""
        return self.picture(self.code(x), drawn=False)


def _down(width: int, levels: range) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for level in levels:
        c = width << level
        layers += [nn.Conv2d(c, 2 * c, 3, stride=2, padding=1), instance_norm(2 * c), nn.ReLU(inplace=True)]
    return layers


def _up(width: int, levels: range) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for level in levels:
        c = width << level
        up = nn.ConvTranspose2d(c, c // 2, 3, stride=2, padding=1, output_padding=1)
        layers += [up, instance_norm(c // 2), nn.ReLU(inplace=True)]
    return layers
