"""pix2pix: Isola, Zhu, Zhou, Efros, "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017.

    G* = arg min_G max_D  L_cGAN(G, D) + lambda L_L1(G)                                       (paper, eq. 4)

| paper | here | |
| --- | --- | --- |
| x, y | a, b | input picture and its truth |
| G(x) | fake_b = ab(a) | noise enters as dropout alone |
| D(x, y) | d | judges (input, picture) where `conditional`, else the picture |
| lambda | weights.l1 | 100 |

The published ablation is reached by weights: L1 alone `adv: 0`, GAN or cGAN alone `l1: 0`, with `hyper.conditional`.
Its batch norm at batch size 1 is instance norm with scale and shift, the default here; `hyper.norm: batch` normalises over
a replica's samples. Translation uses one image's statistics and seeded dropout, as the authors' test mode does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainers.adversarial import CRITERIA
from trainers.networks import patch, unet
from trainers.networks.blocks import Norm, affine_instance_norm, batch_norm
from trainers.schedule import constant_then_linear
from trainers.settings import Reads, Term, setting
from trainers.system import Adam, Move, Player, Replica, Shapes, System

GENERATORS = {"unet": unet.UNet, "encdec": unet.EncoderDecoder}
NORMS: dict[str, Norm] = {"instance": affine_instance_norm, "batch": batch_norm}


@dataclass(frozen=True)
class Pix2PixHyper:
    """pix2pix's settings with the published defaults."""

    generator: str = setting("unet", "the generator: with skips, or a plain encoder-decoder", choices=tuple(GENERATORS))
    width: int = setting(64, "channels of the generator's first layer", minimum=1, maximum=4096)
    levels: int | None = setting(
        None, "halvings in the generator; empty: as many as come out even, at most 8", minimum=3
    )
    dropout: float = setting(0.5, "dropout in the first three decoder blocks", minimum=0.0, maximum=0.99)
    norm: str = setting("instance", "normalisation of both networks", choices=tuple(NORMS))
    critic: str = setting(
        "patch70", "the critic, by its receptive field in pixels", choices=tuple(patch.STRIDED_LAYERS)
    )
    critic_width: int = setting(64, "channels of the critic's first layer", minimum=1, maximum=4096)
    conditional: bool = setting(True, "the critic sees the input beside the picture (cGAN), or the picture alone (GAN)")
    gan: str = setting("vanilla", "adversarial criterion", choices=tuple(CRITERIA))
    lr: float = setting(2e-4, "learning rate of Adam", minimum=0.0)
    beta1: float = setting(0.5, "decay of Adam's first moment", minimum=0.0, maximum=1.0)
    beta2: float = setting(0.999, "decay of Adam's second moment", minimum=0.0, maximum=1.0)
    decay_from: float = setting(
        1.0, "share of the run after which the rate falls linearly to 0; 1: constant", minimum=0.0, maximum=1.0
    )
    ema: float = setting(
        0.0, "decay of the generator's moving average, which is then evaluated; 0: off", minimum=0.0, maximum=1.0
    )


class Pix2Pix(System):
    """Paired translation: a conditional critic and an L1 loss."""

    name = "pix2pix"
    title = "Image-to-Image Translation with Conditional Adversarial Networks"
    citation = "Isola, Zhu, Zhou, Efros, CVPR 2017, arXiv:1611.07004"
    reads = Reads(("a", "b"), paired=True)
    terms = (
        Term("adv", "λ_GAN", 1.0, "G makes D call ab(a) real, given a"),
        Term("l1", "λ_L1 / λ", 100.0, "mean |ab(a) - b|"),
        Term("d", "λ_D", 1.0, "0.5 x (D calls b real + D calls ab(a) fake)"),
    )
    shows = ("fake_b",)
    Hyper = Pix2PixHyper

    def __init__(self, hyper: Pix2PixHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels_a, image, _ = shapes["a"]
        channels_b = shapes["b"][0]
        norm = NORMS[hyper.norm]
        self.hyper = hyper
        self.gan = CRITERIA[hyper.gan]
        self.ab = GENERATORS[hyper.generator](
            channels_a, channels_b, hyper.width, unet.levels_for(image, hyper.levels), norm, hyper.dropout
        )
        seen = channels_a + channels_b if hyper.conditional else channels_b
        self.d = patch.build_critic(hyper.critic, seen, hyper.critic_width, norm)
        adam = Adam(hyper.lr, hyper.beta1, hyper.beta2)
        rate = constant_then_linear(steps, hyper.decay_from)
        self.generator = Player("generator", (self.ab,), adam, rate)
        self.critic = Player("critic", (self.d,), adam, rate, critic=True)
        self.players = (self.generator, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> Pix2Pix:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes["a"][1]
        unet.check(image, hyper.levels)
        patch.check(hyper.critic, image)

    def judge(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits of D for pictures b beside their inputs a."""
        logits: Tensor = self.d(torch.cat([a, b], 1) if self.hyper.conditional else b)
        return logits

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """D moves first; G then plays against the moved D with the same pictures."""
        a, b = replica.draw_pair()
        fake_b = self.ab(a)
        for _ in replica.turns(self.critic):
            judged = self.weigh(d=lambda: self.gan.critic(self.judge(a, b), self.judge(a, fake_b.detach()), scale=0.5))
            yield Move((judged, self.critic))
        made = self.weigh(
            adv=lambda: self.gan.real(self.judge(a, fake_b)),
            l1=(fake_b - b).abs().mean(),
        )
        yield Move((made, self.generator))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b`, one image at a time, so that batch statistics are one image's."""
        return {"fake_b": torch.cat([self.ab(image) for image in images["a"].split(1)])}
