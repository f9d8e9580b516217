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
from typing import Any, ClassVar

from torch import Tensor

from trainers.errors import SettingError
from trainers.hyper import Adversary, Learning, penalised
from trainers.networks import critics
from trainers.networks.blocks import instance_norm
from trainers.networks.resnet import ResnetGenerator
from trainers.settings import Preset, Reads, Term, setting
from trainers.system import Move, Player, Replica, Shapes, System


@dataclass(frozen=True)
class CycleGANHyper(Learning, Adversary):
    """CycleGAN's settings with the published defaults."""

    width: int = setting(64, "channels of the generators' first layer", minimum=1, maximum=4096)
    blocks: int | None = setting(None, "residual blocks; empty: 6 up to 128 pixels, 9 above", minimum=1, maximum=64)
    critic: str = setting("patch70", "the critics, by their receptive field in pixels", choices=critics.CRITICS)
    critic_width: int = setting(64, "channels of the critics' first layer", minimum=1, maximum=4096)
    identity: bool = setting(True, "whether the identity terms exist; they need equal channels on both sides")
    pool: int = setting(50, "generated images kept per domain, over all replicas; 0: off", minimum=0)


def _identity(hyper: CycleGANHyper) -> bool:
    return hyper.identity


class CycleGAN(System):
    """Unpaired translation in both directions, held together by the cycle."""

    name = "cyclegan"
    title = "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks"
    citation = "Zhu, Park, Isola, Efros, ICCV 2017, arXiv:1703.10593"
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv_ab", "α_1A / λ_adv", 1.0, "ab makes d_b call ab(a) real", group="adv", search=(0.3, 3)),
        Term("adv_ba", "α_1B / λ_adv", 1.0, "ba makes d_a call ba(b) real", group="adv", search=(0.3, 3)),
        Term("cyc_a", "α_2A / λ_A / λ_cyc", 10.0, "mean |ba(ab(a)) - a|", group="cyc", search=(1, 30)),
        Term("cyc_b", "α_2B / λ_B / λ_cyc", 10.0, "mean |ab(ba(b)) - b|", group="cyc", search=(1, 30)),
        Term("idt_a", "λ_idt", 0.5, "mean |ba(a) - a|", "idt", "cyc_a", when=_identity, search=(0.05, 1)),
        Term("idt_b", "λ_idt", 0.5, "mean |ab(b) - b|", "idt", "cyc_b", when=_identity, search=(0.05, 1)),
        Term("d_a", "λ_D", 1.0, "0.5 x (d_a calls a real + d_a calls old ba(b) fake)", group="d"),
        Term("d_b", "λ_D", 1.0, "0.5 x (d_b calls b real + d_b calls old ab(a) fake)", group="d"),
        Term("gp_a", "λ_GP / λ_LP", 10.0, "penalty on d_a's gradient", group="gp", when=penalised, search=(1, 100)),
        Term("gp_b", "λ_GP / λ_LP", 10.0, "penalty on d_b's gradient", group="gp", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "without-identity": Preset("the paper away from paintings: no identity terms", hyper={"identity": False}),
        "log": Preset("the criterion of the paper's equation 1, before LSGAN replaced it", hyper={"gan": "vanilla"}),
    }
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b", "idt_b", "idt_a")
    Hyper = CycleGANHyper

    def __init__(self, hyper: CycleGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels_a, image, _ = shapes["a"]
        channels_b = shapes["b"][0]
        blocks = hyper.blocks or (6 if image <= 128 else 9)
        self.hyper = hyper
        self.gan, self.controlled = hyper.criterion, hyper.controls("d_a", "d_b")
        self.ab = ResnetGenerator(channels_a, channels_b, hyper.width, blocks)
        self.ba = ResnetGenerator(channels_b, channels_a, hyper.width, blocks)
        self.d_a = critics.build_critic(hyper.critic, channels_a, image, hyper.critic_width, instance_norm)
        self.d_b = critics.build_critic(hyper.critic, channels_b, image, hyper.critic_width, instance_norm)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generators = Player("generators", (self.ab, self.ba), optimizer, rate)
        self.critics = Player("critics", (self.d_a, self.d_b), optimizer, rate, critic=True, clip=hyper.clip)
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
        critics.check(hyper.critic, image)
        hyper.check_adversary(autoencoder=hyper.critic == critics.AUTOENCODER)
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
            adv_ab=lambda: self.gan.generator(self.d_b(fake_b)),
            adv_ba=lambda: self.gan.generator(self.d_a(fake_a)),
            cyc_a=lambda: (self.ba(fake_b) - a).abs().mean(),
            cyc_b=lambda: (self.ab(fake_a) - b).abs().mean(),
            **(identity if self.hyper.identity else {}),
        )
        yield Move((made, self.generators))

        old_a = replica.pool("a").swap(fake_a.detach())
        old_b = replica.pool("b").swap(fake_b.detach())
        penalties = {
            "gp_a": lambda: self.hyper.penalise(self.d_a, a, old_a),
            "gp_b": lambda: self.hyper.penalise(self.d_b, b, old_b),
        }
        for _ in replica.turns(self.critics):
            judged = self.weigh(
                d_a=lambda: self.gan.critic(self.d_a(a), self.d_a(old_a), scale=0.5),
                d_b=lambda: self.gan.critic(self.d_b(b), self.d_b(old_b), scale=0.5),
                **(penalties if self.hyper.penalised else {}),
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
