"""CycleGAN: Zhu, Park, Isola, Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
ICCV 2017.

    L(G, F, D_A, D_B) = L_GAN(G, D_B) + L_GAN(F, D_A) + lambda L_cyc(G, F)                    (paper, eq. 3)

| paper | here | |
| --- | --- | --- |
| G: A to B, F: B to A | ab, ba | (the published code calls them G_A, G_B) |
| D_B, D_A | d_b, d_a | judges of domain b, of domain a (the published code's D_A judges B) |
| lambda | weights.cyc | 10 on each cycle |
| lambda_idt | weights.idt | 0.5, a multiple of the cycle weight: 5 in effect |

The paper uses the identity term for painting and photo alone, the published code everywhere; here it exists where both
domains have as many channels. `weights: {idt: 0}` is the paper without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from trainers.adversarial import CRITERIA
from trainers.errors import SettingError
from trainers.networks import patch
from trainers.networks.blocks import instance_norm
from trainers.networks.resnet import ResnetGenerator
from trainers.schedule import constant_then_linear
from trainers.settings import Reads, Term, setting
from trainers.system import Adam, Move, Player, Replica, Shapes, System


@dataclass(frozen=True)
class CycleGANHyper:
    """CycleGAN's settings with the published defaults."""

    width: int = setting(64, "channels of the generators' first layer", minimum=1, maximum=4096)
    blocks: int | None = setting(None, "residual blocks; empty: 6 up to 128 pixels, 9 above", minimum=1, maximum=64)
    critic: str = setting(
        "patch70", "the critics, by their receptive field in pixels", choices=tuple(patch.STRIDED_LAYERS)
    )
    critic_width: int = setting(64, "channels of the critics' first layer", minimum=1, maximum=4096)
    gan: str = setting("lsgan", "adversarial criterion", choices=tuple(CRITERIA))
    identity: bool = setting(True, "whether the identity terms exist; they need equal channels on both sides")
    pool: int = setting(50, "generated images kept per domain, over all replicas; 0: off", minimum=0)
    lr: float = setting(2e-4, "learning rate of Adam", minimum=0.0)
    beta1: float = setting(0.5, "decay of Adam's first moment", minimum=0.0, maximum=1.0)
    beta2: float = setting(0.999, "decay of Adam's second moment", minimum=0.0, maximum=1.0)
    decay_from: float = setting(
        0.5, "share of the run after which the rate falls linearly to 0; 1: constant", minimum=0.0, maximum=1.0
    )
    ema: float = setting(
        0.0, "decay of the generators' moving average, which is then evaluated; 0: off", minimum=0.0, maximum=1.0
    )


def _identity(hyper: CycleGANHyper) -> bool:
    return hyper.identity


class CycleGAN(System):
    """Unpaired translation in both directions, held together by the cycle."""

    name = "cyclegan"
    title = "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks"
    citation = "Zhu, Park, Isola, Efros, ICCV 2017, arXiv:1703.10593"
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv_ab", "α_1A / λ_adv", 1.0, "ab makes d_b call ab(a) real", group="adv"),
        Term("adv_ba", "α_1B / λ_adv", 1.0, "ba makes d_a call ba(b) real", group="adv"),
        Term("cyc_a", "α_2A / λ_A / λ_cyc", 10.0, "mean |ba(ab(a)) - a|", group="cyc"),
        Term("cyc_b", "α_2B / λ_B / λ_cyc", 10.0, "mean |ab(ba(b)) - b|", group="cyc"),
        Term("idt_a", "λ_idt", 0.5, "mean |ba(a) - a|", group="idt", times="cyc_a", when=_identity),
        Term("idt_b", "λ_idt", 0.5, "mean |ab(b) - b|", group="idt", times="cyc_b", when=_identity),
        Term("d_a", "λ_D", 1.0, "0.5 x (d_a calls a real + d_a calls old ba(b) fake)", group="d"),
        Term("d_b", "λ_D", 1.0, "0.5 x (d_b calls b real + d_b calls old ab(a) fake)", group="d"),
    )
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b", "idt_b", "idt_a")
    Hyper = CycleGANHyper

    def __init__(self, hyper: CycleGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels_a, image, _ = shapes["a"]
        channels_b = shapes["b"][0]
        blocks = hyper.blocks or (6 if image <= 128 else 9)
        self.hyper = hyper
        self.gan = CRITERIA[hyper.gan]
        self.ab = ResnetGenerator(channels_a, channels_b, hyper.width, blocks)
        self.ba = ResnetGenerator(channels_b, channels_a, hyper.width, blocks)
        self.d_a = patch.build_critic(hyper.critic, channels_a, hyper.critic_width, instance_norm)
        self.d_b = patch.build_critic(hyper.critic, channels_b, hyper.critic_width, instance_norm)
        adam = Adam(hyper.lr, hyper.beta1, hyper.beta2)
        rate = constant_then_linear(steps, hyper.decay_from)
        self.generators = Player("generators", (self.ab, self.ba), adam, rate)
        self.critics = Player("critics", (self.d_a, self.d_b), adam, rate, critic=True)
        self.players = (self.generators, self.critics)
        self.pools = {"a": hyper.pool, "b": hyper.pool}
        self.translators = {"b": self.ab, "a": self.ba}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> CycleGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        (channels_a, image, _), (channels_b, _, _) = shapes["a"], shapes["b"]
        ResnetGenerator.check(image)
        patch.check(hyper.critic, image)
        if hyper.identity and channels_a != channels_b:
            problem = f"the identity terms need equal channels, a has {channels_a}, b has {channels_b}; nearest: false"
            raise SettingError("hyper.identity", hyper.identity, problem)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """Both generators move together, then both critics, on pictures from the history."""
        a, b = replica.draw("a"), replica.draw("b")
        fake_b, fake_a = self.ab(a), self.ba(b)
        identity = {
            "idt_a": lambda: (self.ba(a) - a).abs().mean(),
            "idt_b": lambda: (self.ab(b) - b).abs().mean(),
        }
        made = self.weigh(
            adv_ab=lambda: self.gan.real(self.d_b(fake_b)),
            adv_ba=lambda: self.gan.real(self.d_a(fake_a)),
            cyc_a=lambda: (self.ba(fake_b) - a).abs().mean(),
            cyc_b=lambda: (self.ab(fake_a) - b).abs().mean(),
            **(identity if self.hyper.identity else {}),
        )
        yield Move((made, self.generators))

        old_a = replica.pool("a").swap(fake_a.detach())
        old_b = replica.pool("b").swap(fake_b.detach())
        for _ in replica.turns(self.critics):
            judged = self.weigh(
                d_a=lambda: self.gan.critic(self.d_a(a), self.d_a(old_a), scale=0.5),
                d_b=lambda: self.gan.critic(self.d_b(b), self.d_b(old_b), scale=0.5),
            )
            yield Move((judged, self.critics))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translations, cycles and identities of whichever domains are given."""
        shown: dict[str, Tensor] = {}
        both = self.hyper.identity
        if "a" in images:
            shown["fake_b"] = self.ab(images["a"])
            shown["cycle_a"] = self.ba(shown["fake_b"])
            shown |= {"idt_a": self.ba(images["a"])} if both else {}
        if "b" in images:
            shown["fake_a"] = self.ba(images["b"])
            shown["cycle_b"] = self.ab(shown["fake_a"])
            shown |= {"idt_b": self.ab(images["b"])} if both else {}
        return shown
