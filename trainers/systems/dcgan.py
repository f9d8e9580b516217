"""DCGAN: Radford, Metz, Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", ICLR 2016, which plays the game of Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014.

    min_G max_D  E_x log D(x) + E_z log(1 - D(G(z)))                          (Goodfellow et al. 2014, eq. 1)

| paper | here | |
| --- | --- | --- |
| x, z | b, latents | pictures, and noise from N(0, I); DCGAN's own is uniform on [-1, 1] |
| G(z), D(x) | g, d | d ends in a logit; the sigmoid is in the criterion |
| -V(D, G) | d | real + fake as in eq. 1; texts that print a half before both mean `weights: {d: 0.5}` |
| k | balance.critic_turns | 1 |

G maximises log D(G(z)), as section 3 of the paper of 2014 advises; the preset `minimax` minimises log(1 - D(G(z))), whose
gradient vanishes where D is sure. Each move of D has new pictures and new noise, and G's has new noise (algorithm 1); public
ports often let G reuse the noise of D's move. Real and generated pictures pass D apart, so that batch norm does not mix them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from trainers.from_noise import COMPANY, NoiseHyper
from trainers.hyper import penalised
from trainers.settings import Preset, Reads, Term
from trainers.system import Move, Player, Replica, Shapes, System, Weighed


class DCGAN(System):
    """Pictures from noise."""

    name = "dcgan"
    title = "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks"
    citation = "Radford, Metz, Chintala, ICLR 2016, arXiv:1511.06434; Goodfellow et al., NeurIPS 2014, arXiv:1406.2661"
    reads = Reads(("b",), paired=False)
    terms = (
        Term("adv", "λ_adv", 1.0, "G makes D call g(z) real"),
        Term("d", "λ_D", 1.0, "D calls b real + D calls g(z) fake"),
        Term("gp", "λ_GP / λ_LP", 10.0, "penalty on D's gradient", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "minimax": Preset("the game of 2014 as it stands: G minimises log(1 - D(G(z)))", hyper={"gan": "minimax"}),
        "smoothed": Preset("one-sided label smoothing (Salimans et al. 2016): real is 0.9", hyper={"smoothing": 0.1}),
        "lsgan": Preset(
            "least squares on 1 and 0 (Mao et al. 2017), D's loss 0.5 x (real + fake)", {"d": 0.5}, {"gan": "lsgan"}
        ),
        "hinge": Preset("the hinge of Geometric GAN (Lim, Ye 2017)", hyper={"gan": "hinge"}),
        "spherical": Preset("z on a sphere (White 2016)", hyper={"latent_kind": "spherical"}),
        "tricks": Preset(
            "four tricks of How to Train a GAN (Chintala et al. 2016): z, labels, and both resamplings",
            hyper={"latent_kind": "spherical", "smoothing": 0.1, "upsample": "pixel_shuffle", "downsample": "average"},
        ),
    }
    shows = ("fake_b",)
    varied = True
    Hyper = NoiseHyper

    def __init__(self, hyper: NoiseHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        self.hyper = hyper
        self.gan = hyper.criterion
        self.g, self.d = hyper.build_generator(shapes), hyper.build_critic(shapes)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.g,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, torch.nn.Module] = {}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> DCGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check(shapes)

    def make(self, count: int, device: torch.device) -> Tensor:
        """g(z) for new noise: `[count,C,H,W]`."""
        made: Tensor = self.g(self.hyper.noise(count, device))
        return made

    def judge(self, b: Tensor, fake: Tensor) -> Weighed:
        """D's terms: `b` real, `fake` generated, `[N,C,H,W]` each."""
        penalty = {"gp": lambda: self.hyper.penalise(self.d, b, fake)}
        return self.weigh(
            d=lambda: self.gan.critic(self.d(b), self.d(fake), scale=1.0),
            **(penalty if self.hyper.penalised else {}),
        )

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """D moves on new pictures and new noise each time; then G plays new noise against the moved D."""
        for _ in replica.turns(self.critic):
            b = replica.draw("b")
            with torch.no_grad():
                fake = self.make(len(b), b.device)
            yield Move((self.judge(b, fake), self.critic))
        made = self.weigh(adv=lambda: self.gan.generator(self.d(self.make(len(b), b.device))))
        yield Move((made, self.generator))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As many new pictures as there are of domain b."""
        if "b" not in images:
            return {}
        wanted = images["b"]
        return {"fake_b": self.make(max(len(wanted), COMPANY), wanted.device)[: len(wanted)]}
