"""WGAN: Arjovsky, Chintala, Bottou, "Wasserstein Generative Adversarial Networks", ICML 2017; with a penalty in place of the
clamp, Gulrajani et al., NeurIPS 2017 (WGAN-GP) and Petzka, Fischer, Lukovnicov, ICLR 2018 (WGAN-LP).

    W(P_r, P_g) = max over f of Lipschitz constant 1 of  E_x f(x) - E_z f(g(z))                            (paper, eq. 2)

| paper | here | |
| --- | --- | --- |
| f, g | d, g | the paper's critic ends without a sigmoid, as every critic here |
| E f(x) - E f(g(z)) | -d | D minimises, so `loss/d` is minus the estimate of W: it rises towards 0 as g learns |
| alpha, m | hyper.lr, data.batch | 0.00005 with RMSProp, 64 |
| c | hyper.clip | 0.01 |
| n_critic | balance.critic_turns | 5, each on new pictures and new noise |
| lambda | weights.gp | 10, where there is a penalty |

The clamp follows each move of D, as in algorithm 1, so that g never sees a weight outside the box; the authors' code clamps
before the move. That code has D high on generated pictures; here, as in the paper, high means real. Its 100 turns of D in the
first 25 steps and at every 500th are the preset `warmup`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from trainers.errors import SettingError
from trainers.from_noise import COMPANY, NoiseHyper
from trainers.hyper import penalised
from trainers.settings import Balance, Preset, Reads, Term, changed
from trainers.system import Move, Player, Replica, Shapes, System, Weighed

PENALISED = {"optimizer": "adam", "lr": 1e-4, "beta1": 0.0, "beta2": 0.9, "clip": None, "norm": "none"}


@dataclass(frozen=True)
class WGANHyper(NoiseHyper):
    """WGAN's settings with the published defaults."""

    gan: str = changed(NoiseHyper, "gan", "wgan")
    clip: float | None = changed(NoiseHyper, "clip", 0.01)
    optimizer: str = changed(NoiseHyper, "optimizer", "rmsprop")
    lr: float = changed(NoiseHyper, "lr", 5e-5)


class WGAN(System):
    """Pictures from noise, by the Wasserstein distance."""

    name = "wgan"
    title = "Wasserstein Generative Adversarial Networks"
    citation = (
        "Arjovsky, Chintala, Bottou, ICML 2017, arXiv:1701.07875; with a penalty arXiv:1704.00028, arXiv:1709.08894"
    )
    reads = Reads(("b",), paired=False)
    balance = Balance(critic_turns=5)
    terms = (
        Term("adv", "λ_adv", 1.0, "- mean D of g(z)"),
        Term("d", "λ_D", 1.0, "mean D of g(z) - mean D of b: minus the estimate of W"),
        Term("gp", "λ / λ_GP / λ_LP", 10.0, "penalty on D's gradient", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "gp": Preset(
            "WGAN-GP: a two-sided penalty, Adam, no clamp and no norm in D", hyper=PENALISED | {"penalty": "gp"}
        ),
        "lp": Preset(
            "WGAN-LP: a one-sided penalty, Adam, no clamp and no norm in D", hyper=PENALISED | {"penalty": "lp"}
        ),
        "warmup": Preset(
            "the authors' code: 100 turns of D in each of the first 25 steps and in every 500th",
            balance={"warmup_turns": 100, "warmup_steps": 25, "warmup_every": 500},
        ),
    }
    shows = ("fake_b",)
    varied = True
    Hyper = WGANHyper

    def __init__(self, hyper: WGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
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
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> WGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check(shapes)
        if hyper.gan == "wgan" and hyper.clip is None and not hyper.penalised:
            problem = "without a clamp or a penalty D has no bound on its slope; nearest: 0.01, or hyper.penalty lp"
            raise SettingError("hyper.clip", hyper.clip, problem)

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
        """Algorithm 1: D moves n_critic times, on new pictures and new noise each; then G plays against the clamped D."""
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
