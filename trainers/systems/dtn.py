"""DTN: Taigman, Polyak, Wolf, "Unsupervised Cross-Domain Image Generation", ICLR 2017.

    L_D = - E_a log D_1(G(a)) - E_b log D_2(G(b)) - E_b log D_3(b)                                        (paper, eq. 3)
    L_G = - E_a log D_3(G(a)) - E_b log D_3(G(b)) + alpha L_CONST + beta L_TID + gamma L_TV            (paper, eq. 4 to 7)
    L_CONST = E_a |f(a) - f(G(a))|^2,   L_TID = E_b |b - G(b)|^2,   G = g(f(x))

| paper | here | |
| --- | --- | --- |
| S, T | a, b | |
| f | f | the features of the sweep's `task`, as it was trained; it must know pictures of both domains |
| g | g | DCGAN's generator, on what f says in place of noise |
| D | d | hyper.critic: ternary, one of G(a), G(b) and b |
| L_CONST, L_TID, L_TV | const, tid, tv | means over the numbers of f, of a picture, over its pixels |
| alpha, beta, gamma | weights.const, tid, tv | 15, 15: the digits' ones; 0.05: the faces', of no account on digits (hyper.smooth) |

The paper's f is trained before, on labelled pictures of another set, and stays as it is. The public code of Y. Choi differs in
two places. Its critic knows real and generated alone: the preset `code`. And it moves f too, by L_CONST at every 15th step,
which is not followed: f would soon say the same of everything. The published networks have batch norms with running
statistics, and here norms keep none: a picture that is translated alone would lose most of what f says. So the default is a norm
over a sample; `hyper.norm: batch` normalises over a replica's, and translates all that is shown at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.adversarial import CRITERIA
from trainers.errors import SettingError
from trainers.hyper import Adversary, Learning, penalised
from trainers.networks.blocks import Norm, affine_instance_norm, batch_norm, no_norm
from trainers.networks.classifier import Classifier
from trainers.networks.dcgan import DCGANCritic, DCGANGenerator
from trainers.penalty import TINY
from trainers.settings import Preset, Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Scored, Shapes, System, Weighed

TERNARY, BINARY = "ternary", "binary"
OUTPUTS = {TERNARY: 3, BINARY: 1}  # the last one: real
NORMS: dict[str, Norm] = {
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "batch": batch_norm,
    "instance": affine_instance_norm,
    "none": no_norm,
}
TASK_WIDTH = 32  # of an f that nobody trained


@dataclass(frozen=True)
class DTNHyper(Learning, Adversary):
    """DTN's settings, with the defaults of the paper's digits."""

    critic: str = setting(
        TERNARY, "what D tells apart: G(a), G(b) and b, or generated and real", choices=tuple(OUTPUTS)
    )
    smooth: bool = setting(True, "whether the total variation of G(a) is a term")
    width: int = setting(128, "channels of the generator's last map", minimum=1, maximum=4096)
    critic_width: int = setting(128, "channels of the critic's first layer", minimum=1, maximum=4096)
    norm: str = setting("layer", "normalisation of both networks", choices=tuple(NORMS))
    task_width: int | None = setting(
        None, "channels of f's first layer; empty: as `task` has", minimum=1, maximum=4096, fixed=True
    )
    classes: int | None = setting(
        None, "number of classes that `task` knows; empty: as many as the data set has", minimum=2, fixed=True
    )
    gan: str = setting(
        "vanilla", "adversarial criterion", choices=tuple(name for name, kind in CRITERIA.items() if not kind.controls)
    )
    lr: float = changed(Learning, "lr", 3e-4)
    beta1: float = changed(Learning, "beta1", 0.9)
    decay_from: float = changed(Learning, "decay_from", 1.0)


class DTN(System):
    """Unpaired translation, one way, by a fixed network: what it says of a picture is all that the generator is told."""

    name = "dtn"
    title = "Unsupervised Cross-Domain Image Generation"
    citation = "Taigman, Polyak, Wolf, ICLR 2017, arXiv:1611.02200"
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv", "λ_GAN", 1.0, "g makes d call G(a) real + g makes d call G(b) real", search=(0.1, 10)),
        Term("const", "α / λ_CONST", 15.0, "mean (f(a) - f(G(a)))^2", group="task", search=(1, 200)),
        Term("tid", "β / λ_TID", 15.0, "mean (b - G(b))^2", group="idt", search=(1, 100)),
        Term(
            "tv",
            "γ / λ_TV",
            0.05,
            "total variation of G(a), mean over the pixels",
            when=lambda h: h.smooth,
            search=(0.005, 5),
        ),
        Term("d", "λ_D", 1.0, "d calls G(a) the first + G(b) the second + b the third; binary: fake, fake, real"),
        Term("gp", "λ_GP / λ_LP", 10.0, "penalty on the gradient of d's odds of real", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "digits": Preset("the paper's SVHN to MNIST: no total variation", hyper={"smooth": False}),
        "faces": Preset("the paper's faces to emoji", weights={"const": 100.0, "tid": 1.0}),
        "code": Preset("Y. Choi's code: D knows real and generated alone", hyper={"critic": BINARY, "smooth": False}),
    }
    shows = ("fake_b", "idt_b")
    Hyper = DTNHyper

    def __init__(self, hyper: DTNHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        assert hyper.classes is not None, "the plan fills the number of classes in"
        channels, image, _ = shapes["b"]
        self.hyper, self.gan = hyper, hyper.criterion
        self.f = Classifier(channels, hyper.classes, hyper.task_width or TASK_WIDTH)
        self.frozen = {"task": self.f.requires_grad_(False)}
        norm = NORMS[hyper.norm]
        self.g = DCGANGenerator(self.f.last.in_features, channels, image, hyper.width, "deconv", norm)
        self.d = DCGANCritic(channels, image, hyper.critic_width, "strided", norm, OUTPUTS[hyper.critic])
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.g,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.g}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> DTN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def needs_task(cls, hyper: Any) -> bool:
        return True

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        DCGANGenerator.check(shapes["b"][1])
        hyper.check_adversary(batch_norm=hyper.norm == "batch")
        if hyper.critic == TERNARY and hyper.gan != "vanilla":
            problem = (
                "a ternary critic is judged by the cross-entropy of three; nearest: vanilla, or hyper.critic binary"
            )
            raise SettingError("hyper.gan", hyper.gan, problem)
        if hyper.critic == TERNARY and hyper.smoothing:
            problem = "a ternary critic has no single target to smooth; nearest: 0, or hyper.critic binary"
            raise SettingError("hyper.smoothing", hyper.smoothing, problem)
        channels_a, channels_b = shapes["a"][0], shapes["b"][0]
        if channels_a != channels_b:
            problem = f"f sees pictures of both domains, a has {channels_a} channels, b has {channels_b}"
            raise SettingError("data.uri", channels_b, f"{problem}; nearest: system cyclegan with hyper.identity false")

    def make(self, pictures: Tensor) -> Tensor:
        """G: pictures of a or of b `[N,C,H,W]` -> pictures of b."""
        made: Tensor = self.g(self.f.features(pictures))
        return made

    def odds(self, pictures: Tensor) -> Tensor:
        """D's log odds of real against all else, `[N,1]`; HIGH = real."""
        return odds_of(self.d(pictures).flatten(1))

    def judged(self, b: Tensor, fake: Tensor, idt: Tensor) -> Scored:
        """D's loss of real pictures, of G(a) and of G(b), `[N,C,H,W]` each, and its accuracy: of real against all else."""
        said = [self.d(pictures).flatten(1).float() for pictures in (fake, idt, b)]
        of_a, of_b, real = (odds_of(logits) for logits in said)
        if self.hyper.critic == TERNARY:
            parts = [-logits.log_softmax(1)[:, kind].mean() for kind, logits in enumerate(said)]
        else:
            parts = [self.gan.fake(of_a), self.gan.fake(of_b), self.gan.real(real)]
        fakes = torch.cat([of_a, of_b])
        outputs = (real.detach().mean(), fakes.detach().mean())
        return Scored(parts[0] + parts[1] + parts[2], self.gan.accuracy(real, fakes), outputs=outputs)

    def judge(self, b: Tensor, fake: Tensor, idt: Tensor) -> Weighed:
        """D's terms; see `judged`."""
        penalty = {"gp": lambda: self.hyper.penalise(self.odds, b, fake)}
        return self.weigh(d=lambda: self.judged(b, fake, idt), **(penalty if self.hyper.penalised else {}))

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """D moves first; g then plays against the moved D with the same pictures. f belongs to no player."""
        a, b = replica.draw("a"), replica.draw("b")
        told = self.f.features(a)
        fake, idt = self.g(told), self.make(b)
        for _ in replica.turns(self.critic):
            yield Move((self.judge(b, fake.detach(), idt.detach()), self.critic))
        smooth = {"tv": lambda: total_variation(fake)}
        made = self.weigh(
            adv=lambda: self.gan.generator(self.odds(fake)) + self.gan.generator(self.odds(idt)),
            const=lambda: F.mse_loss(self.f.features(fake), told),
            tid=lambda: F.mse_loss(idt, b),
            **(smooth if self.hyper.smooth else {}),
        )
        yield Move((made, self.generator))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b` of the pictures of a, `idt_b` of those of b."""
        named = {"fake_b": images.get("a"), "idt_b": images.get("b")}
        return {name: self.make(pictures) for name, pictures in named.items() if pictures is not None}


def odds_of(logits: Tensor) -> Tensor:
    """The log odds of the last of some kinds against all others, `[N,kinds]` -> `[N,1]`; of one number, that number."""
    if logits.shape[1] == 1:
        return logits
    return logits[:, -1:] - logits[:, :-1].logsumexp(1, keepdim=True)


def total_variation(pictures: Tensor) -> Tensor:
    """The mean over the pixels of the length of (right neighbour - pixel, lower neighbour - pixel): a scalar."""
    pictures = pictures.float()
    right = pictures[:, :, :-1, 1:] - pictures[:, :, :-1, :-1]
    below = pictures[:, :, 1:, :-1] - pictures[:, :, :-1, :-1]
    return (right.square() + below.square() + TINY).sqrt().mean()
