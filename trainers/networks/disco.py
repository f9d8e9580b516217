"""DiscoGAN's networks (Kim, Cha, Kim, Lee, Kim, ICML 2017): all convolutions 4x4 and without biases, the norms shift.

The published ones are for 64 pixels in [0, 1] and end in a sigmoid; images here are in [-1, 1], so the generator ends in tanh,
and other sides have more or fewer layers: down to 4x4 pixels always.
"""

from __future__ import annotations

from torch import Tensor, nn

from trainers.networks.blocks import Norm, check_power_of_two, halvings_to, initialise, widths_for

LEAST_IMAGE, MOST_IMAGE = 16, 256
BASE = 4  # side of the innermost map


def _halvings(channels: int, widths: list[int], norm: Norm) -> list[nn.Module]:
    """One block per halving: convolution, norm on all but the first, LeakyReLU 0.2."""
    blocks: list[nn.Module] = []
    for c, out in zip([channels, *widths], widths, strict=False):
        after = [norm(out)] if blocks else []
        blocks.append(nn.Sequential(nn.Conv2d(c, out, 4, 2, 1, bias=False), *after, nn.LeakyReLU(0.2)))
    return blocks


class DiscoGenerator(nn.Module):
    """Images in [-1, 1] to images in [-1, 1]: halvings down to 4x4 pixels and doublings back, without skips."""

    def __init__(self, channels_in: int, channels_out: int, image: int, width: int, norm: Norm) -> None:
        super().__init__()
        widths = widths_for(width, halvings_to(BASE, image))
        layers = _halvings(channels_in, widths, norm)
        c, *rest = reversed(widths)
        for out in rest:
            layers += [nn.ConvTranspose2d(c, out, 4, 2, 1, bias=False), norm(out), nn.ReLU()]
            c = out
        layers += [nn.ConvTranspose2d(c, channels_out, 4, 2, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialise(self)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit; it holds for the critic too."""
        check_power_of_two(image, LEAST_IMAGE, MOST_IMAGE, "DiscoGAN")

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,channels_in,image,image]` -> `[N,channels_out,image,image]`."""
        out: Tensor = self.layers(x)
        return out


class DiscoCritic(nn.Module):
    """Images to one logit, HIGH = real, and the features on the way that DiscoGAN matches."""

    def __init__(self, channels: int, image: int, width: int, norm: Norm) -> None:
        super().__init__()
        widths = widths_for(width, halvings_to(BASE, image))
        self.blocks = nn.ModuleList(_halvings(channels, widths, norm))
        self.last = nn.Conv2d(widths[-1], 1, BASE, bias=False)
        initialise(self)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit."""
        DiscoGenerator.check(image)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,channels,image,image]` -> logits `[N,1,1,1]`."""
        return self.features(x)[0]

    def features(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits `[N,1,1,1]` and the maps behind the second block and all later ones: `[N,C,h,w]`, 3 of them at 64 pixels."""
        maps: list[Tensor] = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return self.last(x), maps[1:]
