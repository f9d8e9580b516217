"""DualGAN: Yi, Zhang, Tan, Gong, "DualGAN: Unsupervised Dual Learning for Image-to-Image Translation", ICCV 2017.

    l_g(u, v) = lambda_U |u - G_B(G_A(u, z), z')| + lambda_V |v - G_A(G_B(v, z'), z)|
                - D_B(G_B(v, z')) - D_A(G_A(u, z))                                            (paper, eq. 3)

| paper | here | |
| --- | --- | --- |
| u in U, v in V | a, b | |
| G_A, G_B | ab, ba | |
| D_A, D_B | d_b, d_a | the paper names a judge after its generator: its D_A judges V |
| lambda_U, lambda_V | weights.rec_a, rec_b | 500, on the mean over pixels |
| z, z' | | dropout alone, in translation too, where it is seeded |
| c (clipping) | hyper.clip | in the preset `clip`; else a two-sided gradient penalty of weight 10 |

The authors' code has had three games: WGAN-GP, its default and the one here, and two that are presets. Its global critic sees
the whole picture through a fully connected layer, this one through a convolution of all that is left of it. Its batch norm
at batch size 1 is instance norm with scale and shift, the default here, and a penalty admits no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from trainers.hyper import Adversary, Learning, penalised
from trainers.networks import critics, unet
from trainers.networks.blocks import NORMS, check_power_of_two
from trainers.networks.dcgan import LEAST_IMAGE, MOST_IMAGE, DCGANCritic
from trainers.settings import Balance, Preset, Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System, Weighed
from trainers.translation import translations

GLOBAL = "global"


@dataclass(frozen=True)
class DualGANHyper(Learning, Adversary):
    """DualGAN's settings with the defaults of the authors' code. Its batch is 1."""

    width: int = setting(64, "channels of the generators' first layer", minimum=1, maximum=4096)
    levels: int | None = setting(
        None, "halvings in the generators; empty: as many as come out even, at most 8", minimum=3
    )
    dropout: float = setting(0.5, "dropout in the first three decoder blocks", minimum=0.0, maximum=0.99)
    norm: str = setting("instance", "normalisation of all networks", choices=tuple(NORMS))
    critic: str = setting(
        GLOBAL,
        "the critics: one logit for the whole picture, or by their receptive field",
        choices=(GLOBAL, *critics.CRITICS),
    )
    critic_width: int = setting(64, "channels of the critics' first layer", minimum=1, maximum=4096)
    gan: str = changed(Adversary, "gan", "wgan")
    penalty: str = changed(Adversary, "penalty", "gp")
    optimizer: str = changed(Learning, "optimizer", "rmsprop")
    lr: float = changed(Learning, "lr", 5e-5)
    rms_decay: float = changed(Learning, "rms_decay", 0.9)
    decay_from: float = changed(Learning, "decay_from", 1.0)


class DualGAN(System):
    """Unpaired translation in both directions: Wasserstein critics and a very strong reconstruction."""

    name = "dualgan"
    title = "DualGAN: Unsupervised Dual Learning for Image-to-Image Translation"
    citation = "Yi, Zhang, Tan, Gong, ICCV 2017, arXiv:1704.02510"
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv_ab", "λ_adv", 1.0, "ab makes d_b call ab(a) real", group="adv", search=(0.1, 10)),
        Term("adv_ba", "λ_adv", 1.0, "ba makes d_a call ba(b) real", group="adv", search=(0.1, 10)),
        Term("rec_a", "λ_U / λ_A / λ_cyc", 500.0, "mean |ba(ab(a)) - a|", group="cyc", search=(20, 1000)),
        Term("rec_b", "λ_V / λ_B / λ_cyc", 500.0, "mean |ab(ba(b)) - b|", group="cyc", search=(20, 1000)),
        Term("d_a", "λ_D", 1.0, "d_a calls a real + d_a calls ba(b) fake", group="d"),
        Term("d_b", "λ_D", 1.0, "d_b calls b real + d_b calls ab(a) fake", group="d"),
        Term("gp_a", "λ_GP / λ_LP", 10.0, "penalty on d_a's gradient", group="gp", when=penalised, search=(1, 100)),
        Term("gp_b", "λ_GP / λ_LP", 10.0, "penalty on d_b's gradient", group="gp", when=penalised, search=(1, 100)),
    )
    balance: ClassVar[Balance] = Balance(critic_turns=1)
    presets: ClassVar[Mapping[str, Preset]] = {
        "clip": Preset(
            "the paper's WGAN with clipping, in an earlier version of the authors' code: three moves of the critics",
            weights={"cyc": 200.0},
            hyper={"penalty": "none", "clip": 0.01},
            balance={"critic_turns": 3},
        ),
        "log": Preset(
            "another version of the authors' code: cross-entropy on patches; it moved the generators twice, here once",
            weights={"cyc": 20.0},
            hyper={"penalty": "none", "gan": "vanilla", "critic": "patch70"},
        ),
    }
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b")
    Hyper = DualGANHyper

    def __init__(self, hyper: DualGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels_a, image, _ = shapes["a"]
        channels_b = shapes["b"][0]
        self.hyper = hyper
        self.gan, self.controlled = hyper.criterion, hyper.controls("d_a", "d_b")
        norm, levels = NORMS[hyper.norm], unet.levels_for(image, hyper.levels)
        self.ab = unet.UNet(channels_a, channels_b, hyper.width, levels, norm, hyper.dropout)
        self.ba = unet.UNet(channels_b, channels_a, hyper.width, levels, norm, hyper.dropout)
        self.d_a = build_critic(hyper, channels_a, image)
        self.d_b = build_critic(hyper, channels_b, image)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generators = Player("generators", (self.ab, self.ba), optimizer, rate)
        self.critics = Player("critics", (self.d_a, self.d_b), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generators, self.critics)
        self.pools: Mapping[str, int] = {}
        self.translators = {"b": self.ab, "a": self.ba}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> DualGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes["a"][1]
        unet.check(image, hyper.levels)
        if hyper.critic == GLOBAL:
            check_power_of_two(image, LEAST_IMAGE, MOST_IMAGE, "the global critic")
        else:
            critics.check(hyper.critic, image)
        autoencoder = hyper.critic == critics.AUTOENCODER
        hyper.check_adversary(batch_norm=hyper.norm == "batch", autoencoder=autoencoder)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """The critics move, on fresh pictures each time; then the generators, on the last of them."""
        for _ in replica.turns(self.critics):
            a, b = replica.draw("a"), replica.draw("b")
            fake_b, fake_a = self.ab(a), self.ba(b)
            yield Move((self._judged(a, b, fake_a.detach(), fake_b.detach()), self.critics))
        made = self.weigh(
            adv_ab=lambda: self.gan.generator(self.d_b(fake_b)),
            adv_ba=lambda: self.gan.generator(self.d_a(fake_a)),
            rec_a=lambda: (self.ba(fake_b) - a).abs().mean(),
            rec_b=lambda: (self.ab(fake_a) - b).abs().mean(),
        )
        yield Move((made, self.generators))

    def _judged(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Weighed:
        """The critics' loss."""
        penalties = {
            "gp_a": lambda: self.hyper.penalise(self.d_a, a, fake_a),
            "gp_b": lambda: self.hyper.penalise(self.d_b, b, fake_b),
        }
        return self.weigh(
            d_a=lambda: self.gan.critic(self.d_a(a), self.d_a(fake_a), scale=1.0),
            d_b=lambda: self.gan.critic(self.d_b(b), self.d_b(fake_b), scale=1.0),
            **(penalties if self.hyper.penalised else {}),
        )

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translations and cycles of whichever domains are given, one image at a time."""
        return translations(images, self.ab, self.ba)


def build_critic(hyper: DualGANHyper, channels: int, image: int) -> nn.Module:
    """The judge of a domain: `[N,channels,image,image]` -> logits, one or a map of them."""
    if hyper.critic == GLOBAL:
        return DCGANCritic(channels, image, hyper.critic_width, "strided", NORMS[hyper.norm])
    return critics.build_critic(hyper.critic, channels, image, hyper.critic_width, NORMS[hyper.norm])
