"""DiscoGAN: Kim, Cha, Kim, Lee, Kim, "Learning to Discover Cross-Domain Relations with Generative Adversarial Networks",
ICML 2017.

    L_G = L_GAN_B + L_CONST_A + L_GAN_A + L_CONST_B                                   (paper, section 2)
    here, per direction:  (1 - r) (0.1 L_GAN + 0.9 L_FM) + r L_CONST                  (the authors' code)

| paper | here | |
| --- | --- | --- |
| G_AB, G_BA | ab, ba | |
| D_A, D_B | d_a, d_b | judges of domain a, of domain b |
| L_CONST_A | rec_a | mean squared error of ba(ab(a)) against a |
| L_GAN_B | adv_ab, weights.adv | 0.1 |
| not in the paper | fm_ab, weights.fm | 0.9: batch means of d_b's features, behind the 2nd to the 4th block |
| not in the paper | r | 0.01 in the first 10,000 steps, then 0.5 (hyper.starting_rate, warm_steps, default_rate) |

Where the two differ this follows the code. A step is ONE update: every third one the critics', the others the generators'.
The other side's terms are looked at on report steps all the same. r scales a sum of terms and no term, so that what is logged
of one does not jump with r. The published pictures lie in [0, 1] and end in a sigmoid, these in [-1, 1] and in tanh: L_CONST is
four times as large. Features and batch norm see a replica's samples alone. Translations are of one image's statistics:
`hyper.norm: instance` is the better choice for networks that are to be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from trainers.curriculum import Curriculum, Terms, critics_turn, game, mix, watching
from trainers.hyper import Adversary, Learning, penalised
from trainers.networks.blocks import NORMS
from trainers.networks.disco import DiscoCritic, DiscoGenerator
from trainers.settings import Preset, Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System
from trainers.translation import translations


@dataclass(frozen=True)
class DiscoGANHyper(Learning, Adversary, Curriculum):
    """DiscoGAN's settings with the published defaults. The published batch is 64."""

    width: int = setting(64, "channels of the generators' first layer", minimum=1, maximum=4096)
    critic_width: int = setting(64, "channels of the critics' first layer", minimum=1, maximum=4096)
    norm: str = setting("batch", "normalisation of all networks", choices=tuple(NORMS))
    gan: str = changed(Adversary, "gan", "vanilla")
    weight_decay: float = changed(Learning, "weight_decay", 1e-5)
    decay_from: float = changed(Learning, "decay_from", 1.0)


class DiscoGAN(System):
    """Unpaired translation in both directions; critics' features are matched, and the reconstruction counts little at first."""

    name = "discogan"
    title = "Learning to Discover Cross-Domain Relations with Generative Adversarial Networks"
    citation = "Kim, Cha, Kim, Lee, Kim, ICML 2017, arXiv:1703.05192"
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv_ab", "λ_GAN / λ_adv", 0.1, "ab makes d_b call ab(a) real", group="adv", search=(0.03, 3)),
        Term("adv_ba", "λ_GAN / λ_adv", 0.1, "ba makes d_a call ba(b) real", group="adv", search=(0.03, 3)),
        Term("fm_ab", "λ_FM", 0.9, "(mean d_b features of b - of ab(a))^2", group="fm", search=(0.1, 10)),
        Term("fm_ba", "λ_FM", 0.9, "(mean d_a features of a - of ba(b))^2", group="fm", search=(0.1, 10)),
        Term("rec_a", "λ_CONST / λ_cyc", 1.0, "mean (ba(ab(a)) - a)^2", group="cyc", search=(0.1, 10)),
        Term("rec_b", "λ_CONST / λ_cyc", 1.0, "mean (ab(ba(b)) - b)^2", group="cyc", search=(0.1, 10)),
        Term("d_a", "λ_D", 1.0, "0.5 x (d_a calls a real + d_a calls ba(b) fake)", group="d"),
        Term("d_b", "λ_D", 1.0, "0.5 x (d_b calls b real + d_b calls ab(a) fake)", group="d"),
        Term("gp_a", "λ_GP / λ_LP", 10.0, "penalty on d_a's gradient", group="gp", when=penalised, search=(1, 100)),
        Term("gp_b", "λ_GP / λ_LP", 10.0, "penalty on d_b's gradient", group="gp", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "handbags-to-shoes": Preset(
            "the authors' run without a slow start: r is 0.5 always", hyper={"starting_rate": 0.5}
        ),
    }
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b")
    Hyper = DiscoGANHyper

    def __init__(self, hyper: DiscoGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels_a, image, _ = shapes["a"]
        channels_b = shapes["b"][0]
        norm = NORMS[hyper.norm]
        self.hyper = hyper
        self.gan, self.controlled = hyper.criterion, hyper.controls("d_a", "d_b")
        self.ab = DiscoGenerator(channels_a, channels_b, image, hyper.width, norm)
        self.ba = DiscoGenerator(channels_b, channels_a, image, hyper.width, norm)
        self.d_a = DiscoCritic(channels_a, image, hyper.critic_width, norm)
        self.d_b = DiscoCritic(channels_b, image, hyper.critic_width, norm)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generators = Player("generators", (self.ab, self.ba), optimizer, rate)
        self.critics = Player("critics", (self.d_a, self.d_b), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generators, self.critics)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab, "a": self.ba}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> DiscoGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        DiscoGenerator.check(shapes["a"][1])
        hyper.check_adversary(batch_norm=hyper.norm == "batch")

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """One update: of the critics where t is a multiple of 3, of the generators elsewhere."""
        a, b = replica.draw("a"), replica.draw("b")
        if critics_turn(t):
            with torch.no_grad():
                fake_b, fake_a = self.ab(a), self.ba(b)
            for _ in replica.turns(self.critics):
                others = self._game(a, b, fake_a, fake_b) | self._kept(a, b, fake_a, fake_b)
                judged = self.weigh(**self._judged(a, b, fake_a, fake_b))
                yield Move((watching(judged, others), self.critics))
        else:
            fake_b, fake_a = self.ab(a), self.ba(b)
            played = self.weigh(**self._game(a, b, fake_a, fake_b))
            kept = self.weigh(**self._kept(a, b, fake_a, fake_b))
            made = mix(played, kept, self.hyper.share(t))
            yield Move((watching(made, self._judged(a, b, fake_a, fake_b)), self.generators))

    def _game(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Terms:
        return game(self.gan, self.d_b, b, fake_b, "ab") | game(self.gan, self.d_a, a, fake_a, "ba")

    def _kept(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Terms:
        return {
            "rec_a": lambda: (self.ba(fake_b) - a).square().mean(),
            "rec_b": lambda: (self.ab(fake_a) - b).square().mean(),
        }

    def _judged(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Terms:
        penalties: Terms = {
            "gp_a": lambda: self.hyper.penalise(self.d_a, a, fake_a),
            "gp_b": lambda: self.hyper.penalise(self.d_b, b, fake_b),
        }
        return {
            "d_a": lambda: self.gan.critic(self.d_a(a), self.d_a(fake_a), scale=0.5),
            "d_b": lambda: self.gan.critic(self.d_b(b), self.d_b(fake_b), scale=0.5),
            **(penalties if self.hyper.penalised else {}),
        }

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translations and cycles of whichever domains are given, one image at a time."""
        return translations(images, self.ab, self.ba)
