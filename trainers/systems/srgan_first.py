"""SRGAN's generator before the game: SRResNet, which learns by the mean squared error alone. See `srgan.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.hyper import Learning
from trainers.measures import saved
from trainers.networks.blocks import NORMS, Norm, no_norm
from trainers.networks.srresnet import SRResNet, resized
from trainers.settings import Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System
from trainers.translation import translate

FIRST = "first"
NORMS_HERE: Mapping[str, Norm] = {**NORMS, "none": no_norm}


@dataclass(frozen=True)
class SRGANFirstHyper(Learning):
    """The settings of the generator, before the game and in it."""

    factor: int = setting(4, "how much larger the side becomes", choices=(2, 4, 8), fixed=True)
    width: int = setting(64, "channels of the generator", minimum=1, maximum=4096)
    blocks: int = setting(16, "residual blocks of the generator", minimum=0, maximum=64)
    generator_norm: str = setting("instance", "normalisation of the generator's blocks", choices=tuple(NORMS_HERE))
    lr: float = changed(Learning, "lr", 1e-4)
    beta1: float = changed(Learning, "beta1", 0.9)
    decay_from: float = changed(Learning, "decay_from", 1.0)

    def build_generator(self, channels: int) -> SRResNet:
        """Small pictures `[N,C,h,w]` to large ones."""
        return SRResNet(channels, self.width, self.blocks, self.factor, NORMS_HERE[self.generator_norm])

    def small(self, b: Tensor) -> Tensor:
        """Pictures `[N,C,H,W]` at a `factor`-th of their side, bicubic, rounded to 8 bits as a saved one is."""
        return saved(resized(b, b.shape[-1] // self.factor))


FIRST_TERMS = (Term("mse_first", "λ_first", 1.0, "before the game: mean (b - G(a))^2", stage=FIRST),)


class SRGANFirst(System):
    """SRResNet: pictures made larger, by the mean squared error."""

    name = "srgan"
    title = "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network"
    citation = "Ledig, Theis, Huszar, Caballero et al., CVPR 2017, arXiv:1609.04802"
    reads = Reads(("b",), paired=False)
    terms = FIRST_TERMS
    shows = ("fake_b",)
    Hyper = SRGANFirstHyper
    stage = FIRST

    def __init__(self, hyper: SRGANFirstHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        self.hyper = hyper
        self.g = hyper.build_generator(shapes["b"][0])
        self.generator = Player("generator", (self.g,), hyper.build_optimizer(), hyper.rate(steps))
        self.players = (self.generator,)
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, nn.Module] = {}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> SRGANFirst:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        SRResNet.check(shapes["b"][1], hyper.factor)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """One batch, one move."""
        b = replica.draw("b")
        a = self.hyper.small(b)
        yield Move((self.weigh(mse_first=lambda: F.mse_loss(self.g.enlarged(a), b)), self.generator))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b`: the pictures of b, made small and large again."""
        return {"fake_b": translate(self.g, self.hyper.small(images["b"]))} if "b" in images else {}
