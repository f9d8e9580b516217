"""pix2pixHD's networks (Wang et al., CVPR 2018): a generator from coarse to fine, and critics whose features can be seen.

The global generator works on the picture at a fraction of its size; each local enhancer doubles that, and adds what it sees in
the larger picture to what comes from below. Instance norm without scale and shift, weights from N(0, 0.02).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.networks.blocks import Norm, Reflect, check_multiple, initialise, instance_norm
from trainers.networks.resnet import Residual

LEAST = 2  # pixels that must be left innermost: one more to mirror, and more than one for a norm


def halved(x: Tensor) -> Tensor:
    """`[N,C,H,W]` -> half of the side, rounded up: means over 3x3 pixels."""
    return F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)


def _first(channels: int, width: int) -> list[nn.Module]:
    return [Reflect(3), nn.Conv2d(channels, width, 7), instance_norm(width), nn.ReLU(inplace=True)]


def _down(c: int) -> list[nn.Module]:
    return [nn.Conv2d(c, 2 * c, 3, 2, 1), instance_norm(2 * c), nn.ReLU(inplace=True)]


def _up(c: int) -> list[nn.Module]:
    up = nn.ConvTranspose2d(c, c // 2, 3, 2, 1, output_padding=1)
    return [up, instance_norm(c // 2), nn.ReLU(inplace=True)]


def _last(width: int, channels: int) -> nn.Sequential:
    return nn.Sequential(Reflect(3), nn.Conv2d(width, channels, 7), nn.Tanh())


class _Enhancer(nn.Module):
    """Maps from below, and the picture at twice their size, to maps of that size."""

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.down = nn.Sequential(*_first(channels, width), *_down(width))
        self.up = nn.Sequential(*(Residual(2 * width) for _ in range(blocks)), *_up(2 * width))

    def forward(self, x: Tensor, below: Tensor) -> Tensor:
        """`x: [N,C,H,W]`, `below: [N,2w,H/2,W/2]` -> `[N,w,H,W]`."""
        out: Tensor = self.up(self.down(x) + below)
        return out


class CoarseToFine(nn.Module):
    """Images to images in [-1, 1] of the same size, by way of `enhancers` halvings of the picture.

    `width` is that of the finest level. body: the global generator without its last layer; enhancers: the rest, with the last
    layer of all. head: the global generator's own last layer, where it is trained alone; with no enhancers it is the last one.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        width: int,
        halvings: int,
        blocks: int,
        enhancers: int,
        local_blocks: int,
        coarse: bool,
    ) -> None:
        super().__init__()
        w = width * 2**enhancers
        layers = _first(channels_in, w)
        for i in range(halvings):
            layers += _down(w * 2**i)
        layers += [Residual(w * 2**halvings) for _ in range(blocks)]
        for i in reversed(range(halvings)):
            layers += _up(w * 2 ** (i + 1))
        self.body = nn.Sequential(*layers)
        self.head = _last(w, channels_out) if coarse or not enhancers else None
        self.enhancers = nn.ModuleList(
            _Enhancer(channels_in, width * 2**i, local_blocks) for i in reversed(range(enhancers))
        )
        self.last = _last(width, channels_out) if enhancers else None
        initialise(self)

    @staticmethod
    def check(image: int, halvings: int, enhancers: int) -> None:
        """Raise SettingError where an image of this side does not fit."""
        factor = 2 ** (halvings + enhancers)
        levels = f"a generator of {halvings} halvings and {enhancers} enhancers"
        if image < LEAST * factor:
            problem = f"{levels} needs an image of at least {LEAST * factor} pixels, not {image}"
            fitting = image.bit_length() - LEAST - enhancers
            near = f"{fitting}" if fitting > 0 else f"data.image {LEAST * factor}"
            raise SettingError("hyper.halvings", halvings, f"{problem}; nearest: {near}")
        check_multiple(image, factor, levels)

    @property
    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """What may learn by itself: the global generator, the enhancers with the last layer, the global generator's own."""
        if self.last is None:
            return {"generator": (self,)}
        alone = {"head": (self.head,)} if self.head is not None else {}
        return {"generator": (self.body,), "enhancer": (self.enhancers, self.last), **alone}

    def smallest(self, x: Tensor) -> Tensor:
        """A picture at the size of the global generator."""
        for _ in self.enhancers:
            x = halved(x)
        return x

    def coarse(self, x: Tensor) -> Tensor:
        """The global generator alone: `[N,channels_in,h,w]`, made by `smallest` -> `[N,channels_out,h,w]`."""
        assert self.head is not None, "the global generator has a last layer of its own where it is trained alone"
        out: Tensor = self.head(self.body(x))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,channels_in,H,W]` -> `[N,channels_out,H,W]`."""
        if self.last is None:
            return self.coarse(x)
        sizes = [x]
        for _ in self.enhancers:
            sizes.append(halved(sizes[-1]))
        made = self.body(sizes.pop())
        for enhancer in self.enhancers:
            made = enhancer(sizes.pop(), made)
        out: Tensor = self.last(made)
        return out


class FeatureCritic(nn.Module):
    """Patch critics of one width for each size of the picture: 4x4 convolutions padded by 2, so that nothing is too small.

    Each has `strided` layers of stride 2 and two of stride 1, norm on all but the first and the last.
    """

    def __init__(self, channels: int, width: int, scales: int, strided: int, norm: Norm) -> None:
        super().__init__()
        self.critics = nn.ModuleList(_layers(channels, width, strided, norm) for _ in range(scales))
        initialise(self)

    @staticmethod
    def check(image: int, scales: int) -> None:
        """Raise SettingError where the smallest picture is too small for a norm."""
        if -(-image // 2 ** (scales - 1)) < LEAST:
            problem = f"of {image} pixels {scales - 1} halvings leave one; nearest: {max(1, image.bit_length() - 1)}"
            raise SettingError("hyper.scales", scales, problem)

    def features(self, x: Tensor) -> list[list[Tensor]]:
        """`x: [N,C,H,W]` -> for each size, the full one first, what each layer makes; the last are the logits."""
        found = []
        for i, layers in enumerate(self.critics):
            if i > 0:
                x = halved(x)
            maps = [x]
            assert isinstance(layers, nn.ModuleList)
            for layer in layers:
                maps.append(layer(maps[-1]))
            found.append(maps[1:])
        return found

    def forward(self, x: Tensor) -> list[Tensor]:
        """`x: [N,C,H,W]` -> logits `[N,1,h,w]` of each size, the full one first. HIGH = real."""
        return [maps[-1] for maps in self.features(x)]


def _layers(channels: int, width: int, strided: int, norm: Norm) -> nn.ModuleList:
    layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(channels, width, 4, 2, 2), nn.LeakyReLU(0.2))]
    c = width
    for i in range(1, strided + 1):
        out = width * min(2**i, 8)
        layers.append(nn.Sequential(nn.Conv2d(c, out, 4, 2 if i < strided else 1, 2), norm(out), nn.LeakyReLU(0.2)))
        c = out
    return nn.ModuleList([*layers, nn.Conv2d(c, 1, 4, 1, 2)])
