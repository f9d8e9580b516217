"""What UNIT and MUNIT share: the sizes of the networks around a picture's content, the critics, and how the rate falls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from trainers.adversarial import CRITERIA
from trainers.curriculum import Terms
from trainers.hyper import Adversary, Learning
from trainers.networks.content import ContentEncoder
from trainers.networks.pyramid import PyramidCritic
from trainers.schedule import constant_then_linear, halved_every
from trainers.settings import changed, setting
from trainers.system import Shapes


@dataclass(frozen=True)
class ContentHyper(Learning, Adversary):
    """All settings that UNIT and MUNIT have in common, with the published defaults. The published batch is 1."""

    width: int = setting(64, "channels of the generators' first layer", minimum=1, maximum=4096)
    blocks: int = setting(4, "residual blocks of each encoder, and of each decoder", minimum=1, maximum=64)
    critic_width: int = setting(64, "channels of the critics' first layer, at every scale", minimum=1, maximum=4096)
    critic_layers: int = setting(4, "convolutions of stride 2 in a critic", minimum=1, maximum=8)
    scales: int = setting(3, "sizes of the image that a critic judges, each half the one before", minimum=1, maximum=8)
    halve_every: int = setting(100_000, "steps after which the learning rate is halved, again and again", minimum=1)
    gan: str = setting(
        "lsgan", "adversarial criterion", choices=tuple(name for name, kind in CRITERIA.items() if not kind.controls)
    )
    lr: float = changed(Learning, "lr", 1e-4)
    weight_decay: float = changed(Learning, "weight_decay", 1e-4)
    decay_from: float = changed(Learning, "decay_from", 1.0)

    def rate(self, steps: int) -> Callable[[int], float]:
        """The factor on the learning rate at a step of a run of `steps`."""
        linear, halved = constant_then_linear(steps, self.decay_from), halved_every(self.halve_every)
        return lambda t: linear(t) * halved(t)

    def build_critic(self, channels: int) -> PyramidCritic:
        """Pictures of a domain -> logits at each scale."""
        return PyramidCritic(channels, self.critic_width, self.scales, self.critic_layers)

    def judged(self, domain: str, critic: nn.Module, real: Tensor, fake: Tensor) -> Terms:
        """The terms of a domain's critic, of real and generated pictures `[N,C,H,W]`."""
        penalty: Terms = {f"gp_{domain}": lambda: self.penalise_scales(critic, real, fake)}
        return {
            f"d_{domain}": lambda: self.criterion.critic_over(critic(real), critic(fake), scale=1.0),
            **(penalty if self.penalised else {}),
        }

    def check(self, shapes: Shapes) -> None:
        """Raise SettingError where the networks do not fit the images, or the choices each other."""
        image = shapes["a"][1]
        ContentEncoder.check(image)
        PyramidCritic.check(image, self.scales, self.critic_layers)
        self.check_adversary()
