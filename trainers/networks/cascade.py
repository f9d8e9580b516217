"""The cascaded refinement network (Chen, Koltun, ICCV 2017): from 4 x 4 pixels up, a module for each doubling.

Each module sees the input at its own size beside what comes from below. Two 3x3 convolutions, each with a layer norm and
LeakyReLU 0.2; a 1x1 convolution at the end, with nothing behind it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.networks.blocks import check_power_of_two, initialise_xavier

BASE = 4  # side of the coarsest module
LEAST_IMAGE, MOST_IMAGE = 8, 1024
# Up to so many pixels a module has this share of the channels of the coarsest.
SHARES = {64: 1, 256: 2, 512: 8, MOST_IMAGE: 32}


def width_at(width: int, side: int) -> int:
    """The channels of the module of this side: published, 1024 up to 64 pixels, 512 to 256, then 128 and 32."""
    return max(1, width // next(share for most, share in SHARES.items() if side <= most))


def sides_to(image: int) -> list[int]:
    """The sides of the modules of an image of this side, the coarsest first."""
    return [BASE << i for i in range((image // BASE).bit_length())]


def _module(channels_in: int, channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for c in (channels_in, channels):
        layers += [nn.Conv2d(c, channels, 3, 1, 1), nn.GroupNorm(1, channels), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers)


class Cascade(nn.Module):
    """Inputs to `images` pictures of each; the side is a power of two."""

    def __init__(self, channels_in: int, channels_out: int, image: int, width: int, images: int = 1) -> None:
        super().__init__()
        below, modules = 0, []
        for side in sides_to(image):
            modules.append(_module(channels_in + below, width_at(width, side)))
            below = width_at(width, side)
        self.stages = nn.ModuleList(modules)
        self.last = nn.Conv2d(below, images * channels_out, 1)
        self.images = images
        initialise_xavier(self, gain=1.0)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit."""
        check_power_of_two(image, LEAST_IMAGE, MOST_IMAGE, f"a cascade from {BASE} pixels on")

    def pictures(self, x: Tensor) -> Tensor:
        """`x: [N,channels_in,image,image]` -> `[N,images,channels_out,image,image]`, not bounded: as it learns."""
        sizes = [x]
        for _ in self.stages[1:]:
            sizes.append(F.avg_pool2d(sizes[-1], 2))
        made = self.stages[0](sizes.pop())
        for module in self.stages[1:]:
            doubled = F.interpolate(made, scale_factor=2, mode="bilinear", align_corners=False)
            made = module(torch.cat([doubled, sizes.pop()], 1))
        out: Tensor = self.last(made)
        split: Tensor = out.unflatten(1, (self.images, -1))
        return split

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """`x: [N,channels_in,image,image]` -> `[N,channels_out,image,image]` in [-1, 1].

        code: `[N,images]`, whose largest number says which of several pictures; the first where there is none.
        """
        made = self.pictures(x).clamp(-1.0, 1.0)
        if code is None:
            return made[:, 0]
        return made[torch.arange(len(made), device=made.device), code.argmax(1).to(made.device)]
