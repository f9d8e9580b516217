"""A segmenter of one domain: the task network that knows what each pixel shows, and that other sweeps name as their `task`.

    min_T  E -log softmax(T(x)_p)_(t_p)

x is a picture, p one of its pixels, and t its label map: the class of each. The maps are a domain of the data set, joined to the
pictures by key. They are drawn as pictures are, and what is done to a picture is done to its map: a crop and a mirror image move
whole pixels, and where a map has to be scaled each pixel is the nearest one's, so that no class is made of two others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.hyper import Learning
from trainers.label_maps import MOST_CLASSES, classes_of, levels_of, mean_iou, overlaps, share
from trainers.networks.classifier import Segmenter as Network
from trainers.settings import Reads, Score, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System

LEAST_IMAGE = 4  # pixels: two halvings
DOMAINS = ("a", "b")
LABELS = "labels"  # what the builders call the domain of label maps


@dataclass(frozen=True)
class SegmenterHyper(Learning):
    """The segmenter's settings."""

    domain: str = setting("b", "the domain whose pictures it learns to read", choices=DOMAINS, fixed=True)
    label_map: str = setting(
        LABELS, "the domain of their label maps: a grey level for each class of pixels", fixed=True
    )
    classes: int | None = setting(
        None, "number of classes; empty: as many as the label maps have", minimum=2, maximum=MOST_CLASSES, fixed=True
    )
    width: int = setting(32, "channels of the first layer", minimum=1, maximum=4096)
    lr: float = changed(Learning, "lr", 1e-3)
    beta1: float = changed(Learning, "beta1", 0.9)


class Segmenter(System):
    """What each pixel of one domain's pictures shows, learned from their label maps."""

    name = "segmenter"
    title = "A segmenter of one domain: a task network"
    citation = "no paper: the cross-entropy of the classes of one domain's pixels"
    reads = Reads(("b", LABELS), paired=True, label_map=LABELS)
    terms = (Term("ce", "ce", 1.0, "cross-entropy of T(x) and the label map of x, in nats, mean over the pixels"),)
    shows = ()
    judges = (
        Score("accuracy", "max", "", "", "share of the validation pictures' pixels whose class is found"),
        Score("miou", "max", "", "", "mean over the classes of pixels in map and reading / pixels in either"),
    )
    Hyper = SegmenterHyper

    def __init__(self, hyper: SegmenterHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        assert hyper.classes is not None, "the plan fills the number of classes in"
        self.hyper, self.reads, self.classes = hyper, self.reading(hyper), hyper.classes
        self.network = Network(shapes[hyper.domain][0], hyper.classes, hyper.width)
        self.segmenter = Player("segmenter", (self.network,), hyper.build_optimizer(), hyper.rate(steps))
        self.players = (self.segmenter,)
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, nn.Module] = {}
        self.tables = {"miou": 2 * hyper.classes}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> Segmenter:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def reading(cls, hyper: Any) -> Reads:
        """The pictures of `hyper.domain` and their label maps, in pairs."""
        return Reads((hyper.domain, hyper.label_map), paired=True, label_map=hyper.label_map)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes[hyper.domain][1]
        if image < LEAST_IMAGE:
            problem = f"the segmenter needs an image of at least {LEAST_IMAGE} pixels, not {image}"
            raise SettingError("data.image", image, f"{problem}; nearest: {LEAST_IMAGE}")
        if hyper.classes is not None and not 2 <= hyper.classes <= MOST_CLASSES:
            told = "there is nothing to tell apart" if hyper.classes < 2 else "a grey level stands for one class"
            nearest = min(max(hyper.classes, 2), MOST_CLASSES)
            raise SettingError("hyper.classes", hyper.classes, f"{told}; nearest: {nearest}")

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """One batch, one move."""
        images, maps = replica.draw_pair()
        yield Move((self.weigh(ce=lambda: self.cross_entropy(images, maps)), self.segmenter))

    def cross_entropy(self, images: Tensor, maps: Tensor) -> Tensor:
        """Of pictures `[N,C,H,W]` and their label maps `[N,1,H,W]`, both in [-1, 1]: a scalar."""
        # A row of pixels: torch's cross-entropy of maps is not deterministic on CUDA.
        logits = self.network(images).permute(0, 2, 3, 1).flatten(0, 2)
        return F.cross_entropy(logits, classes_of(levels_of(maps), self.classes).flatten())

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Nothing: it makes no pictures."""
        return {}

    def verdicts(self, images: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`accuracy`, `[N]`: the share of a picture's pixels that are read as its map says; `miou`, `[N,2 x classes]`: the
        counts that it is made of."""
        said = self.network(images[self.hyper.domain]).argmax(1)
        truth = classes_of(levels_of(images[self.hyper.label_map]), self.classes)
        return {"accuracy": share(said, truth), "miou": overlaps(said, truth, self.classes)}

    def total(self, name: str, rows: Tensor) -> float:
        """`miou`, of the counts of all pictures."""
        return mean_iou(rows)
