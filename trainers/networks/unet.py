"""pix2pix's generators (Isola et al. 2017): the U-Net, and the encoder-decoder, which is the same without skips.

The innermost layer has no norm: at 1x1 pixels and one image a norm would erase the signal.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.networks.blocks import Norm, check_multiple, initialise, widths_for

MOST_LEVELS = 8
LEAST_LEVELS = 3  # fewer would leave the innermost layer blind to the rest of the image
DROPOUT_BLOCKS = 3  # the first decoder blocks, counted from the innermost


def levels_for(image: int, levels: int | None) -> int:
    """The number of halvings: as asked, or as many as come out even, at most 8 (256 pixels: down to one)."""
    if levels is not None:
        return levels
    even = (image & -image).bit_length() - 1
    return min(MOST_LEVELS, even)


def check(image: int, levels: int | None) -> None:
    """Raise SettingError where the image cannot be halved that often."""
    if levels is not None and image < 2**levels:
        problem = f"{levels} halvings need an image of at least {2**levels} pixels, not {image}"
        raise SettingError("hyper.levels", levels, f"{problem}; nearest: {image.bit_length() - 1}")
    check_multiple(image, 2 ** max(LEAST_LEVELS, levels_for(image, levels)), "the U-Net")


class Encoder(nn.ModuleList):
    """4x4 stride 2 convolutions: LeakyReLU 0.2 and norm, except no norm on the first and the innermost.

    `beside`: channels that join each block's input from the second on.
    """

    def __init__(self, widths: list[int], channels_in: int, norm: Norm, beside: int = 0) -> None:
        blocks: list[nn.Module] = [nn.Conv2d(channels_in, widths[0], 4, 2, 1)]
        for i in range(1, len(widths)):
            innermost = i == len(widths) - 1
            convolution = nn.Conv2d(widths[i - 1] + beside, widths[i], 4, 2, 1)
            after = [] if innermost else [norm(widths[i])]
            blocks.append(nn.Sequential(nn.LeakyReLU(0.2), convolution, *after))
        super().__init__(blocks)


def build_decoder(widths: list[int], channels_out: int, norm: Norm, dropout: float, skips: bool) -> nn.ModuleList:
    """Blocks from the innermost outwards: ReLU, 4x4 transposed convolution, norm, dropout on the first three; tanh last."""
    blocks: list[nn.Module] = []
    for i in reversed(range(len(widths))):
        channels_in = widths[i] if i == len(widths) - 1 or not skips else 2 * widths[i]
        if i == 0:
            blocks.append(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(channels_in, channels_out, 4, 2, 1), nn.Tanh()))
            continue
        layers = [nn.ReLU(), nn.ConvTranspose2d(channels_in, widths[i - 1], 4, 2, 1), norm(widths[i - 1])]
        if dropout > 0 and len(blocks) < DROPOUT_BLOCKS:
            layers.append(nn.Dropout(dropout))
        blocks.append(nn.Sequential(*layers))
    return nn.ModuleList(blocks)


def decode(decoder: nn.ModuleList, kept: list[Tensor]) -> Tensor:
    """The decoder's picture of what each encoder block left, outermost first; `kept` is used up."""
    x: Tensor = decoder[0](kept.pop())
    for block in list(decoder)[1:]:
        x = block(torch.cat([kept.pop(), x], 1))
    return x


class UNet(nn.Module):
    """Images in [-1, 1] to images in [-1, 1]; layer i is joined to layer n-i by concatenation."""

    def __init__(
        self, channels_in: int, channels_out: int, width: int, levels: int, norm: Norm, dropout: float
    ) -> None:
        super().__init__()
        widths = widths_for(width, levels)
        self.encoder = Encoder(widths, channels_in, norm)
        self.decoder = build_decoder(widths, channels_out, norm, dropout, skips=True)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,channels_in,H,W]` -> `[N,channels_out,H,W]`."""
        kept: list[Tensor] = []
        for block in self.encoder:
            x = block(x)
            kept.append(x)
        return decode(self.decoder, kept)


class EncoderDecoder(nn.Module):
    """The U-Net without skips: everything passes the bottleneck."""

    def __init__(
        self, channels_in: int, channels_out: int, width: int, levels: int, norm: Norm, dropout: float
    ) -> None:
        super().__init__()
        widths = widths_for(width, levels)
        self.encoder = Encoder(widths, channels_in, norm)
        self.decoder = build_decoder(widths, channels_out, norm, dropout, skips=False)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,channels_in,H,W]` -> `[N,channels_out,H,W]`."""
        for block in [*self.encoder, *self.decoder]:
            x = block(x)
        return x
