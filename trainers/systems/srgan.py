"""SRGAN: Ledig, Theis, Huszar, Caballero et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network", CVPR 2017.

    min_G max_D  E log D(b) + E log(1 - D(G(a)))                                                          (paper, eq. 2)
    L_G = L_X + 10^-3 E - log D(G(a)),   L_X = |b - G(a)|^2  or  |phi(b) - phi(G(a))|^2            (paper, eq. 3 to 6)

| paper | here | |
| --- | --- | --- |
| I_HR | b | the only pictures that are read |
| I_LR | a | made of b in the step, hyper.factor times smaller: bicubic, rounded to 8 bits |
| G | g | SRResNet; it begins as the stage `first` leaves it, trained by the squared error alone |
| D | d | |
| L_X | mse; feat | `hyper.content`: pixels, the paper's SRGAN-MSE; task, in place of its VGG |
| phi_i,j | hyper.layer | the maps of a layer of the sweep's `task`; the deepest is the last one, as VGG54 is |
| 10^-3 | weights.adv | |

Nothing but b is needed, so a is no domain of the data: any set of pictures will do, and no small one can be a wrong copy of its
large one. `translate` takes pictures that are small already. VGG is not here, so the default is the variant that needs none; a
task network's features have a norm, and the paper's 0.006 for VGG's becomes 1. `eval/psnr_bicubic` and `eval/ssim_bicubic` are of
a enlarged without a network. The published batch norms keep running statistics, and none are kept here: a picture enlarged alone
has others than it had in its batch. So G's default is batch norm at batch size 1, which is instance norm with scale and shift;
`hyper.generator_norm: none` is EDSR's way (Lim et al. 2017). D's batch norm is over a replica's samples. Published are 10^6 steps
of the stage at a batch of 16 pictures of 96 pixels, then 2 x 10^5, the second half at a tenth of the rate (hyper.drop_from).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.adversarial import CRITERIA
from trainers.hyper import Adversary, penalised
from trainers.measures import psnr, ssim
from trainers.networks.classifier import LAYERS
from trainers.networks.srresnet import SRCritic, SRResNet, resized
from trainers.settings import Preset, Score, Term, setting
from trainers.stages import Stage, Weights, fields_for
from trainers.system import Move, Player, Replica, Shapes, System, Weighed
from trainers.systems.srgan_first import FIRST, FIRST_TERMS, NORMS_HERE, SRGANFirst, SRGANFirstHyper
from trainers.task_maps import TaskMaps
from trainers.translation import translate

PIXELS, TASK = "pixels", "task"
DROP = 0.1  # the factor on the rate, after it has dropped


@dataclass(frozen=True)
class SRGANHyper(SRGANFirstHyper, Adversary, TaskMaps):
    """SRGAN's settings with the published defaults. The published batch is 16."""

    content: str = setting(PIXELS, "what is compared: pixels, or the maps of `task`", choices=(PIXELS, TASK))
    layer: int = setting(LAYERS, "the layer of `task` whose maps are compared", minimum=1, maximum=LAYERS)
    adversarial: bool = setting(True, "whether a critic plays; without one it is SRResNet")
    first_steps: int = setting(
        10_000, "steps in which G learns alone, before the game; published: 1,000,000; 0: none", minimum=0
    )
    first_batch: int | None = setting(None, "pictures a step in them; empty: data.batch", minimum=1)
    critic_width: int = setting(64, "channels of the critic's first layer", minimum=1, maximum=4096)
    norm: str = setting("batch", "normalisation of the critic", choices=tuple(NORMS_HERE))
    drop_from: float = setting(
        0.5, "share of the run after which the rate is a tenth; 1: never", minimum=0.0, maximum=1.0
    )
    gan: str = setting(
        "vanilla", "adversarial criterion", choices=tuple(name for name, kind in CRITERIA.items() if not kind.controls)
    )

    def rate(self, steps: int) -> Callable[[int], float]:
        """The factor on the learning rate at a step of a run of `steps`."""
        linear, dropped = super().rate(steps), round(self.drop_from * steps)
        return lambda t: linear(t) * (DROP if t >= dropped else 1.0)


class SRGAN(System):
    """Pictures made larger: what is lost in a small one is painted anew, under the eyes of a critic."""

    name = "srgan"
    title = SRGANFirst.title
    citation = SRGANFirst.citation
    reads = SRGANFirst.reads
    terms = (
        Term("mse", "λ_MSE", 1.0, "mean (b - G(a))^2", when=lambda h: h.content == PIXELS),
        Term(
            "feat",
            "λ_VGG",
            1.0,
            "mean (phi(b) - phi(G(a)))^2",
            group=TASK,
            when=lambda h: h.content == TASK,
            search=(0.01, 10),
        ),
        Term(
            "adv",
            "λ_Gen",
            1e-3,
            "G makes d call G(a) real",
            when=lambda h: h.adversarial,
            search=(1e-4, 1e-1),
        ),
        Term("d", "λ_D", 1.0, "d calls b real + d calls G(a) fake", when=lambda h: h.adversarial),
        Term(
            "gp",
            "λ_GP / λ_LP",
            10.0,
            "penalty on d's gradient",
            when=lambda h: h.adversarial and penalised(h),
            search=(1, 100),
        ),
        *FIRST_TERMS,
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "srresnet": Preset(
            "the generator alone, by the squared error",
            hyper={"adversarial": False, "first_steps": 0, "drop_from": 1.0},
        ),
        "features": Preset("the paper's SRGAN-VGG, with `task` in place of VGG", hyper={"content": TASK}),
    }
    shows = ("fake_b", "fake_a")
    judges = (
        Score("psnr", "max", "", "", "peak signal-to-noise ratio of G(a) against b in dB"),
        Score("ssim", "max", "", "", "structural similarity of G(a) with b, at most 1"),
        Score("psnr_bicubic", "max", "", "", "the first of a, enlarged without a network", fixed=True),
        Score("ssim_bicubic", "max", "", "", "the second of a, enlarged without a network", fixed=True),
    )
    Hyper = SRGANHyper
    stages = (
        Stage(
            FIRST,
            "G alone, by the squared error",
            SRGANFirst,
            settings=lambda hyper: fields_for(SRGANFirstHyper, hyper),
            steps=lambda hyper: int(hyper.first_steps),
            batch=lambda hyper: hyper.first_batch,
        ),
    )

    def __init__(self, hyper: SRGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels, image, _ = shapes["b"]
        self.hyper, self.gan = hyper, hyper.criterion
        self.g = hyper.build_generator(channels)
        self.task = hyper.build_task(channels) if hyper.content == TASK else None
        self.frozen = {} if self.task is None else {TASK: self.task}
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.g,), optimizer, rate)
        self.players: tuple[Player, ...] = (self.generator,)
        if hyper.adversarial:
            self.d = SRCritic(channels, image, hyper.critic_width, NORMS_HERE[hyper.norm])
            self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
            self.players = (self.generator, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.g}
        self.takes = {"a": (channels, image // hyper.factor, image // hyper.factor)}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> SRGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def needs_task(cls, hyper: Any) -> bool:
        return bool(hyper.content == TASK)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes["b"][1]
        SRResNet.check(image, hyper.factor)
        if hyper.adversarial:
            SRCritic.check(image)
            hyper.check_adversary(batch_norm=hyper.norm == "batch")

    def enter(self, before: Mapping[str, Weights]) -> None:
        """G as it has learnt to be."""
        for name, part in self.named_parameters():
            if FIRST in before and name in before[FIRST]:
                part.copy_(before[FIRST][name])

    def judge(self, b: Tensor, fake: Tensor) -> Weighed:
        """d's terms of real and generated pictures, `[N,C,H,W]` each."""
        penalty = {"gp": lambda: self.hyper.penalise(self.d, b, fake)}
        return self.weigh(
            d=lambda: self.gan.critic(self.d(b), self.d(fake), scale=1.0),
            **(penalty if self.hyper.penalised else {}),
        )

    def gap(self, b: Tensor, fake: Tensor) -> Tensor:
        """How far phi of generated pictures is from that of real ones, `[N,C,H,W]` each: a scalar."""
        assert self.task is not None
        with torch.no_grad():
            real = self.task.maps(b)[self.hyper.layer - 1]
        return F.mse_loss(self.task.maps(fake)[self.hyper.layer - 1], real)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """d moves first; G then plays against the moved d with the same pictures."""
        b = replica.draw("b")
        fake = self.g.enlarged(self.hyper.small(b))
        for _ in replica.turns(self.critic) if self.hyper.adversarial else ():
            yield Move((self.judge(b, fake.detach()), self.critic))
        content = {"mse": lambda: F.mse_loss(fake, b)} if self.task is None else {"feat": lambda: self.gap(b, fake)}
        played = {"adv": lambda: self.gan.generator(self.d(fake))} if self.hyper.adversarial else {}
        yield Move((self.weigh(**content, **played), self.generator))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b` of small pictures `a`, where they are given; of those of b made small, which as `fake_a` are enlarged without
        a network."""
        if "a" in images:
            return {"fake_b": translate(self.g, images["a"])}
        if "b" not in images:
            return {}
        small, side = self.hyper.small(images["b"]), images["b"].shape[-1]
        return {"fake_b": translate(self.g, small), "fake_a": resized(small, side)}

    def verdicts(self, images: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`[N]` each."""
        b, made, plain = images["b"], images["fake_b"], images["fake_a"]
        return {
            "psnr": psnr(made, b),
            "ssim": ssim(made, b),
            "psnr_bicubic": psnr(plain, b),
            "ssim_bicubic": ssim(plain, b),
        }
