"""StarGAN's networks (Choi et al., CVPR 2018): a generator that is told a label, and a critic that also reads it.

The label joins the input as constant planes. Padding is by zeros, and has to be: to an instance norm a constant map is nothing,
so that behind reflection padding no trace of the label would be left. Zeros at the border are what tells it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.networks.blocks import affine_instance_norm, check_multiple

FACTOR = 4  # two halvings on the way in, two doublings on the way out
MOST_HALVINGS = 6  # the published critic's


class _Residual(nn.Module):
    """x + two 3x3 convolutions, padded by zeros; instance norm with scale and shift."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            affine_instance_norm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            affine_instance_norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> the same shape."""
        out: Tensor = x + self.body(x)
        return out


class StarGenerator(nn.Module):
    """Images in [-1, 1] and labels to images in [-1, 1] of the same size; the side must be a multiple of 4.

    The initial weights are torch's own, as in the published code.
    """

    def __init__(self, channels: int, labels: int, width: int, blocks: int) -> None:
        super().__init__()
        w = width
        layers: list[nn.Module] = [nn.Conv2d(channels + labels, w, 7, 1, 3, bias=False)]
        layers += [affine_instance_norm(w), nn.ReLU(inplace=True)]
        for c in (w, 2 * w):
            layers += [nn.Conv2d(c, 2 * c, 4, 2, 1, bias=False), affine_instance_norm(2 * c), nn.ReLU(inplace=True)]
        layers += [_Residual(4 * w) for _ in range(blocks)]
        for c in (4 * w, 2 * w):
            up = nn.ConvTranspose2d(c, c // 2, 4, 2, 1, bias=False)
            layers += [up, affine_instance_norm(c // 2), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(w, channels, 7, 1, 3, bias=False), nn.Tanh())

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit."""
        check_multiple(image, FACTOR, "StarGAN's generator")

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """`x: [N,C,H,W]`, `labels: [N,labels]`, float -> `[N,C,H,W]`."""
        planes = labels[:, :, None, None].expand(-1, -1, *x.shape[2:])
        out: Tensor = self.layers(torch.cat([x, planes], 1))
        return out


class StarCritic(nn.Module):
    """4x4 convolutions of stride 2, LeakyReLU 0.01, no norm; then two heads: real or not for each patch, and the label."""

    def __init__(self, channels: int, image: int, labels: int, width: int, halvings: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        c, out = channels, width
        for _ in range(halvings):
            layers += [nn.Conv2d(c, out, 4, 2, 1), nn.LeakyReLU(0.01)]
            c, out = out, 2 * out
        self.body = nn.Sequential(*layers)
        self.source = nn.Conv2d(c, 1, 3, 1, 1, bias=False)
        self.label = nn.Conv2d(c, labels, image // 2**halvings, bias=False)

    @staticmethod
    def check(image: int, halvings: int | None) -> None:
        """Raise SettingError where nothing would be left of an image of this side."""
        if halvings is not None and image < 2**halvings:
            problem = f"of {image} pixels {halvings} halvings leave nothing; nearest: {halvings_for(image, None)}"
            raise SettingError("hyper.halvings", halvings, problem)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`x: [N,C,H,W]` -> logits of the patches `[N,1,h,w]`, HIGH = real, and of the labels `[N,labels]`."""
        seen = self.body(x)
        return self.source(seen), self.label(seen).flatten(1)


def halvings_for(image: int, wanted: int | None) -> int:
    """As many as wanted; else until 2 or 3 pixels are left, and at most MOST_HALVINGS, at least one."""
    return wanted if wanted is not None else max(1, min(MOST_HALVINGS, image.bit_length() - 2))
