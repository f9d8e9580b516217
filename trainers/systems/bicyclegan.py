"""BicycleGAN: Zhu, Zhang, Pathak, Darrell, Efros, Wang, Shechtman, "Toward Multimodal Image-to-Image Translation", NeurIPS
2017.

    G*, E* = arg min_G,E max_D  L_GAN^VAE(G, D, E) + lambda L_1^VAE(G, E)
                                + L_GAN(G, D) + lambda_latent L_1^latent(G, E) + lambda_KL L_KL(E)     (paper, section 3.4)

| paper | here | |
| --- | --- | --- |
| A, B | a, b | each batch in halves: (a1, b1) and (a2, b2) |
| G(A, z) | ab(a, z) | |
| E(B) = N(mu, sigma^2) | e(b) | mu and log sigma^2 |
| L_GAN^VAE | adv, d | d judges ab(a1, z), z from e(b1), against b1 |
| L_GAN | adv2, d2 | d2 judges ab(a1, z), z from N(0, I), against b2 |
| lambda | weights.l1 | 10 |
| lambda_latent | weights.latent | 0.5 |
| lambda_KL | weights.kl | 0.01 |

Both fakes are made of a1: the second half is there for its real pictures, which d2 alone sees (and d never). Each critic's
loss is real + fake, not halved, summed over two scales.

The formulas have one D, which sees the input too, and an encoder that follows the latent loss. The published code, and this
file, have two critics without shared weights, that see the picture alone, and an encoder that does not follow the latent loss
(it would agree with G on a secret code). The presets `conditional` and `latent-moves-encoder` are the formulas'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from trainers.hyper import penalised
from trainers.latent import LatentHyper, divergence, sample, show_random
from trainers.networks.noise import normal
from trainers.settings import Preset, Reads, Term, setting
from trainers.system import Move, Player, Replica, Shapes, System


@dataclass(frozen=True)
class BicycleGANHyper(LatentHyper):
    """BicycleGAN's settings with the published defaults."""

    latent_moves_encoder: bool = setting(False, "whether the encoder follows the latent loss, or the generator alone")


class BicycleGAN(System):
    """Paired translation to many outputs: cVAE-GAN and cLR-GAN at once, with the same generator and encoder."""

    name = "bicyclegan"
    title = "Toward Multimodal Image-to-Image Translation"
    citation = "Zhu, Zhang, Pathak, Darrell, Efros, Wang, Shechtman, NeurIPS 2017, arXiv:1711.11586"
    reads = Reads(("a", "b"), paired=True)
    terms = (
        Term("adv", "λ_GAN", 1.0, "ab makes d call ab(a, e(b)) real", search=(0.1, 10)),
        Term("adv2", "λ_GAN2", 1.0, "ab makes d2 call ab(a, z) real", search=(0.1, 10)),
        Term("l1", "λ / λ_1 / λ_L1 / λ_image", 10.0, "mean |ab(a, e(b)) - b|", search=(1, 100)),
        Term("kl", "λ_KL", 0.01, "KL(e(b) || N(0, I)), summed over z", search=(0.001, 0.1)),
        Term("latent", "λ_latent / λ_lat / λ_z", 0.5, "mean |mu of e(ab(a, z)) - z|", search=(0.05, 5)),
        Term("d", "λ_D", 1.0, "d calls b real + d calls ab(a, e(b)) fake"),
        Term("d2", "λ_D2", 1.0, "d2 calls b real + d2 calls ab(a, z) fake"),
        Term("gp_d", "λ_GP / λ_LP", 10.0, "penalty on d's gradient", group="gp", when=penalised, search=(1, 100)),
        Term("gp_d2", "λ_GP / λ_LP", 10.0, "penalty on d2's gradient", group="gp", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "conditional": Preset("the formulas' critics: they see the input too", hyper={"conditional": True}),
        "latent-moves-encoder": Preset(
            "the formulas' encoder: it follows the latent loss too", hyper={"latent_moves_encoder": True}
        ),
        "conv-encoder": Preset("the paper's plain convolutional encoder", hyper={"encoder": "conv"}),
        "input": Preset("z joins the generator at its input alone", hyper={"where": "input"}),
        "128": Preset("the published critics for pictures of 128 pixels", hyper={"critic": "patch34"}),
    }
    shows = ("fake_b",)
    Hyper = BicycleGANHyper
    min_per_replica = 2
    even = True
    varied = True

    def __init__(self, hyper: BicycleGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        self.hyper = hyper
        self.gan = hyper.criterion
        self.ab, self.e = hyper.build_generator(shapes), hyper.build_encoder(shapes)
        self.d, self.d2 = hyper.build_critic(shapes), hyper.build_critic(shapes)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.ab,), optimizer, rate)
        self.encoder = Player("encoder", (self.e,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.critic2 = Player("critic2", (self.d2,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.encoder, self.critic, self.critic2)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> BicycleGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check(shapes)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """Generator and encoder move first, then d, then d2, on the same pictures."""
        a, b = replica.draw_pair()
        (a1, a2), (b1, b2) = a.chunk(2), b.chunk(2)
        mu, log_variance = self.e(b1)
        encoded = self.ab(a1, sample(mu, log_variance))
        z = normal(len(a1), self.hyper.latent).to(a.device)
        drawn = self.ab(a1, z)

        def recovered() -> Tensor:
            code: Tensor = self.e(drawn)[0]
            return (code.float() - z).abs().mean()

        real, fake = self.hyper.seen(a1, b1), self.hyper.seen(a1, encoded)
        real2, fake2 = self.hyper.seen(a2, b2), self.hyper.seen(a1, drawn)
        followers = (self.generator, self.encoder) if self.hyper.latent_moves_encoder else (self.generator,)
        made = self.weigh(
            adv=lambda: self.gan.generator_over(self.d(fake)),
            adv2=lambda: self.gan.generator_over(self.d2(fake2)),
            l1=(encoded - b1).abs().mean(),
            kl=divergence(mu, log_variance),
        )
        yield Move((made, self.generator, self.encoder), (self.weigh(latent=recovered), *followers))

        penalty = {"gp_d": lambda: self.hyper.penalise_scales(self.d, real, fake)}
        for _ in replica.turns(self.critic):
            judged = self.weigh(
                d=lambda: self.gan.critic_over(self.d(real), self.d(fake), scale=1.0),
                **(penalty if self.hyper.penalised else {}),
            )
            yield Move((judged, self.critic))

        penalty2 = {"gp_d2": lambda: self.hyper.penalise_scales(self.d2, real2, fake2)}
        for _ in replica.turns(self.critic2):
            judged = self.weigh(
                d2=lambda: self.gan.critic_over(self.d2(real2), self.d2(fake2), scale=1.0),
                **(penalty2 if self.hyper.penalised else {}),
            )
            yield Move((judged, self.critic2))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b`, with a z from N(0, I) for each image of a."""
        return show_random(self.ab, images, self.hyper.latent)
