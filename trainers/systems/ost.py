"""OST: Benaim, Wolf, "One-Shot Unsupervised Cross Domain Translation", NeurIPS 2018.

    I:     min over E_B, E^S, G^S, G_B:  lambda_B ||T_BB b - b||_1 + GAN(D_B, T_BB b) + lambda_KL KL(E^S E_B b)
    II, x: min over E_A, G_A [, E_B, G_B]:  GAN(D_B, T_AB s) + ||T_AA s - s||_1 + lambda_A ||T_BA T_AB s - s||_1,  s in P(x)
    II, B: min over E_B, G_B, E^S, G^S:  ||T_BB b - b||_1 + lambda_KL KL(E^S E_B b) + GAN(D_B, T_BB b)

| paper | here | |
| --- | --- | --- |
| A, B | one, many | domain a has the one picture, b all of them; `hyper.one: b` the other way round |
| E_A^U, G_A^U and E_B^U, G_B^U | own_one, own_many | each domain's own layers |
| E^S, G^S | shared | the layers that both share |
| T_AB = G_B^U G^S E^S E_A^U | path(one, many) | T_AA, T_BA and T_BB likewise |
| P(x) | turned | the one picture, turned by up to `rotation` degrees, and mirrored |
| lambda_A | weights.cyc | 10 |
| lambda_B | weights.recon_first, recon_many | 10 in phase I, 1 in phase II |
| KL | kl_first, kl | mean of h^2: the code is N(h, 1) while training |

Selective backpropagation: the loss of the one picture passes its gradient through the shared layers and does not move them, or
they would fit it alone. What it moves is read in two ways: `all_unshared` is the formula above (and the published code for
digits); `a_only` (the published code for drawings) leaves the many's own layers alone too; `none` is the paper's ablation.
`freeze_shared` is its row "no phase II update of E^S and G^S". The cycle runs from the one picture and back; `two_way` adds the
other, which hurts. The published code builds a critic of the one domain and gives it no loss, except for digits: `gan_one`.
Its two optimizer steps for a critic's real and generated pictures are one here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from trainers.geometry import turned
from trainers.hyper import penalised
from trainers.networks import critics
from trainers.networks.blocks import instance_norm
from trainers.networks.split_resnet import Own, Path
from trainers.settings import Preset, Reads, Term, setting
from trainers.stages import Stage, Weights, fields_for
from trainers.system import Move, Player, Replica, Shapes, System
from trainers.systems.ost_first import DISTANCES, FIRST, FIRST_TERMS, OSTFirst, OSTFirstHyper, build_many

SELECTIVE = ("all_unshared", "a_only", "none")
CYCLES = ("one_way", "two_way", "none")


@dataclass(frozen=True)
class OSTHyper(OSTFirstHyper):
    """OST's settings with the published defaults."""

    first_steps: int = setting(10_000, "length of phase I in steps; 0: left out", minimum=0)
    first_batch: int | None = setting(None, "pictures a step in phase I; empty: data.batch", minimum=1)
    rotation: float = setting(7.0, "degrees by which the one picture is turned, at most", minimum=0.0, maximum=180.0)
    mirror: bool = setting(True, "whether the one picture is mirrored, half of the time")
    cycle: str = setting("one_way", "which cycles there are: one_way begins at the one picture", choices=CYCLES)
    selective: str = setting("all_unshared", "what the one picture's loss moves; none: all layers", choices=SELECTIVE)
    freeze_shared: bool = setting(False, "whether phase II leaves the shared layers as phase I made them")
    gan_many: bool = setting(True, "whether a critic judges what phase II makes of the many again")
    gan_one: bool = setting(False, "whether the one domain has a critic too")


class OST(System):
    """Phase II: one picture of one domain, and all of the other."""

    name = OSTFirst.name
    title = OSTFirst.title
    citation = OSTFirst.citation
    reads = Reads(("a", "b"), paired=False, alone=("a",))
    terms = (
        Term("adv", "λ_GAN", 1.0, "T_AB makes d_many call T_AB s real", search=(0.1, 10)),
        Term("recon", "λ_AA", 1.0, "mean |T_AA s - s|", search=(0.1, 10)),
        Term(
            "cyc_one",
            "λ_A / λ_cyc",
            10.0,
            "mean |T_BA T_AB s - s|",
            group="cyc",
            when=lambda h: h.cycle != "none",
            search=(1, 30),
        ),
        Term(
            "cyc_many",
            "λ_cyc",
            10.0,
            "mean |T_AB T_BA b - b|",
            group="cyc",
            when=lambda h: h.cycle == "two_way",
            search=(1, 30),
        ),
        Term("adv_one", "λ_GAN3", 1.0, "T_BA makes d_one call T_BA b real", when=lambda h: h.gan_one, search=(0.1, 10)),
        Term("recon_many", "λ_BB", 1.0, "mean |T_BB b - b|", search=(0.1, 10)),
        Term("kl", "λ_KL", 0.1, "mean of the code's squares", search=(0.01, 1)),
        Term(
            "adv_many", "λ_GAN2", 1.0, "T_BB makes d_many call T_BB b real", when=lambda h: h.gan_many, search=(0.1, 10)
        ),
        Term("d", "λ_D", 1.0, "0.5 x (d_many calls b real + d_many calls old T_AB s fake)"),
        Term("d_many", "λ_D2", 1.0, "the same of old T_BB b", when=lambda h: h.gan_many),
        Term(
            "gp", "λ_GP / λ_LP", 10.0, "penalty on d_many's gradient, against T_AB s", when=penalised, search=(1, 100)
        ),
        Term(
            "d_one", "λ_D3", 1.0, "0.5 x (d_one calls s real + d_one calls old T_BA b fake)", when=lambda h: h.gan_one
        ),
        *FIRST_TERMS,
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "drawing": Preset(
            "the published code for drawings: the one picture's loss moves its own layers alone",
            hyper={"selective": "a_only"},
        ),
        "digits": Preset(
            "the published code for digits: squared errors, a critic of the one, none in phase II's loss of the many",
            hyper={"distance": "mse", "rotation": 0.1, "gan_one": True, "gan_many": False, "first_steps": 15_000},
        ),
        "without-selective": Preset(
            "the paper's ablation: all layers follow the one picture", hyper={"selective": "none"}
        ),
        "frozen": Preset(
            "the paper's ablation: phase II leaves the shared layers alone", hyper={"freeze_shared": True}
        ),
    }
    shows = ("fake_b", "fake_a", "cycle_a", "cycle_b")
    Hyper = OSTHyper
    stages = (
        Stage(
            FIRST,
            "phase I, an autoencoder of the domain with many pictures",
            OSTFirst,
            settings=lambda hyper: fields_for(OSTFirstHyper, hyper),
            steps=lambda hyper: int(hyper.first_steps),
            batch=lambda hyper: hyper.first_batch,
        ),
    )

    def __init__(self, hyper: OSTHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        self.hyper, self.gan, self.reads = hyper, hyper.criterion, self.reading(hyper)
        self.own_many, self.shared, self.d_many = build_many(hyper, shapes)
        self.controlled = hyper.controls(*(name for name in ("d", "d_many", "d_one") if name in weights))
        channels, image, _ = shapes[hyper.one]
        self.own_one = Own(channels, hyper.width, hyper.unshared)
        own = {hyper.one: self.own_one, hyper.many: self.own_many}
        self.paths = {(x, y): Path(own[x], self.shared, own[y], hyper.noise) for x in own for y in own}
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.one = Player("one", (self.own_one,), optimizer, rate)
        self.many = Player("many", (self.own_many,), optimizer, rate)
        self.inner = Player("shared", (self.shared,), optimizer, rate)
        self.critic = Player("critic", (self.d_many,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.one, self.many, *(() if hyper.freeze_shared else (self.inner,)), self.critic)
        self.frozen = {FIRST: self.shared} if hyper.freeze_shared else {}
        self.pools = {hyper.many: hyper.pool}
        if hyper.gan_one:
            self.d_one = critics.build_critic(hyper.critic, channels, image, hyper.critic_width, instance_norm)
            self.critic_one = Player("critic_one", (self.d_one,), optimizer, rate, critic=True, clip=hyper.clip)
            self.players, self.pools = (*self.players, self.critic_one), {**self.pools, hyper.one: hyper.pool}
        self.translators = {y: self.paths[x, y] for x, y in ((hyper.one, hyper.many), (hyper.many, hyper.one))}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> OST:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        OSTFirst.check(shapes, hyper)

    @classmethod
    def reading(cls, hyper: OSTHyper) -> Reads:
        return Reads(("a", "b"), paired=False, alone=(hyper.one,))

    def enter(self, before: Mapping[str, Weights]) -> None:
        """Phase I's layers; the one's own begin as the many's, as far as the domains' channels let them."""
        if FIRST in before:
            mine = {name: part for name, part in self.named_parameters() if name in before[FIRST]}
            assert mine.keys() == before[FIRST].keys()
            for name, part in mine.items():
                part.copy_(before[FIRST][name])
        theirs = dict(self.own_many.named_parameters())
        for name, part in self.own_one.named_parameters():
            if part.shape == theirs[name].shape:
                part.copy_(theirs[name])

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """What follows the one picture moves, then what follows the many, then the critics."""
        hyper, distance = self.hyper, DISTANCES[self.hyper.distance]
        x, b = turned(replica.draw(hyper.one), hyper.rotation, hyper.mirror), replica.draw(hyper.many)
        there, back = self.paths[hyper.one, hyper.many], self.paths[hyper.many, hyper.one]
        code = there.code(x)
        fake_many = there.picture(code)
        fake_one = back.picture(back.code(b)) if hyper.gan_one or hyper.cycle == "two_way" else b
        followed = {
            "adv": lambda: self.gan.generator(self.d_many(fake_many)),
            "recon": lambda: distance(self.paths[hyper.one, hyper.one].picture(code), x),
        }
        if hyper.cycle != "none":
            followed["cyc_one"] = lambda: distance(back.picture(back.code(fake_many)), x)
        if hyper.cycle == "two_way":
            followed["cyc_many"] = lambda: distance(there.picture(there.code(fake_one)), b)
        if hyper.gan_one:
            followed["adv_one"] = lambda: self.gan.generator(self.d_one(fake_one))
        yield Move((self.weigh(**followed), *self._followers()))

        same = self.paths[hyper.many, hyper.many]
        code = same.code(b)
        again = same.picture(code)
        judged = {"adv_many": lambda: self.gan.generator(self.d_many(again))} if hyper.gan_many else {}
        made = self.weigh(recon_many=distance(again, b), kl=code.float().square().mean(), **judged)
        yield Move((made, self.many, *(() if hyper.freeze_shared else (self.inner,))))

        pool = replica.pool(hyper.many)
        old, old_again = pool.swap(fake_many.detach()), pool.swap(again.detach()) if hyper.gan_many else None
        for _ in replica.turns(self.critic):
            said = {"d": lambda: self.gan.critic(self.d_many(b), self.d_many(old), scale=0.5)}
            if hyper.gan_many:
                said["d_many"] = lambda: self.gan.critic(self.d_many(b), self.d_many(old_again), scale=0.5)
            if hyper.penalised:
                said["gp"] = lambda: hyper.penalise(self.d_many, b, old)
            yield Move((self.weigh(**said), self.critic))
        if hyper.gan_one:
            old_one = replica.pool(hyper.one).swap(fake_one.detach())
            for _ in replica.turns(self.critic_one):
                said = {"d_one": lambda: self.gan.critic(self.d_one(x), self.d_one(old_one), scale=0.5)}
                yield Move((self.weigh(**said), self.critic_one))

    def _followers(self) -> tuple[Player, ...]:
        """Who follows the loss of the one picture."""
        if self.hyper.selective == "a_only":
            return (self.one,)
        inner = () if self.hyper.selective != "none" or self.hyper.freeze_shared else (self.inner,)
        return (self.one, self.many, *inner)

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translations and cycles of whichever domains are given."""
        shown: dict[str, Tensor] = {}
        for source, target in (("a", "b"), ("b", "a")):
            if source in images:
                shown[f"fake_{target}"] = self.paths[source, target](images[source])
                shown[f"cycle_{source}"] = self.paths[target, source](shown[f"fake_{target}"])
        return shown
