"""A classifier of one labelled domain: the task network that other sweeps name as their `task`, and are judged by.

    min_T  E -log softmax(T(x))_t

It is no translation, but a game of one player: so it is trained as every system is, exactly, on any number of workers, and
goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.hyper import Learning
from trainers.networks.classifier import Classifier as Network
from trainers.settings import Reads, Score, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System

LEAST_IMAGE = 8  # pixels: three halvings
DOMAINS = ("a", "b")


@dataclass(frozen=True)
class ClassifierHyper(Learning):
    """The classifier's settings."""

    domain: str = setting("b", "the domain whose pictures it learns to tell apart", choices=DOMAINS, fixed=True)
    classes: int | None = setting(None, "number of classes; empty: as many as the data set has", minimum=2, fixed=True)
    width: int = setting(32, "channels of the first layer", minimum=1, maximum=4096)
    lr: float = changed(Learning, "lr", 1e-3)
    beta1: float = changed(Learning, "beta1", 0.9)


class Classifier(System):
    """One domain's classes, learned from its labels."""

    name = "classifier"
    title = "A classifier of one domain: a task network"
    citation = "no paper: the cross-entropy of one domain's classes"
    reads = Reads(("b",), paired=False, labelled=("b",))
    terms = (Term("ce", "ce", 1.0, "cross-entropy of T(x) and the class of x, in nats"),)
    shows = ()
    judges = (Score("accuracy", "max", "", "", "share of the validation pictures whose class is found"),)
    Hyper = ClassifierHyper

    def __init__(self, hyper: ClassifierHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        assert hyper.classes is not None, "the plan fills the number of classes in"
        self.hyper, self.reads = hyper, self.reading(hyper)
        self.network = Network(shapes[hyper.domain][0], hyper.classes, hyper.width)
        self.classifier = Player("classifier", (self.network,), hyper.build_optimizer(), hyper.rate(steps))
        self.players = (self.classifier,)
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, nn.Module] = {}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> Classifier:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def reading(cls, hyper: Any) -> Reads:
        """The pictures and classes of `hyper.domain` alone."""
        return Reads((hyper.domain,), paired=False, labelled=(hyper.domain,))

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes[hyper.domain][1]
        if image < LEAST_IMAGE:
            problem = f"the classifier needs an image of at least {LEAST_IMAGE} pixels, not {image}"
            raise SettingError("data.image", image, f"{problem}; nearest: {LEAST_IMAGE}")
        if hyper.classes is not None and hyper.classes < 2:
            raise SettingError("hyper.classes", hyper.classes, "there is nothing to tell apart; nearest: 2")

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """One batch, one move."""
        images, classes = replica.draw_labelled(self.hyper.domain)
        yield Move((self.weigh(ce=lambda: F.cross_entropy(self.network(images), classes)), self.classifier))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Nothing: it makes no pictures."""
        return {}

    def verdicts(self, images: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`accuracy`, `[N]`: 1 where the largest logit is the class's."""
        said = self.network(images[self.hyper.domain]).argmax(1)
        return {"accuracy": (said == labels[self.hyper.domain]).float()}
