"""pix2pixHD: Wang, Liu, Zhu, Tao, Kautz, Catanzaro, "High-Resolution Image Synthesis and Semantic Manipulation with Conditional
GANs", CVPR 2018.

    min_G ( max_D1..DK  sum_k L_GAN(G, D_k)  +  lambda sum_k L_FM(G, D_k) )                               (paper, eq. 5)
    L_FM(G, D_k) = E sum_i |D_k^i(s, x) - D_k^i(s, G(s))|_1 / N_i                                         (paper, eq. 4)

| paper | here | |
| --- | --- | --- |
| s, x | a, b | `hyper.input: label_map`: s is the label map of b, a plane for each class |
| G1, G2 | ab.body, ab.enhancers | the global generator, at a fraction of the size, and local enhancers |
| D_1 .. D_K | d | they judge (s, picture) at each size, hyper.scales of them; losses are summed over the sizes |
| D_k^i | d.features | all layers but the last; those of real pictures are constants |
| lambda | weights.fm | 10 |

Where paper and code differ this follows the code: L_FM is a mean over the critics, and its layers count 4 / their number each,
which is 1 with the published four. Its default is G1 alone with two critics, for 512 pixels. The preset `coarse-to-fine` is the
paper's way: G1 learns alone at half the size (hyper.global_share of the run), then the enhancer alone (hyper.local_share), then
both; the rate begins anew with the second. In the first part `show` already shows what the enhancer makes. Not built are the
edges and the features of instances, since the data know none, and the VGG term, since there is no such network here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor

from trainers.adversarial import CRITERIA
from trainers.errors import SettingError
from trainers.hyper import Adversary, Learning, penalised
from trainers.layouts import LABEL_MAP, Layouts
from trainers.networks.blocks import instance_norm
from trainers.networks.enhancer import CoarseToFine, FeatureCritic
from trainers.settings import Preset, Reads, Term, setting
from trainers.system import Move, Player, Replica, Shapes, System

LAYERS_WEIGH = 4.0  # all layers of a critic together


@dataclass(frozen=True)
class Pix2PixHDHyper(Learning, Adversary, Layouts):
    """pix2pixHD's settings with the published defaults."""

    width: int = setting(64, "channels of the generator's first layer, at the full size", minimum=1, maximum=4096)
    halvings: int = setting(4, "halvings in the global generator", minimum=1, maximum=12)
    blocks: int = setting(9, "residual blocks of the global generator", minimum=0, maximum=64)
    enhancers: int = setting(0, "local enhancers; each doubles the size of the picture", minimum=0, maximum=4)
    local_blocks: int = setting(3, "residual blocks of an enhancer", minimum=0, maximum=64)
    global_share: float = setting(
        0.0, "share of the run in which the global generator learns alone, at its size", minimum=0.0, maximum=0.99
    )
    local_share: float = setting(
        0.0, "share of the run, after that, in which the enhancers learn alone", minimum=0.0, maximum=1.0
    )
    critic_width: int = setting(64, "channels of the critics' first layer", minimum=1, maximum=4096)
    critic_layers: int = setting(3, "layers of stride 2 in a critic", minimum=1, maximum=6)
    scales: int = setting(2, "critics: sizes of the picture, each half the one before", minimum=1, maximum=8)
    gan: str = setting(
        "lsgan", "adversarial criterion", choices=tuple(name for name, kind in CRITERIA.items() if not kind.controls)
    )

    def parts(self, steps: int) -> tuple[int, int]:
        """The first step at which the enhancers learn, and the first at which all learn together."""
        first = round(self.global_share * steps)
        return first, first + round(self.local_share * steps)

    def rate(self, steps: int) -> Callable[[int], float]:
        """The factor on the learning rate, which begins anew with the enhancers."""
        first, _ = self.parts(steps)
        alone, rest = super().rate(first), super().rate(steps - first)
        return lambda t: alone(t) if t < first else rest(t - first)


class Pix2PixHD(System):
    """Paired translation of large pictures, from coarse to fine, with critics whose features are matched."""

    name = "pix2pixhd"
    title = "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs"
    citation = "Wang, Liu, Zhu, Tao, Kautz, Catanzaro, CVPR 2018, arXiv:1711.11585"
    reads = Reads(("a", "b"), paired=True)
    terms = (
        Term("adv", "λ_GAN", 1.0, "G makes each D call ab(a) real, given a; summed over the sizes", search=(0.1, 10)),
        Term("fm", "λ / λ_FM / λ_feat", 10.0, "mean |D's features of b - of ab(a)|", search=(1, 100)),
        Term("d", "λ_D", 1.0, "0.5 x (D calls b real + D calls ab(a) fake), summed over the sizes"),
        Term("gp", "λ_GP / λ_LP", 10.0, "penalty on D's gradient", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "label-maps": Preset("the paper's input: a label map, a plane for each class", hyper={"input": LABEL_MAP}),
        "coarse-to-fine": Preset(
            "the published 1024 pixels: an enhancer, three critics; 200 epochs for the global generator, 100 for the rest",
            hyper={"enhancers": 1, "width": 32, "scales": 3, "global_share": 2 / 3, "local_share": 1 / 30},
        ),
        "without-matching": Preset("the code without feature matching (no_ganFeat_loss)", weights={"fm": 0.0}),
    }
    shows = ("fake_b",)
    Hyper = Pix2PixHDHyper

    def __init__(self, hyper: Pix2PixHDHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels = shapes["b"][0]
        self.hyper, self.reads = hyper, self.reading(hyper)
        told = hyper.told_channels(shapes)
        self.gan = hyper.criterion
        self.ab = CoarseToFine(
            told,
            channels,
            hyper.width,
            hyper.halvings,
            hyper.blocks,
            hyper.enhancers,
            hyper.local_blocks,
            coarse=hyper.global_share > 0,
        )
        self.d = FeatureCritic(told + channels, hyper.critic_width, hyper.scales, hyper.critic_layers, instance_norm)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.makers = {name: Player(name, networks, optimizer, rate) for name, networks in self.ab.parts.items()}
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (*self.makers.values(), self.critic)
        self.fine_from, self.together_from = hyper.parts(steps)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> Pix2PixHD:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def reading(cls, hyper: Any) -> Reads:
        """Pairs of a and b, or pictures of b and their label maps."""
        read: Reads = hyper.reads(cls.reads)
        return read

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes["b"][1]
        CoarseToFine.check(image, hyper.halvings, hyper.enhancers)
        FeatureCritic.check(image >> hyper.enhancers if hyper.global_share else image, hyper.scales)
        hyper.check_adversary()
        for name, share in (("global_share", hyper.global_share), ("local_share", hyper.local_share)):
            if share and not hyper.enhancers:
                problem = "without enhancers the global generator is all there is; nearest: 0, or hyper.enhancers 1"
                raise SettingError(f"hyper.{name}", share, problem)
        left = round(1.0 - hyper.global_share, 6)
        if hyper.local_share > left:
            raise SettingError(
                "hyper.local_share", hyper.local_share, f"that much of the run is not left; nearest: {left}"
            )
        hyper.check_layouts()

    def movers(self, t: int) -> tuple[Player, ...]:
        """Who learns at step `t` beside the critics."""
        names = ("generator", "head") if t < self.fine_from else ("enhancer",)
        names = names if t < self.together_from else ("generator", "enhancer")
        return tuple(player for name, player in self.makers.items() if name in names)

    def match(self, real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
        """How far D's features of generated pictures are from those of real ones; maps of each size: a scalar."""
        parts = [
            (r.detach().float() - f.float()).abs().mean() * (LAYERS_WEIGH / (len(theirs) - 1))
            for theirs, mine in zip(real, fake, strict=True)
            for r, f in zip(theirs[:-1], mine[:-1], strict=True)
        ]
        return torch.stack(parts).sum() / len(real)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """The generator moves, or the part of it whose time it is; then D, on the same pictures."""
        a, b = self.hyper.draw(replica)
        if t < self.fine_from:
            a, b = self.ab.smallest(a), self.ab.smallest(b)
            fake_b = self.ab.coarse(a)
        else:
            fake_b = self.ab(a)

        @cache
        def seen() -> list[list[Tensor]]:
            return self.d.features(torch.cat([a, fake_b], 1))

        def matched() -> Tensor:
            with torch.no_grad():
                real = self.d.features(torch.cat([a, b], 1))
            return self.match(real, seen())

        made = self.weigh(adv=lambda: self.gan.generator_over([maps[-1] for maps in seen()]), fm=matched)
        yield Move((made, *self.movers(t)))

        real, fake = torch.cat([a, b], 1), torch.cat([a, fake_b.detach()], 1)
        penalty = {"gp": lambda: self.hyper.penalise_scales(self.d, real, fake)}
        for _ in replica.turns(self.critic):
            judged = self.weigh(
                d=lambda: self.gan.critic_over(self.d(real), self.d(fake), scale=0.5),
                **(penalty if self.hyper.penalised else {}),
            )
            yield Move((judged, self.critic))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b`, by the whole generator."""
        source = self.reads.source
        return {"fake_b": self.ab(self.hyper.told(images[source]))} if source in images else {}
