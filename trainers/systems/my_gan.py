"""MyGAN: unpaired translation one way. What `ab` makes of a is to pass for b, and to keep the colours of a, seen from afar."""

from dataclasses import dataclass

from torch.nn.functional import avg_pool2d

from trainers.hyper import Adversary, Learning
from trainers.networks.blocks import instance_norm
from trainers.networks.critics import build_critic
from trainers.networks.resnet import ResnetGenerator
from trainers.settings import Reads, Term, setting
from trainers.system import Move, Player, System


@dataclass(frozen=True)
class MyHyper(Learning, Adversary):
    """What a sweep may set under `hyper`, beside the usual learning rates and criteria."""

    width: int = setting(16, "channels of the generator's first layer", minimum=1, maximum=512)
    blocks: int = setting(2, "residual blocks of the generator", minimum=0, maximum=32)


class MyGAN(System):
    """Unpaired translation that keeps the colours."""

    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv", "λ_adv", 1.0, "ab makes d call ab(a) real", search=(0.3, 3)),
        Term("keep", "λ_keep", 5.0, "mean |ab(a) - a|, both blurred to a quarter of their side", search=(0.5, 50)),
        Term("d", "λ_D", 1.0, "0.5 x (d calls b real + d calls ab(a) fake)"),
    )
    shows = ("fake_b",)
    Hyper = MyHyper

    def __init__(self, hyper, shapes, weights, steps):
        super().__init__(weights)
        channels, image, _ = shapes["b"]
        self.hyper, self.gan = hyper, hyper.criterion
        self.ab = ResnetGenerator(shapes["a"][0], channels, hyper.width, hyper.blocks)
        self.d = build_critic("patch16", channels, image, hyper.width, instance_norm)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.ab,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True)
        self.players = (self.generator, self.critic)
        self.pools, self.translators = {}, {"b": self.ab}

    @classmethod
    def build(cls, hyper, shapes, weights, steps):
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes, hyper):
        ResnetGenerator.check(shapes["a"][1])

    def step(self, t, replica):
        a, b = replica.draw("a"), replica.draw("b")
        fake_b = self.ab(a)
        made = self.weigh(
            adv=lambda: self.gan.generator(self.d(fake_b)),
            keep=(avg_pool2d(fake_b, 4) - avg_pool2d(a, 4)).abs().mean(),
        )
        yield Move((made, self.generator))  # moves the generator alone, whatever the losses reach

        for _ in replica.turns(self.critic):
            judged = self.weigh(d=lambda: self.gan.critic(self.d(b), self.d(fake_b.detach()), scale=0.5))
            yield Move((judged, self.critic))

    def show(self, images):
        return {"fake_b": self.ab(images["a"])} if "a" in images else {}
