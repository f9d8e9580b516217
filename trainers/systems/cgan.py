"""A conditional GAN whose critic knows mismatches: Reed et al., "Generative Adversarial Text to Image Synthesis", ICML 2016
(GAN-CLS), with classes in place of texts, as in Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014.

    L_D = l(s_r, 1) + 1/2 [l(s_w, 0) + l(s_f, 0)],   L_G = l(s_f, 1)                             (GAN-CLS, algorithm 1)

| paper | here | |
| --- | --- | --- |
| s_r | d(b, label) | a real picture and its own label |
| s_w | d(b, wrong label) | the same picture and a label that is not its own; left out without `hyper.matching` |
| s_f | d(g(z, label), label) | a generated picture and the label it was made for |
| h | one-hot labels | the data set's classes, whatever they name: classes, attributes, domains |

A wrong label is the right one moved on by a random number of classes, so it never is the right one. Public code shifts the
labels within a batch, where the next sample may be of the same class. Without matching D plays the game of 2014,
l(s_r, 1) + l(s_f, 0), as loud as with it. G plays new noise against the moved D, as in the code of Reed et al.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.errors import SettingError
from trainers.from_noise import COMPANY, NORMS, NoiseHyper
from trainers.hyper import penalised
from trainers.networks.dcgan import LabelledCritic, LabelledGenerator
from trainers.settings import Preset, Reads, Term, setting
from trainers.system import Move, Player, Replica, Scored, Shapes, System, Weighed

LEAST_CLASSES = 2


@dataclass(frozen=True)
class CGANHyper(NoiseHyper):
    """The settings with GAN-CLS's published defaults."""

    classes: int | None = setting(None, "number of classes; empty: as many as the data set has", minimum=LEAST_CLASSES)
    matching: bool = setting(True, "whether a real picture beside a wrong label is a negative too")
    embedding: int = setting(128, "length of a label's embedding, one for each network", minimum=1, maximum=4096)


class CGAN(System):
    """Pictures of a given class from noise."""

    name = "cgan"
    title = "Generative Adversarial Text to Image Synthesis"
    citation = "Reed et al., ICML 2016, arXiv:1605.05396; Mirza, Osindero, 2014, arXiv:1411.1784"
    reads = Reads(("b",), paired=False, labelled=("b",))
    terms = (
        Term("adv", "λ_adv", 1.0, "G makes D call g(z, label) real, and right"),
        Term("d", "λ_D", 1.0, "D calls (b, label) real + the mean of the negatives, (b, wrong label) and (g, label)"),
        Term("gp", "λ_GP / λ_LP", 10.0, "penalty on D's gradient", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "plain": Preset("Mirza and Osindero 2014: no wrong labels", hyper={"matching": False}),
    }
    shows = ("fake_b",)
    varied = True
    Hyper = CGANHyper

    def __init__(self, hyper: CGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        assert hyper.classes is not None, "the plan fills in the data set's"
        channels, image, _ = shapes["b"]
        self.hyper, self.classes = hyper, hyper.classes
        self.gan = hyper.criterion
        self.g = LabelledGenerator(
            self.classes,
            hyper.embedding,
            hyper.latent,
            channels,
            image,
            hyper.width,
            hyper.upsample,
            NORMS[hyper.generator_norm],
        )
        self.d = LabelledCritic(
            self.classes, hyper.embedding, channels, image, hyper.critic_width, hyper.downsample, NORMS[hyper.norm]
        )
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.g,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, torch.nn.Module] = {}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> CGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check(shapes)
        if hyper.classes is not None and hyper.classes < LEAST_CLASSES:
            problem = f"there is no wrong label among so few classes; nearest: {LEAST_CLASSES}"
            raise SettingError("hyper.classes", hyper.classes, problem)

    def wrong(self, labels: Tensor) -> Tensor:
        """For each of `labels: int64 [N]` one of the other classes, all equally likely: int64 `[N]`."""
        further = torch.randint(1, self.classes, labels.shape, device="cpu").to(labels.device)
        return (labels + further) % self.classes

    def make(self, labels: Tensor) -> Tensor:
        """g(z, labels) for new noise: a picture for each of `labels: int64 [N]`."""
        made: Tensor = self.g(self.hyper.noise(len(labels), labels.device), self.hot(labels))
        return made

    def hot(self, labels: Tensor) -> Tensor:
        """`labels: int64 [N]` -> `[N,classes]`, float."""
        return F.one_hot(labels, self.classes).float()

    def judge(self, b: Tensor, fake: Tensor, labels: Tensor) -> Weighed:
        """D's terms: `b` real, `fake` generated, `[N,C,H,W]` each, both of `labels: int64 [N]`."""
        right, wrong = self.hot(labels), self.hot(self.wrong(labels))

        def d() -> Scored:
            negatives = [self.d(fake, right), *([self.d(b, wrong)] if self.hyper.matching else [])]
            # The criterion takes the mean, so that several kinds of negatives weigh as much as one.
            return self.gan.critic(self.d(b, right), torch.cat(negatives), scale=1.0)

        penalty = {"gp": lambda: self.hyper.penalise(lambda image: self.d(image, right), b, fake)}
        return self.weigh(d=d, **(penalty if self.hyper.penalised else {}))

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """D moves on new pictures and new noise each time; then G plays new noise, for the same labels, against the moved D."""
        for _ in replica.turns(self.critic):
            b, labels = replica.draw_labelled("b")
            with torch.no_grad():
                fake = self.make(labels)
            yield Move((self.judge(b, fake, labels), self.critic))
        made = self.weigh(adv=lambda: self.gan.generator(self.d(self.make(labels), self.hot(labels))))
        yield Move((made, self.generator))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As many new pictures as there are of domain b: one of class 0, one of class 1, and so on, from the start again."""
        if "b" not in images:
            return {}
        wanted = images["b"]
        labels = torch.arange(max(len(wanted), COMPANY), device=wanted.device) % self.classes
        return {"fake_b": self.make(labels)[: len(wanted)]}
