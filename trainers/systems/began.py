"""BEGAN: Berthelot, Schumm, Metz, "BEGAN: Boundary Equilibrium Generative Adversarial Networks", 2017.

    L_D = L(x) - k L(G(z_D)),   L_G = L(G(z_G)),   k <- k + lambda_k (gamma L(x) - L(G(z_G)))         (paper, section 3.4)

| paper | here | |
| --- | --- | --- |
| L(v) | minus the mean of d(v) | the mean absolute error of reconstructing v, eta = 1 |
| D, G | d, g | an autoencoder, and a decoder of the same shape with weights of its own |
| z | latents | uniform on [-1, 1], as long as the autoencoder's inner numbers |
| k | kept for the term d | 0 at the start, held in [0, 1] |
| gamma, lambda_k | constants of the criterion | 0.5, 0.001 |

The paper writes one step for both players. Here D moves first and G then plays the moved D, and k follows L(G(z_D)), which is
at hand where D is judged, in place of L(G(z_G)): both are means over new noise. The paper halves the rate where its measure
of convergence stalls; a rate that falls linearly in the second half stands in for it. As in the paper nothing bounds G's
pictures in training; what is shown is cut to [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainers.hyper import Adversary, Learning, penalised
from trainers.networks.autoencoder import AutoencoderCritic
from trainers.settings import Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System, Weighed


@dataclass(frozen=True)
class BEGANHyper(Learning, Adversary):
    """BEGAN's settings with the published defaults."""

    latent: int = setting(64, "length of z, and of the autoencoder's inner vector", minimum=1, maximum=4096)
    width: int = setting(64, "channels of the generator", minimum=1, maximum=4096)
    critic_width: int = setting(64, "channels that the autoencoder's maps grow by", minimum=1, maximum=4096)
    gan: str = setting("began", "adversarial criterion; an autoencoder is judged by none but this", choices=("began",))
    lr: float = changed(Learning, "lr", 1e-4)


class BEGAN(System):
    """Pictures from noise, judged by how well an autoencoder of real ones reconstructs them."""

    name = "began"
    title = "BEGAN: Boundary Equilibrium Generative Adversarial Networks"
    citation = "Berthelot, Schumm, Metz, 2017, arXiv:1703.10717"
    reads = Reads(("b",), paired=False)
    terms = (
        Term("adv", "λ_adv", 1.0, "mean |AE(g(z)) - g(z)|"),
        Term("d", "λ_D", 1.0, "mean |AE(b) - b| - k mean |AE(g(z)) - g(z)|"),
        Term("gp", "λ_GP / λ_LP", 10.0, "penalty on D's gradient", when=penalised, search=(1, 100)),
    )
    shows = ("fake_b",)
    varied = True
    Hyper = BEGANHyper

    def __init__(self, hyper: BEGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels, image, _ = shapes["b"]
        self.hyper = hyper
        self.gan, self.controlled = hyper.criterion, hyper.controls("d")
        self.g = AutoencoderCritic(channels, image, hyper.width, hyper.latent).decoder
        self.d = AutoencoderCritic(channels, image, hyper.critic_width, hyper.latent)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.g,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, torch.nn.Module] = {}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> BEGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        AutoencoderCritic.check(shapes["b"][1])
        hyper.check_adversary(autoencoder=True)

    def make(self, count: int, device: torch.device) -> Tensor:
        """g(z) for new noise: `[count,C,H,W]`, not bounded."""
        z = 2.0 * torch.rand(count, self.hyper.latent, device="cpu") - 1.0
        made: Tensor = self.g(z.to(device))
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
        """As many new pictures as there are of domain b, cut to [-1, 1]."""
        if "b" not in images:
            return {}
        wanted = images["b"]
        return {"fake_b": self.make(len(wanted), wanted.device).clamp(-1.0, 1.0)}
