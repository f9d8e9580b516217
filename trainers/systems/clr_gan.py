"""cLR-GAN: Zhu, Zhang, Pathak, Darrell, Efros, Wang, Shechtman, "Toward Multimodal Image-to-Image Translation", NeurIPS 2017:
the half of BicycleGAN that goes from z to b and back.

    G*, E* = arg min_G,E max_D  L_GAN(G, D) + lambda_latent L_1^latent(G, E)                           (paper, section 3.3)

| paper | here | |
| --- | --- | --- |
| A, B | a, b | |
| G(A, z) | ab(a, z) | z from N(0, I) |
| E(B) | e(b) | mu alone: the encoder is a point estimate, and has no sigma |
| D | d | one critic of two scales; its loss is real + fake, not halved |
| lambda_latent | weights.latent | 0.5 |

Here the encoder follows the latent loss, as the formula says: nothing else teaches it. In BicycleGAN it does not. The formula's
D sees the input too (`conditional`); BicycleGAN's published critics see the picture alone, as here, and then no loss asks that
the output belong to its input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from trainers.hyper import penalised
from trainers.latent import LatentHyper, show_random
from trainers.networks.noise import normal
from trainers.settings import Preset, Reads, Term
from trainers.system import Move, Player, Replica, Shapes, System


class CLRGAN(System):
    """Paired translation to many outputs: the latent vector can be read off each of them."""

    name = "clr-gan"
    title = "Toward Multimodal Image-to-Image Translation"
    citation = "Zhu, Zhang, Pathak, Darrell, Efros, Wang, Shechtman, NeurIPS 2017, arXiv:1711.11586"
    reads = Reads(("a", "b"), paired=True)
    terms = (
        Term("adv", "λ_GAN", 1.0, "ab makes d call ab(a, z) real", search=(0.1, 10)),
        Term("latent", "λ_latent / λ_lat / λ_z", 0.5, "mean |e(ab(a, z)) - z|", search=(0.05, 5)),
        Term("d", "λ_D", 1.0, "d calls b real + d calls ab(a, z) fake"),
        Term("gp", "λ_GP / λ_LP", 10.0, "penalty on d's gradient", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "conditional": Preset("the formula's critic: it sees the input too", hyper={"conditional": True}),
        "conv-encoder": Preset("the paper's plain convolutional encoder", hyper={"encoder": "conv"}),
        "input": Preset("z joins the generator at its input alone", hyper={"where": "input"}),
        "128": Preset("the published critic for pictures of 128 pixels", hyper={"critic": "patch34"}),
    }
    shows = ("fake_b",)
    Hyper = LatentHyper
    varied = True

    def __init__(self, hyper: LatentHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        self.hyper = hyper
        self.gan = hyper.criterion
        self.ab, self.e = hyper.build_generator(shapes), hyper.build_encoder(shapes)
        self.e.log_variance = nn.Identity()  # no loss would reach its weights
        self.d = hyper.build_critic(shapes)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.ab,), optimizer, rate)
        self.encoder = Player("encoder", (self.e,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.encoder, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> CLRGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check(shapes)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """Generator and encoder move first, then the critic, on the same pictures."""
        a, b = replica.draw_pair()
        z = normal(len(a), self.hyper.latent).to(a.device)
        drawn = self.ab(a, z)
        real, fake = self.hyper.seen(a, b), self.hyper.seen(a, drawn)
        made = self.weigh(
            adv=lambda: self.gan.generator_over(self.d(fake)),
            latent=lambda: (self.e(drawn)[0].float() - z).abs().mean(),
        )
        yield Move((made, self.generator, self.encoder))

        penalty = {"gp": lambda: self.hyper.penalise_scales(self.d, real, fake)}
        for _ in replica.turns(self.critic):
            judged = self.weigh(
                d=lambda: self.gan.critic_over(self.d(real), self.d(fake), scale=1.0),
                **(penalty if self.hyper.penalised else {}),
            )
            yield Move((judged, self.critic))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b`, with a z from N(0, I) for each image of a."""
        return show_random(self.ab, images, self.hyper.latent)
