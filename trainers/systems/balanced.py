"""Balanced style transfer: the slides "Balanced Unsupervised Style Transfer", a CycleGAN whose pictures keep what they show
and the label they have. The penalty is that of Petzka, Fischer, Lukovnicov, "On the Regularization of Wasserstein GANs", ICLR
2018.

    L(G, F, T) = L_CycleGAN + lambda_s |x - G(x)| + lambda_T [L(T(x), t) + L(T(G(x)), t)]
    L(D) = L_GAN + lambda_LP (max{0, |grad D(x^)| - 1})^2,   x^ = alpha G(x) + (1 - alpha) y

| slides | here | |
| --- | --- | --- |
| G, F | ab, ba | |
| x, t | a and its class | b needs no classes |
| T | task | `hyper.task_net`: joint, a player beside G; frozen, the sweep's `task` as it was trained |
| norm of T(x) - t | task_real, task_fake | the cross-entropy of classes |
| lambda_s, lambda_T, lambda_LP | sim, task, gp | no value is printed: 1, 1, and the usual 10 |
| D | d_a, d_b | printed as the probability of a fake; here high is real |
| max{0, norm - 1}^2 | gp_a, gp_b | the maximum comes before the square, or the penalty would be two-sided |
| x^ from G(x) to x | hyper.lp_interp: source | x is G's input, and no picture that D judges: here a real y, as in the paper |

Similarity is not CycleGAN's identity: that is |y - G(y)|, on pictures that are of the target domain already. The slides have
none, and `hyper.identity` adds it. The first task term does not depend on G: it teaches a joint T, and is only watched where
T is frozen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from trainers.errors import SettingError
from trainers.hyper import Adversary, Learning, penalised
from trainers.networks import critics
from trainers.networks.blocks import instance_norm
from trainers.networks.classifier import Classifier
from trainers.networks.resnet import ResnetGenerator
from trainers.settings import Preset, Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System
from trainers.translation import translations

FROZEN, TARGET = "frozen", "target"
TASK_WIDTH = 32  # of a T that nobody trained before


@dataclass(frozen=True)
class BalancedHyper(Learning, Adversary):
    """The settings of balanced style transfer; CycleGAN's published ones where the slides name none."""

    width: int = setting(64, "channels of the generators' first layer", minimum=1, maximum=4096)
    blocks: int | None = setting(None, "residual blocks; empty: 6 up to 128 pixels, 9 above", minimum=1, maximum=64)
    critic: str = setting("patch70", "the critics, by their receptive field in pixels", choices=critics.CRITICS)
    critic_width: int = setting(64, "channels of the critics' first layer", minimum=1, maximum=4096)
    identity: bool = setting(False, "whether CycleGAN's identity terms exist beside the similarity")
    pool: int = setting(50, "generated images kept per domain, over all replicas; 0: off", minimum=0)
    task_net: str = setting(
        "joint",
        "the task network T: joint, trained with the generators (from `task` where there is one); frozen, `task` as it is",
        choices=("joint", FROZEN),
    )
    task_width: int | None = setting(
        None,
        f"channels of T's first layer; empty: as `task` has, else {TASK_WIDTH}",
        minimum=1,
        maximum=4096,
        fixed=True,
    )
    classes: int | None = setting(
        None, "number of classes; empty: as many as the data set has", minimum=2, maximum=1_000_000, fixed=True
    )
    lp_interp: str = setting(
        TARGET,
        "the penalty's points lie between generated pictures and: real ones of their domain, or what they were made from",
        choices=(TARGET, "source"),
    )
    gan: str = changed(Adversary, "gan", "vanilla")
    penalty: str = changed(Adversary, "penalty", "lp")


def _identity(hyper: BalancedHyper) -> bool:
    return hyper.identity


class Balanced(System):
    """Unpaired translation that keeps what a picture shows: by similarity, and by a task network that reads its label."""

    name = "balanced"
    title = "Balanced Unsupervised Style Transfer"
    citation = "slides; penalty: Petzka, Fischer, Lukovnicov, ICLR 2018, arXiv:1709.08894"
    reads = Reads(("a", "b"), paired=False, labelled=("a",))
    terms = (
        Term("adv_ab", "λ_adv", 1.0, "ab makes d_b call ab(a) real", group="adv", search=(0.3, 3)),
        Term("adv_ba", "λ_adv", 1.0, "ba makes d_a call ba(b) real", group="adv", search=(0.3, 3)),
        Term("cyc_a", "λ_A / λ_cyc", 10.0, "mean |ba(ab(a)) - a|", group="cyc", search=(1, 30)),
        Term("cyc_b", "λ_B / λ_cyc", 10.0, "mean |ab(ba(b)) - b|", group="cyc", search=(1, 30)),
        Term("idt_a", "λ_idt", 0.5, "mean |ba(a) - a|", "idt", "cyc_a", when=_identity, search=(0.05, 1)),
        Term("idt_b", "λ_idt", 0.5, "mean |ab(b) - b|", "idt", "cyc_b", when=_identity, search=(0.05, 1)),
        Term("sim", "λ_s", 1.0, "mean |ab(a) - a|", search=(1, 5)),
        Term("task_real", "λ_T", 1.0, "cross-entropy of T(a) and a's class", group="task", search=(0.1, 10)),
        Term("task_fake", "λ_T", 1.0, "cross-entropy of T(ab(a)) and a's class", group="task", search=(0.1, 10)),
        Term("d_a", "λ_D", 1.0, "0.5 x (d_a calls a real + d_a calls old ba(b) fake)", group="d"),
        Term("d_b", "λ_D", 1.0, "0.5 x (d_b calls b real + d_b calls old ab(a) fake)", group="d"),
        Term("gp_a", "λ_LP / λ_GP", 10.0, "penalty on d_a's gradient", group="gp", when=penalised, search=(1, 100)),
        Term("gp_b", "λ_LP / λ_GP", 10.0, "penalty on d_b's gradient", group="gp", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "frozen": Preset("the task network is the sweep's `task`, and does not learn", hyper={"task_net": FROZEN}),
        "as-printed": Preset("the penalty between G(x) and x, as the slides print it", hyper={"lp_interp": "source"}),
        "lsgan": Preset("with CycleGAN's adversarial loss", hyper={"gan": "lsgan"}),
    }
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b", "idt_b", "idt_a")
    Hyper = BalancedHyper

    def __init__(self, hyper: BalancedHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        assert hyper.classes is not None, "the plan fills the number of classes in"
        channels, image, _ = shapes["a"]
        blocks = hyper.blocks or (6 if image <= 128 else 9)
        self.hyper = hyper
        self.gan, self.controlled = hyper.criterion, hyper.controls("d_a", "d_b")
        self.ab = ResnetGenerator(channels, channels, hyper.width, blocks)
        self.ba = ResnetGenerator(channels, channels, hyper.width, blocks)
        self.d_a = critics.build_critic(hyper.critic, channels, image, hyper.critic_width, instance_norm)
        self.d_b = critics.build_critic(hyper.critic, channels, image, hyper.critic_width, instance_norm)
        self.task = Classifier(channels, hyper.classes, hyper.task_width or TASK_WIDTH)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        generators = Player("generators", (self.ab, self.ba), optimizer, rate)
        self.critics = Player("critics", (self.d_a, self.d_b), optimizer, rate, critic=True, clip=hyper.clip)
        if hyper.task_net == FROZEN:
            self.makers: tuple[Player, ...] = (generators,)
            self.frozen = {"task": self.task.requires_grad_(False)}
        else:
            self.makers = (generators, Player("task", (self.task,), optimizer, rate))
            self.starts = {"task": self.task}
        self.players = (*self.makers, self.critics)
        self.pools = {"a": hyper.pool, "b": hyper.pool}
        self.translators = {"b": self.ab, "a": self.ba}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> Balanced:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def needs_task(cls, hyper: Any) -> bool:
        return bool(hyper.task_net == FROZEN)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        (channels_a, image, _), (channels_b, _, _) = shapes["a"], shapes["b"]
        ResnetGenerator.check(image)
        critics.check(hyper.critic, image)
        hyper.check_adversary(autoencoder=hyper.critic == critics.AUTOENCODER)
        if channels_a != channels_b:
            problem = f"the similarity and T need equal channels, a has {channels_a}, b has {channels_b}"
            raise SettingError("data.uri", channels_b, f"{problem}; nearest: system cyclegan with hyper.identity false")

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """The generators move, and T beside them where it learns; then both critics, on pictures from the history."""
        (a, classes), b = replica.draw_labelled("a"), replica.draw("b")
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
            sim=lambda: (fake_b - a).abs().mean(),
            task_real=lambda: F.cross_entropy(self.task(a), classes),
            task_fake=lambda: F.cross_entropy(self.task(fake_b), classes),
        )
        yield Move((made, *self.makers))

        made_a, made_b = fake_a.detach(), fake_b.detach()
        old_a, old_b = replica.pool("a").swap(made_a), replica.pool("b").swap(made_b)
        # Between a fake and a real picture of its domain; or between it and what it was made from, so none from the history.
        ends = (
            {"a": (a, old_a), "b": (b, old_b)}
            if self.hyper.lp_interp == TARGET
            else {"a": (b, made_a), "b": (a, made_b)}
        )
        penalties = {
            "gp_a": lambda: self.hyper.penalise(self.d_a, *ends["a"]),
            "gp_b": lambda: self.hyper.penalise(self.d_b, *ends["b"]),
        }
        for _ in replica.turns(self.critics):
            judged = self.weigh(
                d_a=lambda: self.gan.critic(self.d_a(a), self.d_a(old_a), scale=0.5),
                d_b=lambda: self.gan.critic(self.d_b(b), self.d_b(old_b), scale=0.5),
                **(penalties if self.hyper.penalised else {}),
            )
            yield Move((judged, self.critics))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translations, cycles and, where they exist, identities of whichever domains are given."""
        shown = translations(images, self.ab, self.ba)
        if self.hyper.identity:
            shown |= {"idt_a": self.ba(images["a"])} if "a" in images else {}
            shown |= {"idt_b": self.ab(images["b"])} if "b" in images else {}
        return shown
