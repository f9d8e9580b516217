"""BicycleGAN's generator (Zhu et al., NeurIPS 2017): a U-Net that is told a latent vector.

The vector is tiled to constant maps, and an instance norm takes constants away: behind one it speaks at the zero-padded
borders alone. The outermost and the innermost block have no norm, and hear it everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainers.networks import unet
from trainers.networks.blocks import Norm, initialise_xavier, widths_for

# Where z joins -> the number of encoder blocks, from the outermost, that are given it.
TOLD: dict[str, Callable[[int], int]] = {"all": lambda levels: levels, "input": lambda levels: 1}


def tiled(z: Tensor, like: Tensor) -> Tensor:
    """`z: [N,L]` -> constant maps `[N,L,H,W]` of the size of `like: [N,C,H,W]`."""
    return z[:, :, None, None].expand(-1, -1, *like.shape[2:])


class LatentUNet(nn.Module):
    """Images in [-1, 1] and vectors to images in [-1, 1]; `unet.levels_for` and `unet.check` hold for it too."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        latent: int,
        width: int,
        levels: int,
        norm: Norm,
        dropout: float,
        where: str,
    ) -> None:
        super().__init__()
        widths = widths_for(width, levels)
        self.told = TOLD[where](levels)
        self.encoder = unet.Encoder(widths, channels_in + latent, norm, beside=latent if self.told == levels else 0)
        self.decoder = unet.build_decoder(widths, channels_out, norm, dropout, skips=True)
        initialise_xavier(self)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """`x: [N,channels_in,H,W]`, `z: [N,latent]` -> `[N,channels_out,H,W]`."""
        kept: list[Tensor] = []
        for i, block in enumerate(self.encoder):
            x = block(torch.cat([x, tiled(z, x)], 1) if i < self.told else x)
            kept.append(x)
        return unet.decode(self.decoder, kept)
