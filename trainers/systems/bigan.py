"""BiGAN: Donahue, Kraehenbuehl, Darrell, "Adversarial Feature Learning", ICLR 2017, which is ALI: Dumoulin et al., "Adversarially
Learned Inference", ICLR 2017; between two domains of pictures, as the CycleGAN paper has it for a baseline.

    min_G,E max_D  E_x log D(x, E(x)) + E_z log (1 - D(G(z), z))                                  (BiGAN, eq. 2 and 3)

| paper | here | |
| --- | --- | --- |
| z, x | a, b | pictures of a in place of noise |
| G, E | ab, ba | |
| D(x, z) | d | of a pair, a picture of a beside one of b: real is (ba(b), b), generated (a, ab(a)) |
| the game of E | adv_ba | ba makes d call its pairs generated, as ab makes it call its own real |

Nothing but D holds a picture to its translation: at the best D there is, ab and ba are each other's inverse, and short of that
they need not be. The papers play the game as printed and, in practice, each side with the labels turned round, as here. The
CycleGAN paper names no criterion for its baseline; this is the papers', with CycleGAN's networks and learning rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from trainers.hyper import Adversary, Learning, penalised
from trainers.networks import patch
from trainers.networks.blocks import instance_norm
from trainers.networks.resnet import ResnetGenerator
from trainers.settings import Preset, Reads, Term, setting
from trainers.system import Move, Player, Replica, Shapes, System
from trainers.translation import translations

TURNED = ("vanilla", "lsgan", "wgan")  # criteria in which a generator may as well wish to be called generated


@dataclass(frozen=True)
class BiGANHyper(Learning, Adversary):
    """The settings, with CycleGAN's published sizes."""

    width: int = setting(64, "channels of the generators' first layer", minimum=1, maximum=4096)
    blocks: int | None = setting(None, "residual blocks; empty: 6 up to 128 pixels, 9 above", minimum=1, maximum=64)
    critic: str = setting(
        "patch70", "the critic, by its receptive field in pixels", choices=tuple(patch.STRIDED_LAYERS)
    )
    critic_width: int = setting(64, "channels of the critic's first layer", minimum=1, maximum=4096)
    gan: str = setting("vanilla", "adversarial criterion", choices=TURNED)


class BiGAN(System):
    """Unpaired translation in both directions by one critic of pairs: a baseline."""

    name = "bigan"
    title = "Adversarial Feature Learning"
    citation = (
        "Donahue, Kraehenbuehl, Darrell, ICLR 2017, arXiv:1605.09782; Dumoulin et al., ICLR 2017, arXiv:1606.00704; "
        "between pictures arXiv:1703.10593"
    )
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv_ab", "λ_G / λ_adv", 1.0, "ab makes d call (a, ab(a)) real", group="adv", search=(0.3, 3)),
        Term("adv_ba", "λ_E / λ_adv", 1.0, "ba makes d call (ba(b), b) generated", group="adv", search=(0.3, 3)),
        Term("d", "λ_D", 1.0, "d calls (ba(b), b) real + d calls (a, ab(a)) generated"),
        Term("gp", "λ_GP / λ_LP", 10.0, "penalty on d's gradient", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "lsgan": Preset("with the criterion that CycleGAN was published with", hyper={"gan": "lsgan"}),
    }
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b")
    Hyper = BiGANHyper

    def __init__(self, hyper: BiGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        (channels_a, image, _), (channels_b, _, _) = shapes["a"], shapes["b"]
        blocks = hyper.blocks or (6 if image <= 128 else 9)
        self.hyper, self.gan = hyper, hyper.criterion
        self.ab = ResnetGenerator(channels_a, channels_b, hyper.width, blocks)
        self.ba = ResnetGenerator(channels_b, channels_a, hyper.width, blocks)
        self.d = patch.build_critic(hyper.critic, channels_a + channels_b, hyper.critic_width, instance_norm)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generators = Player("generators", (self.ab, self.ba), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generators, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab, "a": self.ba}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> BiGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes["a"][1]
        ResnetGenerator.check(image)
        patch.check(hyper.critic, image)
        hyper.check_adversary()

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """Both generators move together, then the critic, on the same pairs."""
        a, b = replica.draw("a"), replica.draw("b")
        there, back = torch.cat([a, self.ab(a)], 1), torch.cat([self.ba(b), b], 1)
        made = self.weigh(
            adv_ab=lambda: self.gan.generator(self.d(there)),
            adv_ba=lambda: self.gan.fake(self.d(back)),
        )
        yield Move((made, self.generators))

        real, fake = back.detach(), there.detach()
        penalty = {"gp": lambda: self.hyper.penalise(self.d, real, fake)}
        for _ in replica.turns(self.critic):
            judged = self.weigh(
                d=lambda: self.gan.critic(self.d(real), self.d(fake), scale=1.0),
                **(penalty if self.hyper.penalised else {}),
            )
            yield Move((judged, self.critic))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translations and cycles of whichever domains are given."""
        return translations(images, self.ab, self.ba)
