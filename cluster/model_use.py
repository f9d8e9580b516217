"""A trained model at work: pictures, codes and labels in, pictures out, all of them numpy arrays.

What a network takes is found out by asking it: a copy without numbers is given shapes, which costs next to nothing. So no list says
which generator takes which sizes, and a system of the user's own is no exception.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cluster.model import Model, seed_by
from data_shards.texts import encoded
from trainers import randomness
from trainers.evaluation import to_pixels
from trainers.replica import texts, to_images
from trainers.settled import alone, settled
from trainers.system import System
from trainers.systems.own import is_own
from trainers.systems.stackgan import StackGAN
from trainers.systems.stargan import ATTRIBUTES, StarGAN
from trainers.ways import CODE, LABEL, PICTURE, between, ways_of

CPU = torch.device("cpu")
AT_ONCE = 32  # pictures from noise that are made at once: a bound of memory, which no picture depends on
Pixels = NDArray[np.uint8]
Numbers = NDArray[np.float32]


class _Shown(nn.Module):
    """What a system of the user's own shows: that is what its author sees, and all that it promises."""

    def __init__(self, system: System, source: str, target: str) -> None:
        super().__init__()
        self.system, self.source, self.target = system, source, target

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.system.show({self.source: x})[f"fake_{self.target}"]
        return made


def makes(model: Model) -> dict[str, str]:
    """The domains of whose pictures it can make some, the main one first -> the domain of what they are made of, "" for noise."""
    return {target: way.source for target, way in ways_of(model.system).items()}


class Maker:
    """A model's way to pictures of `target`, one of `makes`."""

    def __init__(self, model: Model, target: str) -> None:
        self.model, self.way = model, ways_of(model.system)[target]
        self.source, self.code, self.labels = self.way.source, self.way.code, self.way.labels
        self.network = self._network()

    def _network(self) -> nn.Module:
        own = is_own(str(self.model.card.get("run", {}).get("system", "")))
        if own and self.source:
            return _Shown(self.model.system, self.source, self.way.target)
        if self.source:
            return self.way.network
        randomness.seed_generators(CPU, "settle")
        return settled(self.way)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what it was trained to take, or from noise to make."""
        return {**self.model.shapes, **self.model.system.takes}[self.source or self.way.target]

    @cached_property
    def scale(self) -> int:
        """How many times the side of what it takes the side of what it makes is."""
        _, height, width = self.shape
        made = self._size(height, width)
        assert made is not None, "it takes what it was trained with"
        return made[0] // height

    @cached_property
    def drops(self) -> bool:
        """Whether dropout is drawn for each picture, as pix2pix does when it translates."""
        return any(isinstance(part, nn.Dropout) and part.p > 0 and part.training for part in self.network.modules())

    @property
    def one_by_one(self) -> bool:
        """Whether pictures have to go through one at a time, so that each has its own answer."""
        return self.drops or isinstance(self.network, _Shown)

    @cached_property
    def _together(self) -> nn.Module:
        return alone(self.network)

    @cached_property
    def _ghost(self) -> nn.Module:
        return copy.deepcopy(self.network).to("meta")

    def fits(self, height: int, width: int) -> bool:
        """Whether it makes a picture of `scale` times that size out of one of that size."""
        return self._size(height, width) == (self.scale * height, self.scale * width)

    def _size(self, height: int, width: int) -> tuple[int, int] | None:
        """Of what it makes of that size; None where it can make nothing of it."""
        given = {PICTURE: (self.shape[0], height, width), CODE: (self.code,), LABEL: (self.labels,)}
        try:
            with torch.no_grad():
                made = self._ghost(*(torch.empty(1, *given[name], device="meta") for name in self.way.inputs))
        except (RuntimeError, ValueError, NotImplementedError, AssertionError):  # what layers raise for such a size
            return None
        return int(made.shape[2]), int(made.shape[3])

    @cached_property
    def multiple(self) -> int | None:
        """Sides have to be multiples of this; None where it takes pictures of the training's size alone."""
        _, height, width = self.shape
        steps = [2**i for i in range(height.bit_length()) if 2**i <= height]
        return next(
            (m for m in steps if all(self.fits(*s) for s in ((height + m, width), (height, width + m)))),
            None,
        )

    def codes(self, seed: int, count: int) -> Numbers:
        """Codes number 0 to `count` - 1 of this seed: `[count,code]`. Each depends on the seed and its number alone."""
        assert self.way.draw is not None
        drawn = []
        for number in range(count):
            randomness.seed_generators(CPU, "code", seed, number)
            drawn.append(self.way.draw(1).numpy()[0])
        return np.stack(drawn)

    def between(self, first: Numbers, last: Numbers, count: int) -> Numbers:
        """`count` codes from one to another, both included: `[count,code]`."""
        found: Numbers = between(self.way, torch.from_numpy(first), torch.from_numpy(last), count).numpy()
        return found

    def translate(self, pixels: Pixels, code: Numbers | None = None, label: Numbers | None = None) -> Pixels:
        """uint8 `[N,H,W,C]` of the source -> uint8 `[N,H,W,C]`, each picture as if it were alone.

        code: for all of them, `[code]`; None: each has one drawn by what it shows. label: one for each, `[N,labels]`.
        """
        if self.one_by_one and len(pixels) > 1:
            told = [None] * len(pixels) if label is None else label.reshape(len(pixels), 1, -1)
            singly = [self.translate(one[None], code, mine) for one, mine in zip(pixels, told, strict=True)]
            return np.concatenate(singly)
        codes = []
        for one in pixels:
            seed_by(one)
            if self.way.draw is not None:
                codes.append(self.way.draw(1) if code is None else torch.from_numpy(code)[None])
        given = [torch.cat(codes)] if codes else []
        given += [] if label is None else [torch.from_numpy(label)]
        network = self.network if len(pixels) == 1 else self._together
        with torch.no_grad():
            return to_pixels(network(to_images(pixels, CPU, torch.contiguous_format), *given))

    def draw(self, codes: Numbers, label: Numbers | None = None) -> Pixels:
        """Pictures from noise: codes `[N,code]` -> uint8 `[N,H,W,C]`."""
        made = []
        with torch.no_grad():
            for some in torch.from_numpy(codes).split(AT_ONCE):
                labels = [] if label is None else [torch.from_numpy(label).expand(len(some), -1)]
                made.append(to_pixels(self.network(some, *labels)))
        return np.concatenate(made)


def read_label(model: Model, pixels: Pixels) -> Numbers:
    """The label that the critic of a StarGAN reads in a picture, `[H,W,C]`: `[labels]`, 0 or 1."""
    assert isinstance(model.system, StarGAN)
    with torch.no_grad():
        read: Numbers = model.system.read(to_images(pixels[None], CPU, torch.contiguous_format)).numpy()[0]
    return read


def has_attributes(model: Model) -> bool:
    """Whether its labels are attributes, of which a picture has any number."""
    return getattr(model.system.hyper, "labels", "") == ATTRIBUTES


def takes_texts(model: Model) -> bool:
    """Whether it makes pictures of texts."""
    return isinstance(model.system, StackGAN)


def draw_texts(model: Model, told: Sequence[str], seed: int, number: int) -> Pixels:
    """A picture of each text, uint8 `[N,H,W,C]`, for draw number `number` of this seed: made together, as in an evaluation."""
    words = torch.from_numpy(encoded(list(told)))
    pictures = torch.zeros(len(told), *model.shapes["b"])
    randomness.seed_generators(CPU, "code", seed, number)
    with torch.no_grad():
        return to_pixels(model.system.show({"b": pictures, texts("b"): words})["fake_b"])
