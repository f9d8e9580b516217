"""BEGAN's critic (Berthelot, Schumm, Metz 2017): an autoencoder that reconstructs real images and fails on generated ones.

Its logits are minus the reconstruction errors, so HIGH = real here too, but they never exceed 0: only a criterion that
compares errors makes sense of them.
"""

from __future__ import annotations

from torch import Tensor, nn

from trainers.networks.blocks import check_power_of_two, initialise_xavier

LEAST_IMAGE, MOST_IMAGE = 8, 512
BASE = 8  # side of the innermost map


def _convolution(channels_in: int, channels_out: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels_in, channels_out, 3, stride, 1), nn.ELU()]


def _encoder(channels: int, width: int, levels: int) -> list[nn.Module]:
    """Two convolutions per level; the channels grow by `width` with each halving."""
    layers = _convolution(channels, width)
    c = width
    for level in range(1, levels + 1):
        layers += [*_convolution(c, level * width), *_convolution(level * width, level * width)]
        c = level * width
        if level < levels:
            layers += _convolution(c, c, stride=2)
    return layers


def _decoder(channels: int, width: int, levels: int) -> list[nn.Module]:
    """Two convolutions per level, `width` channels throughout, doubled by repetition."""
    layers: list[nn.Module] = []
    for level in range(levels):
        if level > 0:
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
        layers += [*_convolution(width, width), *_convolution(width, width)]
    return [*layers, nn.Conv2d(width, channels, 3, 1, 1)]


class AutoencoderCritic(nn.Module):
    """3x3 convolutions and ELU down to 8x8 pixels, `hidden` numbers through linear layers, and back. No norms."""

    def __init__(self, channels: int, image: int, width: int, hidden: int) -> None:
        super().__init__()
        levels = (image // BASE).bit_length()
        inner = BASE * BASE
        self.encoder = nn.Sequential(
            *_encoder(channels, width, levels), nn.Flatten(), nn.Linear(levels * width * inner, hidden)
        )
        self.decoder = nn.Sequential(
            nn.Linear(hidden, width * inner), nn.Unflatten(1, (width, BASE, BASE)), *_decoder(channels, width, levels)
        )
        initialise_xavier(self, gain=1.0)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit."""
        check_power_of_two(image, LEAST_IMAGE, MOST_IMAGE, "the autoencoder")

    def reconstruct(self, x: Tensor) -> Tensor:
        """`x: [N,C,image,image]` -> its reconstruction, of the same shape and not bounded."""
        out: Tensor = self.decoder(self.encoder(x))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,C,image,image]` -> `[N,1,image,image]`: minus the absolute error of each pixel, averaged over channels."""
        return -(self.reconstruct(x) - x).abs().mean(1, keepdim=True)
