"""StarGAN: Choi, Choi, Kim, Ha, Kim, Choo, "StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image
Translation", CVPR 2018.

    L_D = -L_adv + lambda_cls L_cls^r,   L_G = L_adv + lambda_cls L_cls^f + lambda_rec L_rec           (paper, eq. 5, 6)
    L_adv = E_x D_src(x) - E_x,c D_src(G(x, c)) - lambda_gp E_x^ (|grad D_src(x^)| - 1)^2              (paper, eq. 8)

| paper | here | |
| --- | --- | --- |
| x, c' | a picture of b and its own label | `hyper.labels`: class; attributes; domain: of a or of b |
| c | the label that is wanted | those of the batch in another order: a picture may be asked for its own |
| G(x, c) | g | the label as planes beside the picture |
| D_src, D_cls | d | one critic with two heads |
| L_cls^r, L_cls^f | cls_real, cls_fake | cross-entropy of classes; of attributes the sum of each one's own, mean over the batch |
| L_rec | rec | mean abs(x - G(G(x, c), c')) |
| lambda_cls, lambda_rec, lambda_gp | weights.cls, rec, gp | 1, 10, 10 |
| G at every fifth update of D | balance.critic_turns | a step: five moves of D, each on new pictures, then one of G on the last |

Paper and code differ in one place. In the penalty D_src of a picture is a number; the published critic has a map of them, and
the published code differentiates their sum, so that it asks a slope of 1 of the sum. That is the default; in the preset
`patch-mean` it is the mean's. Its generator's instance norms keep running statistics, here none do. The published run has
200,000 moves of D, which are 40,000 steps. Labels change places within a replica, so a replica holds at least two pictures.
`show` asks for labels in turn; as a picture's own label it takes the attributes it is told, else what D reads. eval/reached is D's
own reading, which G plays for: it flatters, and compares trials of one D with each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.adversarial import CRITERIA
from trainers.errors import SettingError
from trainers.hyper import Adversary, Learning, penalised
from trainers.measures import l1
from trainers.networks.star import StarCritic, StarGenerator, halvings_for
from trainers.replica import attributes
from trainers.settings import Balance, Preset, Reads, Score, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System, Weighed

LEAST_CLASSES = 2
CLASS, ATTRIBUTES, DOMAIN = "class", "attributes", "domain"
READS = {
    CLASS: Reads(("b",), paired=False, labelled=("b",)),
    ATTRIBUTES: Reads(("b",), paired=False, attributed=("b",)),
    DOMAIN: Reads(("a", "b"), paired=False),
}


@dataclass(frozen=True)
class StarGANHyper(Learning, Adversary):
    """StarGAN's settings with the published defaults. The published batch is 16."""

    labels: str = setting(
        CLASS,
        "what is translated to: pictures of another class, with other attributes, or of the other one of a and b",
        choices=tuple(READS),
        fixed=True,
    )
    classes: int | None = setting(
        None, "number of classes or attributes; empty: as many as the data set has", minimum=1, fixed=True
    )
    width: int = setting(64, "channels of the generator's first layer", minimum=1, maximum=4096)
    blocks: int = setting(6, "residual blocks", minimum=1, maximum=64)
    critic_width: int = setting(64, "channels of the critic's first layer; doubled with each halving", minimum=1)
    halvings: int | None = setting(
        None, "halvings in the critic; empty: until 2 pixels are left, at most 6", minimum=1, maximum=12
    )
    gan: str = setting(
        "wgan", "adversarial criterion", choices=tuple(name for name, kind in CRITERIA.items() if not kind.controls)
    )
    penalty: str = changed(Adversary, "penalty", "gp")
    penalty_patches: str = changed(Adversary, "penalty_patches", "sum")
    lr: float = changed(Learning, "lr", 1e-4)

    @property
    def count(self) -> int:
        """How many labels there are."""
        assert self.labels == DOMAIN or self.classes is not None, "the plan fills in the data set's"
        return len(READS[DOMAIN].domains) if self.labels == DOMAIN else self.classes or 0


class StarGAN(System):
    """One generator for translations between any of many kinds of pictures, told by a label."""

    name = "stargan"
    title = "StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image Translation"
    citation = "Choi, Choi, Kim, Ha, Kim, Choo, CVPR 2018, arXiv:1711.09020"
    reads = READS[CLASS]
    balance = Balance(critic_turns=5)
    terms = (
        Term("adv", "λ_adv", 1.0, "g makes D_src call g(x, c) real", search=(0.1, 10)),
        Term("cls_fake", "λ_cls", 1.0, "D_cls reads c in g(x, c)", group="cls", search=(0.1, 10)),
        Term("rec", "λ_rec", 10.0, "mean |x - g(g(x, c), c')|", group="cyc", search=(1, 100)),
        Term("d", "λ_D", 1.0, "D_src calls x real + D_src calls g(x, c) fake"),
        Term("cls_real", "λ_cls", 1.0, "D_cls reads c' in x", group="cls", search=(0.1, 10)),
        Term("gp", "λ_gp / λ_GP", 10.0, "penalty on D_src's gradient", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "patch-mean": Preset(
            "the penalty on the slope of a picture's mean over the patches, not of their sum",
            hyper={"penalty_patches": "mean"},
        ),
        "celeba": Preset("the paper's faces: attributes instead of classes", hyper={"labels": ATTRIBUTES}),
        "two-domains": Preset("a and b, as in a CycleGAN with one generator", hyper={"labels": DOMAIN}),
    }
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b")
    judges = (
        Score(
            "reached", "max", "", "", "share of labels, asked for in turn, that D_cls reads in g(x, c)", measures="cls"
        ),
        Score("back", "min", "", "", "mean |x - g(g(x, c), c')| over all labels c, images in [0, 1]", measures="cyc"),
    )
    Hyper = StarGANHyper
    min_per_replica = 2

    def __init__(self, hyper: StarGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels, image, _ = shapes["b"]
        self.hyper, self.reads, self.count = hyper, self.reading(hyper), hyper.count
        self.gan = hyper.criterion
        self.g = StarGenerator(channels, self.count, hyper.width, hyper.blocks)
        halvings = halvings_for(image, hyper.halvings)
        self.d = StarCritic(channels, image, self.count, hyper.critic_width, halvings)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.g,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.g, "a": self.g} if hyper.labels == DOMAIN else {}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> StarGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def reading(cls, hyper: Any) -> Reads:
        """What tells the labels, too."""
        return READS[hyper.labels]

    @classmethod
    def showing(cls, hyper: Any) -> tuple[str, ...]:
        """Pictures of domain a only where it is one of the labels."""
        return cls.shows if hyper.labels == DOMAIN else ("fake_b", "cycle_b")

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        channels, image, _ = shapes["b"]
        StarGenerator.check(image)
        StarCritic.check(image, hyper.halvings)
        hyper.check_adversary()
        if hyper.labels == DOMAIN and shapes["a"][0] != channels:
            has = f"{shapes['a'][0]} of a and {channels} of b"
            problem = (
                f"one generator makes pictures of both, and their channels differ ({has}); nearest: system cyclegan"
            )
            raise SettingError("hyper.labels", hyper.labels, problem)
        least = LEAST_CLASSES if hyper.labels == CLASS else 1
        if hyper.labels != DOMAIN and hyper.classes is not None and hyper.classes < least:
            problem = f"there is nothing to translate between; nearest: {least}"
            raise SettingError("hyper.classes", hyper.classes, problem)

    def draw(self, replica: Replica) -> tuple[Tensor, Tensor]:
        """Real pictures `[N,C,H,W]` and their own labels `[N,labels]`, 0 or 1. Of domains as many of a as of b."""
        if self.hyper.labels == DOMAIN:
            sides = [replica.draw(domain) for domain in self.reads.domains]
            pictures = torch.cat(sides)
            return pictures, self.hot(torch.arange(len(pictures), device=pictures.device) // len(sides[0]))
        pictures, told = replica.draw_labelled("b")
        return pictures, self.hot(told)

    def hot(self, told: Tensor) -> Tensor:
        """Labels as a batch has them, int64 `[N]` or bool `[N,labels]` -> `[N,labels]`, float."""
        return (told if self.hyper.labels == ATTRIBUTES else F.one_hot(told, self.count)).float()

    def classify(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What it costs to read `labels` as D's logits do, `[N,labels]` each: a scalar."""
        if self.hyper.labels == ATTRIBUTES:
            return F.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / len(logits)
        return F.cross_entropy(logits, labels)

    def judge(self, real: Tensor, fake: Tensor, own: Tensor) -> Weighed:
        """D's terms: pictures `[N,C,H,W]` each, and the labels of the real ones."""

        @cache
        def seen() -> tuple[Tensor, Tensor]:
            said: tuple[Tensor, Tensor] = self.d(real)
            return said

        penalty = {"gp": lambda: self.hyper.penalise(lambda image: self.d(image)[0], real, fake)}
        return self.weigh(
            d=lambda: self.gan.critic(seen()[0], self.d(fake)[0], scale=1.0),
            cls_real=lambda: self.classify(seen()[1], own),
            **(penalty if self.hyper.penalised else {}),
        )

    def play(self, real: Tensor, own: Tensor, wanted: Tensor) -> Weighed:
        """G's terms: pictures `[N,C,H,W]`, their labels and those that they are to have, `[N,labels]` each."""
        fake = self.g(real, wanted)

        @cache
        def seen() -> tuple[Tensor, Tensor]:
            said: tuple[Tensor, Tensor] = self.d(fake)
            return said

        return self.weigh(
            adv=lambda: self.gan.generator(seen()[0]),
            cls_fake=lambda: self.classify(seen()[1], wanted),
            rec=lambda: (real - self.g(fake, own)).abs().mean(),
        )

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """D moves on new pictures each time; then G, on the last ones, against the moved D."""
        for _ in replica.turns(self.critic):
            real, own = self.draw(replica)
            wanted = own[torch.randperm(len(own)).to(own.device)]
            with torch.no_grad():
                fake = self.g(real, wanted)
            yield Move((self.judge(real, fake, own), self.critic))
        yield Move((self.play(real, own, wanted), self.generator))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each picture of b with a label in turn: the first one's is 0, the next one's 1, and so on. Of domains, translations
        from each to the other. In both cases the way back, too."""
        shown: dict[str, Tensor] = {}
        if self.hyper.labels != DOMAIN:
            if "b" in images:
                b = images["b"]
                own = self.own(b, images.get(attributes("b")))
                shown["fake_b"] = self.g(b, self.turned(own))
                shown["cycle_b"] = self.g(shown["fake_b"], own)
            return shown
        for here, there in (("a", "b"), ("b", "a")):
            if here in images:
                x = images[here]
                own, other = (self._domain(name, x) for name in (here, there))
                shown[f"fake_{there}"] = self.g(x, other)
                shown[f"cycle_{here}"] = self.g(shown[f"fake_{there}"], own)
        return shown

    def own(self, pictures: Tensor, told: Tensor | None) -> Tensor:
        """The labels of pictures, `[N,labels]`: the attributes that are told, else what D reads."""
        return self.read(pictures) if told is None else self.hot(told)

    def read(self, pictures: Tensor) -> Tensor:
        """The labels that D reads in pictures: `[N,labels]`, 0 or 1."""
        logits = self.d(pictures)[1]
        return (logits > 0).float() if self.hyper.labels == ATTRIBUTES else self.hot(logits.argmax(1))

    def turned(self, own: Tensor, first: int = 0) -> Tensor:
        """Labels to be asked for in turn, from `first` on: of attributes, each picture's own with that one turned over."""
        turns = F.one_hot((torch.arange(len(own), device=own.device) + first) % self.count, self.count).float()
        return (own - turns).abs() if self.hyper.labels == ATTRIBUTES else turns

    def _domain(self, name: str, pictures: Tensor) -> Tensor:
        place = torch.full((len(pictures),), self.reads.domains.index(name), device=pictures.device)
        return self.hot(place)

    def verdicts(self, images: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`reached` and `back`, `[N]`, of the pictures of b, over all labels. Of attributes `reached` is held against the one
        that was turned over."""
        b = images["b"]
        own = self.own(b, None)
        right, far = torch.zeros(2, len(b), device=b.device).unbind(0)
        for first in range(self.count):
            asked = self.turned(own, first)
            turned = asked != own if self.hyper.labels == ATTRIBUTES else asked > 0
            made = self.g(b, asked)
            right = right + ((self.read(made) == asked) & turned).any(1)
            far = far + l1(self.g(made, own), b)
        return {"reached": right / self.count, "back": far / self.count}
