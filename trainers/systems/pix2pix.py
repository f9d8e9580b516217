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
from typing import Any, ClassVar

import torch
from torch import Tensor

from trainers.hyper import Adversary, Learning, penalised
from trainers.networks import critics, unet
from trainers.networks.blocks import NORMS
from trainers.networks.noise import normal
from trainers.settings import Preset, Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System

GENERATORS = {"unet": unet.UNet, "encdec": unet.EncoderDecoder}


@dataclass(frozen=True)
class Pix2PixHyper(Learning, Adversary):
    """pix2pix's settings with the published defaults."""

    generator: str = setting("unet", "the generator: with skips, or a plain encoder-decoder", choices=tuple(GENERATORS))
    width: int = setting(64, "channels of the generator's first layer", minimum=1, maximum=4096)
    levels: int | None = setting(
        None, "halvings in the generator; empty: as many as come out even, at most 8", minimum=3
    )
    dropout: float = setting(0.5, "dropout in the first three decoder blocks", minimum=0.0, maximum=0.99)
    noise: int = setting(
        0, "channels of noise beside the input, as BicycleGAN's baseline; 0: none", minimum=0, maximum=256
    )
    norm: str = setting("instance", "normalisation of both networks", choices=tuple(NORMS))
    critic: str = setting("patch70", "the critic, by its receptive field in pixels", choices=critics.CRITICS)
    critic_width: int = setting(64, "channels of the critic's first layer", minimum=1, maximum=4096)
    conditional: bool = setting(True, "the critic sees the input beside the picture (cGAN), or the picture alone (GAN)")
    gan: str = changed(Adversary, "gan", "vanilla")
    decay_from: float = changed(Learning, "decay_from", 1.0)


class Pix2Pix(System):
    """Paired translation: a conditional critic and an L1 loss."""

    name = "pix2pix"
    title = "Image-to-Image Translation with Conditional Adversarial Networks"
    citation = "Isola, Zhu, Zhou, Efros, CVPR 2017, arXiv:1611.07004"
    reads = Reads(("a", "b"), paired=True)
    terms = (
        Term("adv", "λ_GAN", 1.0, "G makes D call ab(a) real, given a", search=(0.1, 10)),
        Term("l1", "λ_L1 / λ", 100.0, "mean |ab(a) - b|", search=(10, 1000)),
        Term("d", "λ_D", 1.0, "0.5 x (D calls b real + D calls ab(a) fake)"),
        Term("gp", "λ_GP / λ_LP", 10.0, "penalty on D's gradient", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "l1": Preset("the ablation's L1 alone: no adversarial loss", weights={"adv": 0.0}),
        "gan": Preset("the ablation's GAN alone: D does not see the input", {"l1": 0.0}, {"conditional": False}),
        "cgan": Preset("the ablation's cGAN alone", weights={"l1": 0.0}),
        "l1-gan": Preset("the ablation's L1 + GAN: D does not see the input", hyper={"conditional": False}),
        "encoder-decoder": Preset("the ablation's generator without skips", hyper={"generator": "encdec"}),
        "pytorch": Preset("the authors' PyTorch code: 100 + 100 epochs", hyper={"norm": "batch", "decay_from": 0.5}),
        "noise": Preset(
            "BicycleGAN's baseline pix2pix + noise: 8 channels of it beside the input",
            hyper={"noise": 8, "gan": "lsgan"},
        ),
    }
    shows = ("fake_b",)
    Hyper = Pix2PixHyper

    def __init__(self, hyper: Pix2PixHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels_a, image, _ = shapes["a"]
        channels_b = shapes["b"][0]
        norm = NORMS[hyper.norm]
        self.hyper = hyper
        self.gan, self.controlled = hyper.criterion, hyper.controls("d")
        self.ab = GENERATORS[hyper.generator](
            channels_a + hyper.noise, channels_b, hyper.width, unet.levels_for(image, hyper.levels), norm, hyper.dropout
        )
        seen = channels_a + channels_b if hyper.conditional else channels_b
        self.d = critics.build_critic(hyper.critic, seen, image, hyper.critic_width, norm)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.ab,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> Pix2Pix:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def varies(cls, hyper: Any) -> bool:
        """With noise beside the input; dropout alone changes next to nothing."""
        return bool(hyper.noise)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes["a"][1]
        unet.check(image, hyper.levels)
        critics.check(hyper.critic, image)
        autoencoder = hyper.critic == critics.AUTOENCODER
        hyper.check_adversary(batch_norm=hyper.norm == "batch", autoencoder=autoencoder)

    def judge(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits of D for pictures b beside their inputs a."""
        logits: Tensor = self.d(torch.cat([a, b], 1) if self.hyper.conditional else b)
        return logits

    def make(self, a: Tensor) -> Tensor:
        """ab(a), with its noise where there is any: `[N,C,H,W]` of domain b."""
        if self.hyper.noise:
            noise = normal(len(a), self.hyper.noise).to(a.device)[:, :, None, None]
            a = torch.cat([a, noise.expand(-1, -1, *a.shape[2:])], 1)
        made: Tensor = self.ab(a)
        return made

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """D moves first; G then plays against the moved D with the same pictures."""
        a, b = replica.draw_pair()
        fake_b = self.make(a)
        penalty = {"gp": lambda: self.hyper.penalise(lambda image: self.judge(a, image), b, fake_b)}
        for _ in replica.turns(self.critic):
            judged = self.weigh(
                d=lambda: self.gan.critic(self.judge(a, b), self.judge(a, fake_b.detach()), scale=0.5),
                **(penalty if self.hyper.penalised else {}),
            )
            yield Move((judged, self.critic))
        made = self.weigh(
            adv=lambda: self.gan.generator(self.judge(a, fake_b)),
            l1=(fake_b - b).abs().mean(),
        )
        yield Move((made, self.generator))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b`, one image of a at a time, so that batch statistics are one image's."""
        if "a" not in images:
            return {}
        return {"fake_b": torch.cat([self.make(image) for image in images["a"].split(1)])}
