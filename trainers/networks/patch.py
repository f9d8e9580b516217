"""Patch critics: a map of logits, one per patch, HIGH = real. The name says the receptive field in pixels.

286 exceeds a 256 pixel image: the "ImageGAN" of pix2pix sees everything from every output.
"""

from __future__ import annotations

from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.networks.blocks import Norm, initialise

# critic -> convolutions of stride 2, by size; pix2pix studies all but patch34 and patch142
STRIDED_LAYERS = {"pixel": 0, "patch16": 1, "patch34": 2, "patch70": 3, "patch142": 4, "patch286": 5}


def check(critic: str, image: int) -> None:
    """Raise SettingError where nothing would be left of the image behind the strided layers."""
    least = 3 * 2 ** STRIDED_LAYERS[critic] if STRIDED_LAYERS[critic] else 1
    if image < least:
        fitting = [name for name, layers in STRIDED_LAYERS.items() if image >= 3 * 2**layers]
        raise SettingError(
            "hyper.critic",
            critic,
            f"{critic} needs an image of at least {least} pixels, not {image}; nearest: {fitting[-1]}",
        )


class PixelCritic(nn.Module):
    """Three 1x1 convolutions: judges each pixel alone."""

    def __init__(self, channels: int, width: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 1),
            norm(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 1),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> logits `[N,1,H,W]`."""
        out: Tensor = self.layers(x)
        return out


class PatchCritic(nn.Module):
    """4x4 convolutions, padding 1: `strided` of stride 2, then two of stride 1; norm on all but the first and the last."""

    def __init__(self, channels: int, width: int, strided: int, norm: Norm) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        c = width
        for i in range(1, strided + 1):
            out = width * min(2**i, 8)
            stride = 2 if i < strided else 1
            layers += [nn.Conv2d(c, out, 4, stride, 1), norm(out), nn.LeakyReLU(0.2)]
            c = out
        layers.append(nn.Conv2d(c, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> logits `[N,1,h,w]`, 30 x 30 for patch70 at 256 pixels."""
        out: Tensor = self.layers(x)
        return out


def build_critic(critic: str, channels: int, width: int, norm: Norm) -> nn.Module:
    """The critic of that name: one of STRIDED_LAYERS."""
    if critic == "pixel":
        return PixelCritic(channels, width, norm)
    return PatchCritic(channels, width, STRIDED_LAYERS[critic], norm)
