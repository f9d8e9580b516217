"""BicycleGAN's encoders (Zhu et al., NeurIPS 2017): what in an image the input does not tell, as a normal distribution.

The published ones stop at 8x8 pixels of a 256 or 128 pixel image and pool those; here every image is halved down to 8x8 pixels,
twice at least, and all that is left is averaged.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from trainers.networks.blocks import Norm, initialise_xavier

POOLED = 8  # side of the maps that are averaged
LEAST_HALVINGS = 2
MOST_WIDTH = 4  # times the width of the first layer


def halvings_for(image: int) -> int:
    """How often an image is halved: 5 times at 256 pixels, 4 at 128."""
    return max(LEAST_HALVINGS, (image // POOLED).bit_length() - 1)


class _Halving(nn.Module):
    """A residual block whose norms and LeakyReLUs come before the convolutions; averages halve the side in both arms."""

    def __init__(self, channels_in: int, channels_out: int, norm: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(
            norm(channels_in),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels_in, channels_in, 3, 1, 1),
            norm(channels_in),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels_in, channels_out, 3, 1, 1),
            nn.AvgPool2d(2),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels_in, channels_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> `[N,channels_out,H/2,W/2]`."""
        out: Tensor = self.body(x) + self.shortcut(x)
        return out


class ResnetEncoder(nn.Module):
    """A 4x4 stride 2 convolution, then residual blocks that halve: 4 of them are the published `resnet_256`."""

    def __init__(self, channels: int, latent: int, width: int, blocks: int, norm: Norm) -> None:
        super().__init__()
        widths = [width * min(i, MOST_WIDTH) for i in range(1, blocks + 2)]
        halvings = [_Halving(widths[i], widths[i + 1], norm) for i in range(blocks)]
        self.body = nn.Sequential(nn.Conv2d(channels, width, 4, 2, 1), *halvings, nn.LeakyReLU(0.2))
        self.mu = nn.Linear(widths[-1], latent)
        self.log_variance = nn.Linear(widths[-1], latent)
        initialise_xavier(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`x: [N,C,H,W]` -> mu and log sigma^2, `[N,latent]` each."""
        pooled = self.body(x).mean((2, 3))
        return self.mu(pooled), self.log_variance(pooled)


class ConvEncoder(nn.Module):
    """4x4 stride 2 convolutions, norm on all but the first, LeakyReLU 0.2: the published `conv_256` and `conv_128`."""

    def __init__(self, channels: int, latent: int, width: int, image: int, norm: Norm) -> None:
        super().__init__()
        c = width
        layers: list[nn.Module] = [nn.Conv2d(channels, c, 4, 2, 1), nn.LeakyReLU(0.2)]
        for i in range(1, halvings_for(image)):
            out = width * min(2**i, MOST_WIDTH)
            layers += [nn.Conv2d(c, out, 4, 2, 1), norm(out), nn.LeakyReLU(0.2)]
            c = out
        self.body = nn.Sequential(*layers)
        self.mu = nn.Linear(c, latent)
        self.log_variance = nn.Linear(c, latent)
        initialise_xavier(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`x: [N,C,H,W]` -> mu and log sigma^2, `[N,latent]` each."""
        pooled = self.body(x).mean((2, 3))
        return self.mu(pooled), self.log_variance(pooled)


def build_resnet(channels: int, latent: int, width: int, image: int, norm: Norm) -> nn.Module:
    """The residual encoder for images of this side; the first convolution is one of the halvings."""
    return ResnetEncoder(channels, latent, width, halvings_for(image) - 1, norm)


# name -> build(channels, latent, width, image, norm)
ENCODERS: dict[str, Callable[[int, int, int, int, Norm], nn.Module]] = {"resnet": build_resnet, "conv": ConvEncoder}
