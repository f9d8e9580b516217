"""Augmented CycleGAN's networks (Almahairi et al., ICML 2018): generators that halve the side once, one of which is told a vector,
the encoder of that vector, and a critic of vectors.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.networks.blocks import (
    Norm,
    Reflect,
    affine_instance_norm,
    check_power_of_two,
    halvings_to,
    initialise,
    initialise_kaiming,
    widths_for,
)
from trainers.networks.style import restyled

LEAST_IMAGE, MOST_IMAGE = 8, 512
BASE = 4  # side of the encoder's innermost map


class _Told(nn.Module):
    """A convolution behind which a vector tells each map its mean and deviation, both never negative, then ReLU."""

    def __init__(self, convolution: nn.Module, channels: int, latent: int) -> None:
        super().__init__()
        self.convolution = convolution
        self.shift, self.scale = nn.Linear(latent, channels), nn.Linear(latent, channels)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """`x: [N,C,H,W]`, `z: [N,latent]` -> `[N,channels,H',W']`."""
        return F.relu(restyled(self.convolution(x), F.relu(self.shift(z)), F.relu(self.scale(z))))


class _ToldResidual(nn.Module):
    """A residual block whose first norm is told a vector; ReLU behind the sum, as published."""

    def __init__(self, channels: int, latent: int) -> None:
        super().__init__()
        self.first = _Told(_padded(channels), channels, latent)
        self.second = nn.Sequential(_padded(channels), affine_instance_norm(channels))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """`x: [N,C,H,W]`, `z: [N,latent]` -> `[N,C,H,W]`."""
        return F.relu(x + self.second(self.first(x, z)))


class _Residual(nn.Module):
    """The same that is told nothing; without a norm behind the first convolution, as published."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_padded(channels), nn.ReLU(), _padded(channels), affine_instance_norm(channels))

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> the same shape."""
        return F.relu(x + self.body(x))


def _padded(channels: int) -> nn.Module:
    return nn.Sequential(Reflect(1), nn.Conv2d(channels, channels, 3))


def _ways(channels: int, w: int) -> tuple[list[tuple[nn.Module, int]], list[tuple[nn.Module, int]]]:
    """The convolutions before the residual blocks and behind them, but for the last one, each with its output channels."""
    there: list[tuple[nn.Module, int]] = [
        (nn.Sequential(Reflect(3), nn.Conv2d(channels, w, 7)), w),
        (nn.Conv2d(w, 2 * w, 3, 1, 1), 2 * w),
        (nn.Conv2d(2 * w, 4 * w, 3, 2, 1), 4 * w),
    ]
    back: list[tuple[nn.Module, int]] = [
        (nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, output_padding=1), 2 * w),
        (nn.Conv2d(2 * w, w, 3, 1, 1), w),
    ]
    return there, back


def _last(width: int, channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, channels, 7, 1, 3), nn.Tanh())


class PlainGenerator(nn.Sequential):
    """`[N,channels_in,H,W]` -> `[N,channels_out,H,W]` in [-1, 1]; even sides."""

    def __init__(self, channels_in: int, channels_out: int, width: int, blocks: int) -> None:
        there, back = (
            [layer for convolution, c in way for layer in (convolution, affine_instance_norm(c), nn.ReLU())]
            for way in _ways(channels_in, width)
        )
        residuals = [_Residual(4 * width) for _ in range(blocks)]
        super().__init__(*there, *residuals, *back, _last(width, channels_out))
        initialise(self)


class ToldGenerator(nn.Module):
    """Pictures and vectors to pictures in [-1, 1] of the same size; even sides."""

    def __init__(self, channels_in: int, channels_out: int, width: int, blocks: int, latent: int) -> None:
        super().__init__()
        there, back = ([_Told(*layer, latent) for layer in way] for way in _ways(channels_in, width))
        residuals = [_ToldResidual(4 * width, latent) for _ in range(blocks)]
        self.told = nn.ModuleList([*there, *residuals, *back])
        self.last = _last(width, channels_out)
        initialise(self)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """`x: [N,channels_in,H,W]`, `z: [N,latent]` -> `[N,channels_out,H,W]`."""
        for layer in self.told:
            x = layer(x, z)
        out: Tensor = self.last(x)
        return out


class PairEncoder(nn.Module):
    """Pairs of pictures to vectors: 3x3 stride 2 convolutions down to 4x4 pixels, norm on all but the first; then one 4x4."""

    def __init__(self, channels: int, image: int, width: int, latent: int, norm: Norm) -> None:
        super().__init__()
        c, *rest = widths_for(width, halvings_to(BASE, image))
        layers: list[nn.Module] = [nn.Conv2d(channels, c, 3, 2, 1), nn.ReLU()]
        for out in rest:
            layers += [nn.Conv2d(c, out, 3, 2, 1, bias=False), norm(out), nn.ReLU()]
            c = out
        # The published one has a norm here too, of a single pixel: it would need several samples.
        self.layers = nn.Sequential(*layers, nn.Conv2d(c, c, BASE), nn.ReLU(), nn.Flatten(), nn.Linear(c, latent))
        initialise(self)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit; it holds for the generators too."""
        check_power_of_two(image, LEAST_IMAGE, MOST_IMAGE, "the encoder")

    def forward(self, pair: Tensor) -> Tensor:
        """`pair: [N,channels,image,image]`, a picture of either domain over the other -> `[N,latent]`."""
        out: Tensor = self.layers(pair)
        return out


class VectorCritic(nn.Sequential):
    """`[N,latent]`, or maps of one pixel -> logits `[N,1]`, HIGH = drawn from the prior. Without the published batch norms: each
    vector is judged alone.
    """

    def __init__(self, latent: int, width: int) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        for c in (latent, width, width):
            layers += [nn.Linear(c, width), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Linear(width, 1))
        initialise_kaiming(self)
