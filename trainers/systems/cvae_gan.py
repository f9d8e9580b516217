"""cVAE-GAN: Zhu, Zhang, Pathak, Darrell, Efros, Wang, Shechtman, "Toward Multimodal Image-to-Image Translation", NeurIPS 2017:
the half of BicycleGAN that goes from b to z and back.

    G*, E* = arg min_G,E max_D  L_GAN^VAE(G, D, E) + lambda L_1^VAE(G, E) + lambda_KL L_KL(E)          (paper, section 3.2)

| paper | here | |
| --- | --- | --- |
| A, B | a, b | |
| G(A, z) | ab(a, z) | |
| E(B) = N(mu, sigma^2) | e(b) | mu and log sigma^2; z = mu + sigma eps |
| D | d | one critic of two scales; its loss is real + fake, not halved |
| lambda | weights.l1 | 10 |
| lambda_KL | weights.kl | 0.01 |

The formula's D sees the input too (`conditional`); BicycleGAN's published critics see the picture alone, as here. In training
the generator meets encoded vectors alone; translations draw theirs from N(0, I), as the paper's do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from torch import Tensor

from trainers.hyper import penalised
from trainers.latent import LatentHyper, divergence, sample, show_random
from trainers.settings import Preset, Reads, Term
from trainers.system import Move, Player, Replica, Shapes, System


class CVAEGAN(System):
    """Paired translation to many outputs: a variational autoencoder of b that is given a."""

    name = "cvae-gan"
    title = "Toward Multimodal Image-to-Image Translation"
    citation = "Zhu, Zhang, Pathak, Darrell, Efros, Wang, Shechtman, NeurIPS 2017, arXiv:1711.11586"
    reads = Reads(("a", "b"), paired=True)
    terms = (
        Term("adv", "λ_GAN", 1.0, "ab makes d call ab(a, e(b)) real", search=(0.1, 10)),
        Term("l1", "λ / λ_1 / λ_L1 / λ_image", 10.0, "mean |ab(a, e(b)) - b|", search=(1, 100)),
        Term("kl", "λ_KL", 0.01, "KL(e(b) || N(0, I)), summed over z", search=(0.001, 0.1)),
        Term("d", "λ_D", 1.0, "d calls b real + d calls ab(a, e(b)) fake"),
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
        self.d = hyper.build_critic(shapes)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.ab,), optimizer, rate)
        self.encoder = Player("encoder", (self.e,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.encoder, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> CVAEGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check(shapes)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """Generator and encoder move first, then the critic, on the same pictures."""
        a, b = replica.draw_pair()
        mu, log_variance = self.e(b)
        encoded = self.ab(a, sample(mu, log_variance))
        real, fake = self.hyper.seen(a, b), self.hyper.seen(a, encoded)
        made = self.weigh(
            adv=lambda: self.gan.generator_over(self.d(fake)),
            l1=(encoded - b).abs().mean(),
            kl=divergence(mu, log_variance),
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
