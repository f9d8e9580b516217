"""Augmented CycleGAN: Almahairi, Rajeswar, Sordoni, Bachman, Courville, "Augmented CycleGAN: Learning Many-to-Many Mappings from
Unpaired Data", ICML 2018.

    min_G,E max_D  L_GAN^A(G_BA, D_A) + L_GAN^B(G_AB, D_B) + L_GAN^Zb(E_B, G_BA, D_Zb)
                   + lambda_A L_CYC^A(G_AB, G_BA) + lambda_B L_CYC^B(G_AB, G_BA, E_B) + lambda_z L_CYC^Zb(G_AB, E_B)
    L_CYC^B = E |G_AB(G_BA(b), E_B(G_BA(b), b)) - b|,   L_CYC^Zb = E |E_B(a, G_AB(a, z)) - z|

| paper | here | |
| --- | --- | --- |
| G_AB(a, z_b) | ab(a, z) | z from N(0, I) |
| G_BA(b) | ba(b) | |
| E_B(a, b) | e of a over b | the z that makes b of a |
| D_A, D_B, D_Zb | d_a, d_b, d_z | d_z judges vectors: HIGH = drawn, low = encoded |
| lambda_A, lambda_B | weights.cyc | 1 |
| lambda_z | weights.cyc_z | 0.025 |

The paper has a z_a too, for data that differ in both directions. The published code, and this file, have one for b alone: a is
the domain that says less, such as drawings. The critics move first, and the generators play the moved critics with the very
pictures that those were shown. Each critic's loss is 0.5 x (real + fake). Critics learn at a fifth of the generators' rate
throughout (`balance.lr_ratio`); in the published code they jump to the whole of it at the first decay.

Left out: the code's clip of a gradient's norm at 500; its training on a few pairs beside (`supervised`); its encoder of a mean and
a variance, which is off there too. Its d_a is narrower than its d_b and sees a whole drawing; here both are `hyper.critic`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from trainers.adversarial import CRITERIA
from trainers.hyper import Adversary, Learning, penalised
from trainers.networks import critics
from trainers.networks.augmented import PairEncoder, PlainGenerator, ToldGenerator, VectorCritic
from trainers.networks.blocks import NORMS, affine_instance_norm
from trainers.networks.noise import normal
from trainers.networks.patch import STRIDED_LAYERS
from trainers.settings import Balance, Reads, Term, setting
from trainers.system import Move, Player, Replica, Shapes, System
from trainers.translation import translate


@dataclass(frozen=True)
class AugmentedCycleGANHyper(Learning, Adversary):
    """Augmented CycleGAN's settings with the published defaults. The published batch is 32."""

    latent: int = setting(16, "length of z", minimum=1, maximum=4096)
    width: int = setting(32, "channels of the generators' first layer", minimum=1, maximum=4096)
    blocks: int = setting(3, "residual blocks of a generator", minimum=1, maximum=64)
    encoder_width: int = setting(32, "channels of the encoder's first layer", minimum=1, maximum=4096)
    norm: str = setting("batch", "normalisation of the encoder", choices=tuple(NORMS))
    critic: str = setting("patch34", "the critics, by their receptive field in pixels", choices=tuple(STRIDED_LAYERS))
    critic_width: int = setting(64, "channels of the critics' first layer", minimum=1, maximum=4096)
    gan: str = setting(
        "lsgan", "adversarial criterion", choices=tuple(name for name, kind in CRITERIA.items() if not kind.controls)
    )


class AugmentedCycleGAN(System):
    """Unpaired translation to many outputs: CycleGAN with a vector for what a picture of b shows and one of a does not."""

    name = "augmented-cyclegan"
    title = "Augmented CycleGAN: Learning Many-to-Many Mappings from Unpaired Data"
    citation = "Almahairi, Rajeswar, Sordoni, Bachman, Courville, ICML 2018, arXiv:1802.10151"
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv_ab", "λ_adv", 1.0, "ab makes d_b call ab(a, z) real", group="adv", search=(0.3, 3)),
        Term("adv_ba", "λ_adv", 1.0, "ba makes d_a call ba(b) real", group="adv", search=(0.3, 3)),
        Term("adv_z", "λ_adv_z", 1.0, "e makes d_z call e(ba(b), b) drawn", search=(0.1, 10)),
        Term("cyc_a", "λ_A / λ_cyc", 1.0, "mean |ba(ab(a, z)) - a|", group="cyc", search=(0.1, 10)),
        Term("cyc_b", "λ_B / λ_cyc", 1.0, "mean |ab(ba(b), e(ba(b), b)) - b|", group="cyc", search=(0.1, 10)),
        Term("cyc_z", "λ_z / λ_zB", 0.025, "mean |e(a, ab(a, z)) - z|", search=(0.0025, 0.25)),
        Term("d_a", "λ_D", 1.0, "0.5 x (d_a calls a real + d_a calls ba(b) fake)", group="d"),
        Term("d_b", "λ_D", 1.0, "0.5 x (d_b calls b real + d_b calls ab(a, z) fake)", group="d"),
        Term("d_z", "λ_D", 1.0, "0.5 x (d_z calls z drawn + d_z calls e(ba(b), b) encoded)", group="d"),
        Term("gp_a", "λ_GP / λ_LP", 10.0, "penalty on d_a's gradient", group="gp", when=penalised, search=(1, 100)),
        Term("gp_b", "λ_GP / λ_LP", 10.0, "penalty on d_b's gradient", group="gp", when=penalised, search=(1, 100)),
        Term("gp_z", "λ_GP / λ_LP", 10.0, "penalty on d_z's gradient", group="gp", when=penalised, search=(1, 100)),
    )
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b")
    balance: ClassVar[Balance] = Balance(lr_ratio=0.2)
    varied = True
    Hyper = AugmentedCycleGANHyper

    def __init__(self, hyper: AugmentedCycleGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        (channels_a, image, _), (channels_b, _, _) = shapes["a"], shapes["b"]
        self.hyper, self.gan = hyper, hyper.criterion
        width, latent = hyper.width, hyper.latent
        self.ab = ToldGenerator(channels_a, channels_b, width, hyper.blocks, latent)
        self.ba = PlainGenerator(channels_b, channels_a, width, hyper.blocks)
        self.e = PairEncoder(channels_a + channels_b, image, hyper.encoder_width, latent, NORMS[hyper.norm])
        self.d_a, self.d_b = (
            critics.build_critic(hyper.critic, channels, image, hyper.critic_width, affine_instance_norm)
            for channels in (channels_a, channels_b)
        )
        self.d_z = VectorCritic(latent, hyper.critic_width)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        judges = (self.d_a, self.d_b, self.d_z)
        self.generators = Player("generators", (self.ab, self.ba, self.e), optimizer, rate)
        self.critics = Player("critics", judges, optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generators, self.critics)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab, "a": self.ba}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> AugmentedCycleGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes["a"][1]
        PairEncoder.check(image)
        critics.check(hyper.critic, image)
        hyper.check_adversary()

    def encode(self, a: Tensor, b: Tensor) -> Tensor:
        """The vectors that make b of a, pictures `[N,C,H,W]`: `[N,latent]`."""
        code: Tensor = self.e(torch.cat([a, b], 1))
        return code

    def draw(self, pictures: Tensor) -> Tensor:
        """A vector from N(0, I) for each picture: `[N,latent]`."""
        return normal(len(pictures), self.hyper.latent).to(pictures.device)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """The critics move first; then the generators and the encoder, judged by the moved critics on the same pictures."""
        a, b = replica.draw("a"), replica.draw("b")
        z = self.draw(a)
        fake_b, fake_a = self.ab(a, z), self.ba(b)
        code = self.encode(fake_a, b)
        made_a, made_b, made_z = fake_a.detach(), fake_b.detach(), code.detach()
        penalties = {
            "gp_a": lambda: self.hyper.penalise(self.d_a, a, made_a),
            "gp_b": lambda: self.hyper.penalise(self.d_b, b, made_b),
            "gp_z": lambda: self.hyper.penalise(self.d_z, z[..., None, None], made_z[..., None, None]),
        }
        for _ in replica.turns(self.critics):
            judged = self.weigh(
                d_a=lambda: self.gan.critic(self.d_a(a), self.d_a(made_a), scale=0.5),
                d_b=lambda: self.gan.critic(self.d_b(b), self.d_b(made_b), scale=0.5),
                d_z=lambda: self.gan.critic(self.d_z(z), self.d_z(made_z), scale=0.5),
                **(penalties if self.hyper.penalised else {}),
            )
            yield Move((judged, self.critics))

        played = self.weigh(
            adv_ab=lambda: self.gan.generator(self.d_b(fake_b)),
            adv_ba=lambda: self.gan.generator(self.d_a(fake_a)),
            adv_z=lambda: self.gan.generator(self.d_z(code)),
            cyc_a=lambda: (self.ba(fake_b) - a).abs().mean(),
            cyc_b=lambda: (self.ab(fake_a, code) - b).abs().mean(),
            cyc_z=lambda: (self.encode(a, fake_b).float() - z).abs().mean(),
        )
        yield Move((played, self.generators))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translations of whichever domains are given, those to b each with a z from N(0, I), and back with the encoded one. The
        encoder sees one picture at a time: its statistics are then of this one alone."""
        shown: dict[str, Tensor] = {}
        if "a" in images:
            shown["fake_b"] = self.ab(images["a"], self.draw(images["a"]))
            shown["cycle_a"] = self.ba(shown["fake_b"])
        if "b" in images:
            shown["fake_a"] = self.ba(images["b"])
            code = translate(self.e, torch.cat([shown["fake_a"], images["b"]], 1))
            shown["cycle_b"] = self.ab(shown["fake_a"], code)
        return shown
