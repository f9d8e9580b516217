"""DCGAN's networks (Radford, Metz, Chintala, ICLR 2016), and the same beside a label (Mirza and Osindero 2014; Reed et al.,
ICML 2016).

A label enters as a matrix `[N,classes]` of 0 and 1, one 1 per row for classes, several for attributes, so that its embedding
is a linear map. Behind it the critic has no norm: the label's maps are constant, and an instance norm takes constants away.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainers.networks.blocks import Norm, check_power_of_two, halvings_to, initialise, widths_for

LEAST_IMAGE, MOST_IMAGE = 8, 256
BASE = 4  # side of the innermost map


def transposed(channels_in: int, channels_out: int) -> nn.Module:
    """Doubles the side as DCGAN does."""
    return nn.ConvTranspose2d(channels_in, channels_out, 4, 2, 1)


def pixel_shuffle(channels_in: int, channels_out: int) -> nn.Module:
    """Doubles the side: four maps become the four pixels of each (Shi et al. 2016)."""
    return nn.Sequential(nn.Conv2d(channels_in, 4 * channels_out, 3, 1, 1), nn.PixelShuffle(2))


def nearest(channels_in: int, channels_out: int) -> nn.Module:
    """Doubles the side by repetition, then convolves: no checkerboard (Odena et al. 2016)."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(channels_in, channels_out, 3, 1, 1))


def strided(channels_in: int, channels_out: int) -> nn.Module:
    """Halves the side as DCGAN does."""
    return nn.Conv2d(channels_in, channels_out, 4, 2, 1)


def average(channels_in: int, channels_out: int) -> nn.Module:
    """Convolves, then halves the side by means."""
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, 1, 1), nn.AvgPool2d(2))


Resample = Callable[[int, int], nn.Module]  # (channels in, channels out)
UPSAMPLES: dict[str, Resample] = {"deconv": transposed, "pixel_shuffle": pixel_shuffle, "nearest": nearest}
DOWNSAMPLES: dict[str, Resample] = {"strided": strided, "average": average}


Stage = list[nn.Module]  # a convolution and what comes behind it


def generator_stages(latent: int, channels: int, image: int, width: int, upsample: str, norm: Norm) -> list[Stage]:
    """`[N,latent,1,1]` -> `[N,channels,image,image]` in [-1, 1], stage by stage."""
    double = UPSAMPLES[upsample]
    c, *rest = reversed(widths_for(width, halvings_to(BASE, image)))
    stages: list[Stage] = [[nn.ConvTranspose2d(latent, c, BASE), norm(c), nn.ReLU()]]
    for out in rest:
        stages.append([double(c, out), norm(out), nn.ReLU()])
        c = out
    return [*stages, [double(c, channels), nn.Tanh()]]


def joined(stages: list[Stage]) -> nn.Sequential:
    """All layers of some stages, one after another."""
    return nn.Sequential(*(layer for stage in stages for layer in stage))


class DCGANGenerator(nn.Module):
    """Latent vectors to images in [-1, 1]: a 4x4 map, then doublings; norm and ReLU behind all but the last, tanh."""

    def __init__(self, latent: int, channels: int, image: int, width: int, upsample: str, norm: Norm) -> None:
        super().__init__()
        self.layers = joined(generator_stages(latent, channels, image, width, upsample, norm))
        initialise(self)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit; it holds for the critics too."""
        check_power_of_two(image, LEAST_IMAGE, MOST_IMAGE, "DCGAN")

    def forward(self, z: Tensor) -> Tensor:
        """`z: [N,latent]` -> `[N,channels,image,image]`."""
        out: Tensor = self.layers(z[:, :, None, None])
        return out


def halving_stages(channels: int, image: int, width: int, downsample: str, norm: Norm) -> list[Stage]:
    """`[N,channels,image,image]` -> `[N,C,4,4]`: halvings with LeakyReLU 0.2, norm on all but the first."""
    halve = DOWNSAMPLES[downsample]
    c, *rest = widths_for(width, halvings_to(BASE, image))
    stages: list[Stage] = [[halve(channels, c), nn.LeakyReLU(0.2)]]
    for out in rest:
        stages.append([halve(c, out), norm(out), nn.LeakyReLU(0.2)])
        c = out
    return stages


def last_of_critic(image: int, width: int, outputs: int = 1) -> nn.Module:
    """`[N,C,4,4]` -> logits `[N,outputs,1,1]`."""
    return nn.Conv2d(widths_for(width, halvings_to(BASE, image))[-1], outputs, BASE)


class DCGANCritic(nn.Module):
    """Images to one logit, HIGH = real, or to several: down to 4x4 pixels, then one convolution over all of them."""

    def __init__(self, channels: int, image: int, width: int, downsample: str, norm: Norm, outputs: int = 1) -> None:
        super().__init__()
        self.body = joined(halving_stages(channels, image, width, downsample, norm))
        self.last = last_of_critic(image, width, outputs)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,channels,image,image]` -> logits `[N,outputs,1,1]`."""
        out: Tensor = self.last(self.body(x))
        return out


def _embed(classes: int, embedding: int) -> nn.Linear:
    """Labels to vectors from N(0, I), as loud as z from the first step on."""
    embed = nn.Linear(classes, embedding, bias=False)
    nn.init.normal_(embed.weight)
    return embed


class LabelledGenerator(nn.Module):
    """DCGAN's generator on z and the embedding of a label."""

    def __init__(
        self,
        classes: int,
        embedding: int,
        latent: int,
        channels: int,
        image: int,
        width: int,
        upsample: str,
        norm: Norm,
    ) -> None:
        super().__init__()
        self.embed = _embed(classes, embedding)
        self.generator = DCGANGenerator(latent + embedding, channels, image, width, upsample, norm)

    @staticmethod
    def check(image: int) -> None:
        """Raise SettingError where an image of this side does not fit; it holds for the critics too."""
        DCGANGenerator.check(image)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """`z: [N,latent]`, `labels: [N,classes]`, float -> `[N,channels,image,image]` in [-1, 1]."""
        out: Tensor = self.generator(torch.cat([z, self.embed(labels)], 1))
        return out


class LabelledCritic(nn.Module):
    """DCGAN's critic; the embedding of the label joins the 4x4 map as constant maps, and one 1x1 convolution mixes them."""

    def __init__(
        self, classes: int, embedding: int, channels: int, image: int, width: int, downsample: str, norm: Norm
    ) -> None:
        super().__init__()
        c = widths_for(width, halvings_to(BASE, image))[-1]
        self.body = joined(halving_stages(channels, image, width, downsample, norm))
        self.last = nn.Sequential(nn.Conv2d(c + embedding, c, 1), nn.LeakyReLU(0.2), nn.Conv2d(c, 1, BASE))
        initialise(self)
        self.embed = _embed(classes, embedding)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """`x: [N,channels,image,image]`, `labels: [N,classes]`, float -> logits `[N,1,1,1]`."""
        maps = self.embed(labels)[:, :, None, None].expand(-1, -1, BASE, BASE)
        out: Tensor = self.last(torch.cat([self.body(x), maps], 1))
        return out
