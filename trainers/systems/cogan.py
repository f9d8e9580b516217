"""CoGAN: Liu, Tuzel, "Coupled Generative Adversarial Networks", NeurIPS 2016.

    max_g1,g2 min_f1,f2  V(f_1, f_2, g_1, g_2),   of g_1 and g_2 the first k layers equal, of f_1 and f_2 the last l
    V = - E log f_1(x_1) - E log(1 - f_1(g_1(z))) - E log f_2(x_2) - E log(1 - f_2(g_2(z)))                 (paper, section 3)

| paper | here | |
| --- | --- | --- |
| x_1, x_2 | a, b | never pairs: the network is to find out what belongs together |
| g_1, g_2 | g.a, g.b behind g.tied | DCGAN's, from one z: a pair of pictures |
| f_1, f_2 | d.a, d.b before d.tied | DCGAN's, that end in a logit |
| k | hyper.tied | all layers but the last |
| l | hyper.tied_critic | all layers but the first |
| V | d_a + d_b | real + fake, not halved |

It makes pairs and translates nothing: for a given picture one would have to find its z first. The networks of the paper and of
its code are other ones for each data set; the code's critics for digits have no norm, and its optimizer decays weights: the
preset `digits`. g maximises log f(g(z)), as in that code. Each move of D has new pictures and new noise, and G's has new noise.
The two domains pass a norm apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from trainers.errors import SettingError
from trainers.from_noise import COMPANY, NORMS, NoiseHyper
from trainers.hyper import penalised
from trainers.networks.cogan import TiedCritics, TiedGenerators, layers_of
from trainers.settings import Preset, Reads, Term, setting
from trainers.system import Move, Player, Replica, Shapes, System, Weighed


@dataclass(frozen=True)
class CoGANHyper(NoiseHyper):
    """CoGAN's settings, with DCGAN's networks."""

    tied: int | None = setting(
        None, "layers that the generators have in common, from the noise on; empty: all but the last", minimum=0
    )
    tied_critic: int | None = setting(
        None, "layers that the critics have in common, from the end back; empty: all but the first", minimum=0
    )

    def ties(self, image: int) -> tuple[int, int]:
        """Common layers of the generators and of the critics, for pictures of this side."""
        most = layers_of(image) - 1
        return (most if self.tied is None else self.tied), (most if self.tied_critic is None else self.tied_critic)

    def check(self, shapes: Shapes) -> None:
        """Raise SettingError where the networks do not fit the pictures, or the choices each other."""
        super().check(shapes)
        layers = layers_of(shapes["b"][1])
        for name, tied in (("tied", self.tied), ("tied_critic", self.tied_critic)):
            if tied is not None and tied >= layers:
                problem = f"of {layers} layers each domain keeps one of its own; nearest: {layers - 1}"
                raise SettingError(f"hyper.{name}", tied, problem)


class CoGAN(System):
    """Pairs of pictures from noise, learnt from two sets that are not paired."""

    name = "cogan"
    title = "Coupled Generative Adversarial Networks"
    citation = "Liu, Tuzel, NeurIPS 2016, arXiv:1606.07536"
    reads = Reads(("a", "b"), paired=False, mixed=True)
    terms = (
        Term("adv_a", "λ_adv", 1.0, "G makes D call its picture of a real", group="adv", search=(0.3, 3)),
        Term("adv_b", "λ_adv", 1.0, "G makes D call its picture of b real", group="adv", search=(0.3, 3)),
        Term("d_a", "λ_D", 1.0, "D calls a real + D calls G's picture of a fake", group="d"),
        Term("d_b", "λ_D", 1.0, "D calls b real + D calls G's picture of b fake", group="d"),
        Term("gp_a", "λ_GP / λ_LP", 10.0, "penalty on D's gradient in a", group="gp", when=penalised, search=(1, 100)),
        Term("gp_b", "λ_GP / λ_LP", 10.0, "penalty on D's gradient in b", group="gp", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "digits": Preset(
            "critics and optimizer of the published code for digits: no norm, decaying weights",
            hyper={"norm": "none", "weight_decay": 5e-4},
        ),
        "untied": Preset(
            "two GANs that have the noise in common and nothing else", hyper={"tied": 0, "tied_critic": 0}
        ),
    }
    shows = ("fake_b", "fake_a")
    varied = True
    Hyper = CoGANHyper

    def __init__(self, hyper: CoGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        image, channels = shapes["b"][1], (shapes["a"][0], shapes["b"][0])
        tied, tied_critic = hyper.ties(image)
        self.hyper, self.gan = hyper, hyper.criterion
        norm, norm_critic = NORMS[hyper.generator_norm], NORMS[hyper.norm]
        self.g = TiedGenerators(hyper.latent, channels, image, hyper.width, hyper.upsample, norm, tied)
        self.d = TiedCritics(channels, image, hyper.critic_width, hyper.downsample, norm_critic, tied_critic)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generators = Player("generators", (self.g,), optimizer, rate)
        self.critics = Player("critics", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generators, self.critics)
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, torch.nn.Module] = {}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> CoGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check(shapes)

    def make(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """So many new pairs: pictures of a and of b, `[count,C,H,W]` each."""
        made: tuple[Tensor, Tensor] = self.g(self.hyper.noise(count, device))
        return made

    def judge(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Weighed:
        """D's terms, of real and generated pictures, `[N,C,H,W]` each."""
        penalties = {
            "gp_a": lambda: self.hyper.penalise(self.d.judge_a, a, fake_a),
            "gp_b": lambda: self.hyper.penalise(self.d.judge_b, b, fake_b),
        }
        return self.weigh(
            d_a=lambda: self.gan.critic(self.d.judge_a(a), self.d.judge_a(fake_a), scale=1.0),
            d_b=lambda: self.gan.critic(self.d.judge_b(b), self.d.judge_b(fake_b), scale=1.0),
            **(penalties if self.hyper.penalised else {}),
        )

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """D moves on new pictures and new noise each time; then G plays new noise against the moved D."""
        for _ in replica.turns(self.critics):
            a, b = replica.draw("a"), replica.draw("b")
            with torch.no_grad():
                fake_a, fake_b = self.make(len(a), a.device)
            yield Move((self.judge(a, b, fake_a, fake_b), self.critics))
        made_a, made_b = self.make(len(a), a.device)
        made = self.weigh(
            adv_a=lambda: self.gan.generator(self.d.judge_a(made_a)),
            adv_b=lambda: self.gan.generator(self.d.judge_b(made_b)),
        )
        yield Move((made, self.generators))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """New pairs: a picture of b for each one of a, or of b where there is none of a, and one of a for each one of b. The
        pictures in the same place come of the same noise."""
        beside = {"fake_a": images.get("b"), "fake_b": images.get("a", images.get("b"))}
        counts = {name: len(pictures) for name, pictures in beside.items() if pictures is not None}
        if not counts:
            return {}
        pair = self.make(max(*counts.values(), COMPANY), next(iter(images.values())).device)
        sides = dict(zip(("fake_a", "fake_b"), pair, strict=True))
        return {name: sides[name][:count] for name, count in counts.items()}
