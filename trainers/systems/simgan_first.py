"""What SimGAN's refiner learns before the game: to leave pictures as they are. See `simgan.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from trainers.hyper import Learning
from trainers.networks.classifier import Classifier
from trainers.networks.refiner import Refiner
from trainers.settings import Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System

FIRST = "first"
PIXELS, COLOUR, FEATURES = "pixels", "colour", "features"
TASK_WIDTH = 32  # of a task network that nobody trained
# What is left of |psi(R(x)) - psi(x)|, `[N,...]`: a scalar.
REDUCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda gap: gap.flatten(1).sum(1).mean(),
    "mean": lambda gap: gap.mean(),
}


@dataclass(frozen=True)
class SimGANFirstHyper(Learning):
    """The settings of the refiner, before the game and in it."""

    psi: str = setting(
        PIXELS,
        "what R keeps of a picture: its pixels, the mean of each pixel's colours, or the features of `task`",
        choices=(PIXELS, COLOUR, FEATURES),
    )
    reduction: str = setting(
        "sum", "its change, of a picture: the sum over what psi gives, or the mean", choices=tuple(REDUCTIONS)
    )
    width: int = setting(64, "channels of R", minimum=1, maximum=4096)
    blocks: int = setting(4, "residual blocks of R", minimum=0, maximum=64)
    task_width: int | None = setting(
        None, "channels of the task network's first layer; empty: as `task` has", minimum=1, maximum=4096, fixed=True
    )
    classes: int | None = setting(
        None, "number of classes that `task` knows; empty: as many as the data set has", minimum=2, fixed=True
    )
    optimizer: str = changed(Learning, "optimizer", "sgd")
    lr: float = changed(Learning, "lr", 1e-3)
    decay_from: float = changed(Learning, "decay_from", 1.0)

    def build_task(self, channels: int) -> Classifier | None:
        """The frozen network whose features are kept; None where none are."""
        if self.psi != FEATURES:
            return None
        assert self.classes is not None, "the plan fills the number of classes in"
        return Classifier(channels, self.classes, self.task_width or TASK_WIDTH).requires_grad_(False)

    def kept(self, a: Tensor, refined: Tensor, task: Classifier | None) -> Tensor:
        """|psi(refined) - psi(a)| of pictures `[N,C,H,W]` each: a scalar."""

        def psi(pictures: Tensor) -> Tensor:
            if task is not None:
                return task.features(pictures)
            return pictures if self.psi == PIXELS else pictures.mean(1, keepdim=True)

        return REDUCTIONS[self.reduction]((psi(refined).float() - psi(a).float()).abs())


FIRST_TERMS = (
    Term(
        "reg_first",
        "λ_first",
        0.05,
        "before the game: |psi(ab(a)) - psi(a)|, the sum over a picture",
        search=(0.0005, 0.5),
        stage=FIRST,
    ),
)


class SimGANFirst(System):
    """The refiner alone, held to its input."""

    name = "simgan"
    title = "Learning from Simulated and Unsupervised Images through Adversarial Training"
    citation = "Shrivastava, Pfister, Tuzel, Susskind, Wang, Webb, CVPR 2017, arXiv:1612.07828"
    reads = Reads(("a",), paired=False)
    terms = FIRST_TERMS
    shows = ("fake_b",)
    Hyper = SimGANFirstHyper
    stage = FIRST

    def __init__(self, hyper: SimGANFirstHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        self.hyper = hyper
        channels = shapes["a"][0]
        self.ab = Refiner(channels, hyper.width, hyper.blocks)
        self.task = hyper.build_task(channels)
        self.frozen = {} if self.task is None else {"task": self.task}
        self.refiner = Player("refiner", (self.ab,), hyper.build_optimizer(), hyper.rate(steps))
        self.players = (self.refiner,)
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, nn.Module] = {}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> SimGANFirst:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def needs_task(cls, hyper: Any) -> bool:
        return bool(hyper.psi == FEATURES)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        """Any picture fits."""

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """One batch, one move."""
        a = replica.draw("a")
        yield Move((self.weigh(reg_first=lambda: self.hyper.kept(a, self.ab(a), self.task)), self.refiner))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b`: the pictures of a, refined."""
        return {"fake_b": self.ab(images["a"])} if "a" in images else {}
