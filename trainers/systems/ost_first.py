"""OST's phase I: an autoencoder of the domain that has many pictures, and a critic of what it makes. See `ost.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from trainers.hyper import Adversary, Learning, penalised
from trainers.networks import critics
from trainers.networks.blocks import check_multiple, instance_norm
from trainers.networks.resnet import FACTOR
from trainers.networks.split_resnet import HALVINGS, Own, Path, Shared
from trainers.settings import Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System

FIRST = "first"
DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": lambda x, y: (x - y).abs().mean(),
    "mse": lambda x, y: (x - y).square().mean(),
}


@dataclass(frozen=True)
class OSTFirstHyper(Learning, Adversary):
    """The settings of phase I, which are phase II's too."""

    decay_from: float = changed(Learning, "decay_from", 1.0)
    one: str = setting("a", "the domain of the one picture", choices=("a", "b"), fixed=True)
    width: int = setting(64, "channels of the generators' first layer", minimum=1, maximum=1024)
    blocks: int = setting(6, "shared residual blocks, half of them on either side of the code", minimum=0, maximum=64)
    unshared: int = setting(2, "halvings that belong to a domain, of two", minimum=0, maximum=HALVINGS)
    critic: str = setting("patch70", "the critics, by their receptive field in pixels", choices=critics.CRITICS)
    critic_width: int = setting(64, "channels of the critics' first layer", minimum=1, maximum=4096)
    noise: float = setting(1.0, "standard deviation of the code while training; 0: the code itself", minimum=0.0)
    distance: str = setting("l1", "of a picture and what is made of it again", choices=tuple(DISTANCES))
    pool: int = setting(50, "generated pictures kept for the critic, over all replicas; 0: off", minimum=0)

    @property
    def many(self) -> str:
        """The domain of all the pictures."""
        return "b" if self.one == "a" else "a"


def _first(term: str, symbol: str, weight: float, meaning: str, search: tuple[float, float] | None = None) -> Term:
    return Term(f"{term}_first", symbol, weight, f"phase I: {meaning}", search=search, stage=FIRST)


FIRST_TERMS = (
    _first("adv", "λ_GAN1", 1.0, "the autoencoder makes d_many call to_many(b) real", (0.1, 10)),
    _first("recon", "λ_B", 10.0, "mean |T_BB b - b|", (1, 30)),
    _first("kl", "λ_KL1", 0.1, "mean of the code's squares", (0.01, 1)),
    _first("d", "λ_D1", 1.0, "0.5 x (d_many calls b real + d_many calls old T_BB b fake)"),
    Term(
        "gp_first",
        "λ_GP1 / λ_LP1",
        10.0,
        "phase I: penalty on d_many's gradient",
        when=penalised,
        search=(1, 100),
        stage=FIRST,
    ),
)


class OSTFirst(System):
    """Phase I: an autoencoder of the many, with a critic."""

    name = "ost"
    title = "One-Shot Unsupervised Cross Domain Translation"
    citation = "Benaim, Wolf, NeurIPS 2018, arXiv:1806.06029"
    reads = Reads(("b",), paired=False)
    terms = FIRST_TERMS
    shows = ("idt_b", "idt_a")
    Hyper = OSTFirstHyper
    stage = FIRST

    def __init__(self, hyper: OSTFirstHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        self.hyper, self.gan, self.reads = hyper, hyper.criterion, self.reading(hyper)
        self.own_many, self.shared, self.d_many = build_many(hyper, shapes)
        self.controlled = hyper.controls("d_first")
        self.path = Path(self.own_many, self.shared, self.own_many, hyper.noise)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.autoencoder = Player("autoencoder", (self.own_many, self.shared), optimizer, rate)
        self.critic = Player("critic", (self.d_many,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.autoencoder, self.critic)
        self.pools = {hyper.many: hyper.pool}
        self.translators = {}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> OSTFirst:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes[hyper.many][1]
        check_multiple(image, FACTOR, "OST's generator")
        critics.check(hyper.critic, image)
        hyper.check_adversary(autoencoder=hyper.critic == critics.AUTOENCODER)

    @classmethod
    def reading(cls, hyper: OSTFirstHyper) -> Reads:
        return Reads((hyper.many,), paired=False)

    @classmethod
    def showing(cls, hyper: OSTFirstHyper) -> tuple[str, ...]:
        return (f"idt_{hyper.many}",)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """The autoencoder moves, then the critic, on pictures from the history."""
        many, distance = self.hyper.many, DISTANCES[self.hyper.distance]
        b = replica.draw(many)
        code = self.path.code(b)
        again = self.path.picture(code)
        made = self.weigh(
            adv_first=lambda: self.gan.generator(self.d_many(again)),
            recon_first=distance(again, b),
            kl_first=code.float().square().mean(),
        )
        yield Move((made, self.autoencoder))

        old = replica.pool(many).swap(again.detach())
        penalty = {"gp_first": lambda: self.hyper.penalise(self.d_many, b, old)} if self.hyper.penalised else {}
        for _ in replica.turns(self.critic):
            judged = self.weigh(d_first=lambda: self.gan.critic(self.d_many(b), self.d_many(old), scale=0.5), **penalty)
            yield Move((judged, self.critic))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What it makes of the many again."""
        many = self.hyper.many
        return {f"idt_{many}": self.path(images[many])} if many in images else {}


def build_many(hyper: OSTFirstHyper, shapes: Shapes) -> tuple[Own, Shared, nn.Module]:
    """The many's own layers, the shared ones, and the critic of the many."""
    channels, image, _ = shapes[hyper.many]
    own = Own(channels, hyper.width, hyper.unshared)
    shared = Shared(hyper.width, hyper.unshared, hyper.blocks)
    return own, shared, critics.build_critic(hyper.critic, channels, image, hyper.critic_width, instance_norm)
