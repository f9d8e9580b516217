"""CRN: Chen, Koltun, "Photographic Image Synthesis with Cascaded Refinement Networks", ICCV 2017.

    L = sum_l lambda_l |Phi_l(I) - Phi_l(g(L))|_1                                                         (paper, eq. 1)
    with k pictures:  sum_p min_u sum_l lambda_l sum_j |L_p^l * (Phi_l^j(I) - Phi_l^j(g_u(L)))|_1   (paper, eq. 3)

| paper | here | |
| --- | --- | --- |
| L, I | a, b | `hyper.input: label_map`: L is the label map of b, a plane for each class |
| g | ab | no critic plays |
| Phi_0 | pix | the pixels |
| Phi_1 .. | feat_1 .. feat_3 | the layers of the sweep's `task`, a classifier or a segmenter, as it was trained |
| lambda_l | weights.pix, task | 1, of a mean over the layer: the paper's first values |
| k, g_u | hyper.images | with several, `show` takes one of them at random |
| p | hyper.input | the classes of a label map, each with a picture of its own that comes nearest; of pictures the whole (eq. 2) |

The paper's Phi is VGG-19, trained on ImageNet, which is not here. What it is for is to know what pictures show, and so does
`task`: of label maps best a segmenter of the same maps. Without one there is only the regression of pixels that the paper holds
itself against, so `task` is needed, and `pixels` is a preset of its own. A task network's layers have a norm, VGG's have none:
lambda_l stay as they are, where the paper balances them after 100 epochs and the code by constants of VGG. From the code is that
the mean over the k pictures counts a thousandth beside the nearest, so that none is left without a gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.curriculum import Terms
from trainers.hyper import Learning
from trainers.layouts import LABEL_MAP, Layouts
from trainers.networks.cascade import Cascade
from trainers.networks.classifier import LAYERS
from trainers.settings import Preset, Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System
from trainers.task_maps import TaskMaps

TASK, NONE = "task", "none"
EVERY = 0.001  # what the mean over several pictures counts beside the nearest one


@dataclass(frozen=True)
class CRNHyper(Learning, Layouts, TaskMaps):
    """The cascade's settings with the published defaults. The published batch is 1."""

    features: str = setting(
        TASK, "what is compared beside the pixels: the layers of `task`, or none", choices=(TASK, NONE)
    )
    images: int = setting(1, "pictures made of each input; the nearest one counts", minimum=1, maximum=64)
    width: int = setting(1024, "channels of the modules up to 64 pixels", minimum=1, maximum=4096)
    lr: float = changed(Learning, "lr", 1e-4)
    beta1: float = changed(Learning, "beta1", 0.9)
    decay_from: float = changed(Learning, "decay_from", 1.0)

    @property
    def code(self) -> int:
        """Numbers that say which of several pictures is meant, the largest one; 0 where there is one alone."""
        return self.images if self.images > 1 else 0


def _asks(hyper: CRNHyper) -> bool:
    return hyper.features == TASK


class CRN(System):
    """Paired translation without a critic: a cascade from coarse to fine, held to its truth layer by layer of a fixed network."""

    name = "crn"
    title = "Photographic Image Synthesis with Cascaded Refinement Networks"
    citation = "Chen, Koltun, ICCV 2017, arXiv:1707.09405"
    reads = Reads(("a", "b"), paired=True)
    terms = (
        Term("pix", "λ_0", 1.0, "mean |b - ab(a)|", search=(0.1, 10)),
        *(
            Term(
                f"feat_{layer}",
                f"λ_{layer}",
                1.0,
                f"mean |difference of b and ab(a)| in layer {layer} of `task`",
                group=TASK,
                when=_asks,
                search=(0.1, 10),
            )
            for layer in range(1, LAYERS + 1)
        ),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "label-maps": Preset("the paper's input: a label map, a plane for each class", hyper={"input": LABEL_MAP}),
        "diverse": Preset("the paper's nine pictures of each label map", hyper={"input": LABEL_MAP, "images": 9}),
        "pixels": Preset("the paper's baseline, a loss of pixels alone: no `task`", hyper={"features": NONE}),
    }
    shows = ("fake_b",)
    Hyper = CRNHyper

    def __init__(self, hyper: CRNHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels, image, _ = shapes["b"]
        self.hyper, self.reads = hyper, self.reading(hyper)
        self.ab = Cascade(hyper.told_channels(shapes), channels, image, hyper.width, hyper.images)
        self.task = hyper.build_task(channels) if _asks(hyper) else None
        self.frozen = {} if self.task is None else {TASK: self.task}
        self.generator = Player("generator", (self.ab,), hyper.build_optimizer(), hyper.rate(steps))
        self.players = (self.generator,)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> CRN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def reading(cls, hyper: Any) -> Reads:
        """Pairs of a and b, or pictures of b and their label maps."""
        read: Reads = hyper.reads(cls.reads)
        return read

    @classmethod
    def needs_task(cls, hyper: Any) -> bool:
        return _asks(hyper)

    @classmethod
    def varies(cls, hyper: Any) -> bool:
        return bool(hyper.code)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        Cascade.check(shapes["b"][1])
        hyper.check_layouts()

    def layers(self, pictures: Tensor) -> list[Tensor]:
        """Phi of pictures `[N,C,H,W]`: themselves, and what each layer of the task network makes of them."""
        return [pictures, *(self.task.maps(pictures) if self.task is not None else ())]

    def compared(self, a: Tensor, b: Tensor) -> Terms:
        """The terms of inputs as they are told and their truths, `[N,C,H,W]` each.

        Each region has a picture of its own that comes nearest to it, by all layers together; every layer counts that one.
        """
        made, regions = self.ab.pictures(a), self.hyper.regions(a)
        names = [term.name for term in self.in_force(self.hyper)]

        @cache
        def seen() -> tuple[list[Tensor], list[Tensor]]:
            with torch.no_grad():
                real = self.layers(b)
            return real, self.layers(made.flatten(0, 1))

        @cache
        def gaps(name: str) -> Tensor:
            real, fake = (maps[names.index(name)] for maps in seen())
            return gaps_of(real, fake.unflatten(0, made.shape[:2]), regions)

        @cache
        def nearest() -> Tensor:
            heard = [self.weights[name] * gaps(name).detach() for name in names if self.weights[name]]
            total = torch.stack(heard).sum(0) if heard else gaps(names[0]).detach()
            return total.argmin(1, keepdim=True)

        def term(name: str) -> Tensor:
            gap = gaps(name)
            best = gap.gather(1, nearest())[:, 0]
            counted = torch.lerp(best, gap.mean(1), EVERY) if self.hyper.code else best
            return counted.sum(1).mean()

        return {name: lambda name=name: term(name) for name in names}  # type: ignore[misc]

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """One batch, one move."""
        a, b = self.hyper.draw(replica)
        yield Move((self.weigh(**self.compared(a, b)), self.generator))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b`: of several pictures one at random, for each input its own."""
        source = self.reads.source
        if source not in images:
            return {}
        given = images[source]
        code = torch.rand(len(given), self.hyper.code) if self.hyper.code else None
        return {"fake_b": self.ab(self.hyper.told(given), code)}


def gaps_of(real: Tensor, made: Tensor, regions: Tensor) -> Tensor:
    """How far maps `[N,k,C,h,w]` are from those of the truth `[N,C,h,w]`, region by region: `[N,k,regions]`.

    regions: `[N,regions,H,W]`, which add up to 1 at each pixel. So do the gaps to the mean over the map.
    """
    gap = (made.float() - real.float()[:, None]).abs().mean(2)
    height, width = gap.shape[2:]
    share = F.adaptive_avg_pool2d(regions.float(), (height, width))
    with torch.autocast(gap.device.type, enabled=False):  # a product of matrices, but a loss
        return torch.einsum("nkp,nrp->nkr", gap.flatten(2), share.flatten(2)) / share[0, 0].numel()
