"""A conditional GAN whose critic knows mismatches: Reed et al., "Generative Adversarial Text to Image Synthesis", ICML 2016
(GAN-CLS), with labels in place of texts, as in Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014.

    L_D = l(s_r, 1) + 1/2 [l(s_w, 0) + l(s_f, 0)],   L_G = l(s_f, 1)                             (GAN-CLS, algorithm 1)

| paper | here | |
| --- | --- | --- |
| s_r | d(b, label) | a real picture, with `hyper.labels: domain` one of a or of b, and its own label |
| s_w | d(b, wrong label) | the same picture and a label that is not its own; left out without `hyper.matching` |
| s_f | d(g(z, label), label) | a generated picture and the label it was made for |
| h | the label in 0 and 1 | `hyper.labels`: one-hot for the class or for the domain, a 1 for each attribute that a picture has |

A wrong label never is the right one. Of classes and domains it is the right one moved on by a random number of them. Wrong
attributes are those of a sample of the batch that has other ones; where all have the same, their own with one turned over.
Public code shifts the labels within a batch, where the next sample may have an equal one. Of domains a batch holds as many
pictures of a as of b. Without matching D plays the game of 2014, l(s_r, 1) + l(s_f, 0), as loud as with it. G plays new noise
against the moved D, as in the code of Reed et al.
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
from trainers.replica import attributes
from trainers.settings import Preset, Reads, Term, setting
from trainers.system import Move, Player, Replica, Scored, Shapes, System, Weighed

LEAST_CLASSES = 2
CLASS, ATTRIBUTES, DOMAIN = "class", "attributes", "domain"
READS = {
    CLASS: Reads(("b",), paired=False, labelled=("b",)),
    ATTRIBUTES: Reads(("b",), paired=False, attributed=("b",)),
    DOMAIN: Reads(("a", "b"), paired=False, mixed=True),
}


@dataclass(frozen=True)
class CGANHyper(NoiseHyper):
    """The settings with GAN-CLS's published defaults."""

    labels: str = setting(
        CLASS,
        "what a picture is told by: its class, its attributes, or whether it is of domain a or b",
        choices=tuple(READS),
        fixed=True,
    )
    classes: int | None = setting(
        None,
        "number of classes, attributes or domains; empty: as many as the data set has",
        minimum=LEAST_CLASSES,
        fixed=True,
    )
    matching: bool = setting(True, "whether a real picture beside a wrong label is a negative too")
    embedding: int = setting(128, "length of a label's embedding, one for each network", minimum=1, maximum=4096)


class CGAN(System):
    """Pictures of a given class from noise."""

    name = "cgan"
    title = "Generative Adversarial Text to Image Synthesis"
    citation = "Reed et al., ICML 2016, arXiv:1605.05396; Mirza, Osindero, 2014, arXiv:1411.1784"
    reads = READS[CLASS]
    terms = (
        Term("adv", "λ_adv", 1.0, "G makes D call g(z, label) real, and right"),
        Term("d", "λ_D", 1.0, "D calls (b, label) real + the mean of the negatives, (b, wrong label) and (g, label)"),
        Term("gp", "λ_GP / λ_LP", 10.0, "penalty on D's gradient", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "plain": Preset("Mirza and Osindero 2014: no wrong labels", hyper={"matching": False}),
    }
    shows = ("fake_b", "fake_a")
    varied = True
    Hyper = CGANHyper

    def __init__(self, hyper: CGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        assert hyper.classes is not None, "the plan fills in the data set's"
        channels, image, _ = shapes["b"]
        self.hyper, self.reads, self.classes = hyper, self.reading(hyper), hyper.classes
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
    def reading(cls, hyper: Any) -> Reads:
        """What tells the labels, too."""
        return READS[hyper.labels]

    @classmethod
    def showing(cls, hyper: Any) -> tuple[str, ...]:
        """Pictures of domain a only where it is one of the labels."""
        return cls.shows if hyper.labels == DOMAIN else ("fake_b",)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check(shapes)
        if hyper.labels == DOMAIN:
            _check_domains(shapes, hyper)
        elif hyper.labels == CLASS and hyper.classes is not None and hyper.classes < LEAST_CLASSES:
            problem = f"there is no wrong label among so few classes; nearest: {LEAST_CLASSES}"
            raise SettingError("hyper.classes", hyper.classes, problem)

    def wrong(self, labels: Tensor) -> Tensor:
        """For each of `labels` another one. Of int64 `[N]` one of the other classes, all equally likely: int64 `[N]`; of
        bool `[N,classes]` see `other_attributes`."""
        if self.hyper.labels == ATTRIBUTES:
            return other_attributes(labels)
        further = torch.randint(1, self.classes, labels.shape, device="cpu").to(labels.device)
        return (labels + further) % self.classes

    def make(self, labels: Tensor) -> Tensor:
        """g(z, labels) for new noise: a picture for each of `labels`, int64 `[N]` or bool `[N,classes]`."""
        made: Tensor = self.g(self.hyper.noise(len(labels), labels.device), self.hot(labels))
        return made

    def hot(self, labels: Tensor) -> Tensor:
        """`labels`, int64 `[N]` or bool `[N,classes]` -> `[N,classes]`, float."""
        return (labels if self.hyper.labels == ATTRIBUTES else F.one_hot(labels, self.classes)).float()

    def draw(self, replica: Replica) -> tuple[Tensor, Tensor]:
        """Real pictures `[N,C,H,W]` and their labels. Of domains as many of a, whose label is 0, as of b."""
        if self.hyper.labels != DOMAIN:
            return replica.draw_labelled("b")
        sides = [replica.draw(domain) for domain in self.reads.domains]
        both = torch.cat(sides)
        return both, torch.arange(len(both), device=both.device) // len(sides[0])

    def judge(self, b: Tensor, fake: Tensor, labels: Tensor) -> Weighed:
        """D's terms: `b` real, `fake` generated, `[N,C,H,W]` each, both of `labels`."""
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
            b, labels = self.draw(replica)
            with torch.no_grad():
                fake = self.make(labels)
            yield Move((self.judge(b, fake, labels), self.critic))
        made = self.weigh(adv=lambda: self.gan.generator(self.d(self.make(labels), self.hot(labels))))
        yield Move((made, self.generator))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """New pictures. Of classes as many as there are of domain b: one of class 0, one of class 1, and so on, from the start
        again. Of attributes each has those of the picture of b in its place, `attributes("b")`: bool `[N,classes]`, beside
        the images; where they are not given, one attribute alone after the other. Of domains one of b for each picture of a,
        or of b where there is none of a, and one of a for each picture of b.
        """
        if self.hyper.labels == DOMAIN:
            return self._show_domains(images)
        if "b" not in images:
            return {}
        wanted = images["b"]
        places = torch.arange(max(len(wanted), COMPANY), device=wanted.device)
        labels = places % self.classes
        if self.hyper.labels == ATTRIBUTES:
            told = images.get(attributes("b"))
            labels = torch.eye(self.classes, dtype=torch.bool, device=wanted.device)[labels]
            labels = labels if told is None else told[places % len(told)]
        return {"fake_b": self.make(labels)[: len(wanted)]}

    def _show_domains(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        beside = {"fake_a": images.get("b"), "fake_b": images.get("a", images.get("b"))}
        counts = {name: len(pictures) for name, pictures in beside.items() if pictures is not None}
        if not counts:
            return {}
        # As in training, half of those that are made together are of either domain.
        each = max(*counts.values(), COMPANY)
        device = next(iter(images.values())).device
        made = self.make(torch.arange(2 * each, device=device) // each)
        sides = dict(zip(("fake_a", "fake_b"), made.split(each), strict=True))
        return {name: sides[name][:count] for name, count in counts.items()}


def other_attributes(told: Tensor) -> Tensor:
    """For each row of `told: bool [N,A]` one that is another: that of a sample that differs, all of those equally likely, or
    where there is none its own with one attribute turned over. Bool `[N,A]`."""
    count, names = told.shape
    differs = (told[:, None] != told).any(2)
    # The largest of random numbers, one for each sample that differs: each of them is as likely.
    place = torch.rand(count, count).to(told.device).masked_fill(~differs, -1.0).argmax(1)
    turned = F.one_hot(torch.randint(names, (count,)), names).bool().to(told.device)
    return torch.where(differs.any(1, keepdim=True), told[place], told ^ turned)


def _check_domains(shapes: Shapes, hyper: CGANHyper) -> None:
    """SettingError where one generator cannot make pictures of both."""
    domains = READS[DOMAIN].domains
    if hyper.classes not in (None, len(domains)):
        raise SettingError(
            "hyper.classes", hyper.classes, f"there are {len(domains)} domains to tell apart; leave it out"
        )
    channels = [shapes[domain][0] for domain in domains]
    if len(set(channels)) > 1:
        has = " and ".join(f"{count} of {domain}" for count, domain in zip(channels, domains, strict=True))
        problem = f"one generator makes pictures of both domains, and their channels differ ({has}); nearest: {CLASS}"
        raise SettingError("hyper.labels", hyper.labels, problem)
