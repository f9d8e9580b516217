"""SimGAN: Shrivastava, Pfister, Tuzel, Susskind, Wang, Webb, "Learning from Simulated and Unsupervised Images through
Adversarial Training", CVPR 2017.

    L_R = sum_i - log(1 - D(R(x_i))) + lambda |psi(R(x_i)) - psi(x_i)|_1                                  (paper, eq. 4)
    L_D = - sum_i log D(R(x_i)) - sum_j log(1 - D(y_j))                                                   (paper, eq. 2)

| paper | here | |
| --- | --- | --- |
| x, y | a, b | synthetic pictures, whose labels are to hold for R(x) too, and real ones |
| R | ab | |
| D | d | the paper's D is the probability of a refined picture; here high is real |
| sum over patches | adv, d | the mean over patches and pictures |
| psi | hyper.psi | the pixels; the mean of each pixel's colours, so that hues may change; features of `task` |
| lambda | weights.reg, reg_first | of the sum over a picture, the mean over the batch (hyper.reduction) |
| K_g, K_d | hyper.refiner_turns, balance.critic_turns | 2, 1 |
| B, b | hyper.pool, the batch | half of what D is shown is from the history, as soon as that holds half a batch |

The authors published no code. That of M. Dietz, which people take for it, has the sum of |R(x) - x| over the whole batch and
0.0001 for lambda: at its batch of 512 that is 0.05 of a picture's sum, the default here. It moves R twice as often as its K_g
says (the preset `code`), and its history stays empty, since what is appended to it is thrown away. Algorithm 1 draws new x for
D; here D's first turn is on what R saw last. D moves on real and refined pictures at once. Before the game R learns for 1,000
steps by the second term of L_R alone, which is the stage `first`; then D alone, in the first 200 steps of the game.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor

from trainers.adversarial import CRITERIA
from trainers.curriculum import Terms, watching
from trainers.errors import SettingError
from trainers.hyper import Adversary, penalised
from trainers.networks.refiner import LocalCritic, Refiner
from trainers.settings import Preset, Reads, Term, setting
from trainers.stages import Stage, Weights, fields_for
from trainers.system import Move, Player, Replica, Shapes, System, Weighed
from trainers.systems.simgan_first import COLOUR, FIRST, FIRST_TERMS, SimGANFirst, SimGANFirstHyper


@dataclass(frozen=True)
class SimGANHyper(SimGANFirstHyper, Adversary):
    """SimGAN's settings with the published defaults. The published batch is 512."""

    first_steps: int = setting(1000, "steps in which R learns alone, before the game; 0: none", minimum=0)
    first_batch: int | None = setting(None, "pictures a step in them; empty: data.batch", minimum=1)
    critic_alone: int = setting(200, "first steps of the game, in which D moves alone", minimum=0)
    refiner_turns: int = setting(2, "moves of R in a step (K_g), each on new pictures", minimum=1, maximum=100)
    pool: int = setting(
        1600, "refined pictures kept, over all replicas; published: 100 batches; 0: no history", minimum=0
    )
    critic_width: int = setting(96, "channels of D's first layer", minimum=1, maximum=4096)
    gan: str = setting(
        "vanilla", "adversarial criterion", choices=tuple(name for name, kind in CRITERIA.items() if not kind.controls)
    )


class SimGAN(System):
    """Synthetic pictures made real, one way, pixel by pixel, so that what is known of them still holds."""

    name = "simgan"
    title = "Learning from Simulated and Unsupervised Images through Adversarial Training"
    citation = "Shrivastava, Pfister, Tuzel, Susskind, Wang, Webb, CVPR 2017, arXiv:1612.07828"
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv", "λ_adv", 1.0, "ab makes d call ab(a) real, patch by patch", search=(0.1, 10)),
        Term("reg", "λ / λ_reg", 0.05, "|psi(ab(a)) - psi(a)|, the sum over a picture", search=(0.0005, 0.5)),
        Term("d", "λ_D", 1.0, "d calls b real + d calls ab(a), half of them from the history, fake"),
        Term("gp", "λ_GP / λ_LP", 10.0, "penalty on d's gradient", when=penalised, search=(1, 100)),
        *FIRST_TERMS,
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "code": Preset("M. Dietz's code: four moves of R in a step", hyper={"refiner_turns": 4}),
        "colour": Preset("R may change hues: it keeps the mean of each pixel's colours", hyper={"psi": COLOUR}),
    }
    shows = ("fake_b",)
    Hyper = SimGANHyper
    stages = (
        Stage(
            FIRST,
            "R alone, held to its input",
            SimGANFirst,
            settings=lambda hyper: fields_for(SimGANFirstHyper, hyper),
            steps=lambda hyper: int(hyper.first_steps),
            batch=lambda hyper: hyper.first_batch,
        ),
    )
    min_per_replica = 2
    even = True

    def __init__(self, hyper: SimGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels = shapes["a"][0]
        self.hyper, self.gan = hyper, hyper.criterion
        self.ab = Refiner(channels, hyper.width, hyper.blocks)
        self.d = LocalCritic(channels, hyper.critic_width)
        self.task = hyper.build_task(channels)
        self.frozen = {} if self.task is None else {"task": self.task}
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.refiner = Player("refiner", (self.ab,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.refiner, self.critic)
        self.pools = {"b": hyper.pool}
        self.translators = {"b": self.ab}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> SimGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def needs_task(cls, hyper: Any) -> bool:
        return SimGANFirst.needs_task(hyper)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check_adversary()
        channels_a, channels_b = shapes["a"][0], shapes["b"][0]
        if channels_a != channels_b:
            problem = f"a refined picture is one of b, a has {channels_a} channels, b has {channels_b}"
            raise SettingError("data.uri", channels_b, f"{problem}; nearest: system cyclegan with hyper.identity false")

    def enter(self, before: Mapping[str, Weights]) -> None:
        """R as it has learnt to be."""
        for name, part in self.named_parameters():
            if FIRST in before and name in before[FIRST]:
                part.copy_(before[FIRST][name])

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """R moves, on new pictures each time; then D, on what the moved R makes and what it once made."""
        alone = t < self.hyper.critic_alone
        a = replica.draw("a")
        for turn in range(0 if alone else self.hyper.refiner_turns):
            a = a if turn == 0 else replica.draw("a")
            yield Move((self.weigh(**self.play(a)), self.refiner))
        for turn in replica.turns(self.critic):
            a = a if turn == 0 else replica.draw("a")
            b = replica.draw("b")
            with torch.no_grad():
                refined = self.ab(a)
            judged = self.judge(b, replica.pool("b").mix(refined))
            yield Move((watching(judged, self.play(a)) if alone else judged, self.critic))

    def play(self, a: Tensor) -> Terms:
        """R's terms of synthetic pictures `[N,C,H,W]`."""

        @cache
        def refined() -> Tensor:
            made: Tensor = self.ab(a)
            return made

        return {
            "adv": lambda: self.gan.generator(self.d(refined())),
            "reg": lambda: self.hyper.kept(a, refined(), self.task),
        }

    def judge(self, b: Tensor, refined: Tensor) -> Weighed:
        """D's terms of real and refined pictures, `[N,C,H,W]` each."""
        penalty = {"gp": lambda: self.hyper.penalise(self.d, b, refined)}
        return self.weigh(
            d=lambda: self.gan.critic(self.d(b), self.d(refined), scale=1.0),
            **(penalty if self.hyper.penalised else {}),
        )

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`fake_b`: the pictures of a, refined."""
        return {"fake_b": self.ab(images["a"])} if "a" in images else {}
