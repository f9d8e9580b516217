"""The resnet generator of CycleGAN (after Johnson et al. 2016): c7s1-w, d2w, d4w, R4w x blocks, u2w, uw, c7s1-out."""

from __future__ import annotations

from torch import Tensor, nn

from trainers.networks.blocks import Reflect, check_multiple, initialise, instance_norm

FACTOR = 4  # two halvings on the way in, two doublings on the way out


class Residual(nn.Module):
    """x + two 3x3 convolutions, reflection-padded; instance norm, no dropout."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Reflect(1),
            nn.Conv2d(channels, channels, 3),
            instance_norm(channels),
            nn.ReLU(inplace=True),
            Reflect(1),
            nn.Conv2d(channels, channels, 3),
            instance_norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> the same shape."""
        out: Tensor = x + self.body(x)
        return out


class ResnetGenerator(nn.Module):
    """Images in [-1, 1] to images in [-1, 1] of the same size; the side must be a multiple of 4."""

    def __init__(self, channels_in: int, channels_out: int, width: int, blocks: int) -> None:
        super().__init__()
        w = width
        layers: list[nn.Module] = [Reflect(3), nn.Conv2d(channels_in, w, 7), instance_norm(w), nn.ReLU(inplace=True)]
        for c in (w, 2 * w):
            layers += [nn.Conv2d(c, 2 * c, 3, stride=2, padding=1), instance_norm(2 * c), nn.ReLU(inplace=True)]
        layers += [Residual(4 * w) for _ in range(blocks)]
        for c in (4 * w, 2 * w):
            up = nn.ConvTranspose2d(c, c // 2, 3, stride=2, padding=1, output_padding=1)
            layers += [up, instance_norm(c // 2), nn.ReLU(inplace=True)]
        layers += [Reflect(3), nn.Conv2d(w, channels_out, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialise(self)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit."""
        check_multiple(image, FACTOR, "the resnet generator")

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,channels_in,H,W]` -> `[N,channels_out,H,W]`."""
        out: Tensor = self.layers(x)
        return out
