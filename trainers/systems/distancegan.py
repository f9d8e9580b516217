"""DistanceGAN: Benaim, Wolf, "One-Sided Unsupervised Domain Mapping", NeurIPS 2017.

    a_1A L_GAN(G_AB) + a_1B L_GAN(G_BA) + a_2A L_cycle(G_AB, G_BA) + a_2B L_cycle(G_BA, G_AB)
    + a_3A L_dist(G_AB) + a_3B L_dist(G_BA) + a_4A L_self(G_AB) + a_4B L_self(G_BA)      (paper, section 3)
    L_dist(G_AB) = E |(d(x_i, x_j) - mu_A) / s_A - (d(G_AB(x_i), G_AB(x_j)) - mu_B) / s_B|
    L_self(G_AB): the same of d(L(x), R(x)), the two halves of one picture, with mu and s of halves

| paper | here | |
| --- | --- | --- |
| G_AB, G_BA | ab, ba | hyper.sides `ab`: ba and d_a do not exist |
| a_1 .. a_4 | weights.adv, cyc, dist, self | 1, 10, 1, 1; dist and self exclude each other (hyper.distance) |
| d(x, y) | mean abs(x - y) | equal to the printed sum after division by s, not with hyper.normalised false |
| mu, s | measured | of at most 900 whole training pictures of a domain, before step 0; checkpoints hold them |
| L, R | hyper.self_axis | left and right half; the authors' code: top and bottom |

The authors' code departs from the formulas in four places; this follows the formulas. There mu and s are of pairs of BATCHES
(s too small by the root of the batch size), its DiscoGAN flavour measures along one axis of a picture what the loss takes
along the other, L_self averages d over the batch before the absolute value, and its axis is fixed. Pairs are formed within a
replica.

hyper.architecture: `cyclegan` (its networks, an L1 cycle, every player moves in each step) or `discogan` (its networks,
a squared cycle, feature matching, critics in every third step and generators in the others, the share r: see curriculum.py).
Each preset `discogan-...` holds that flavour's weights, 0.1 adversarial and 0.9 feature matching; its published batch is 64,
the other's is 2. r starts at 0.5 for handbags to shoes, and is 0.9 for angles, there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from trainers import distances
from trainers.curriculum import Curriculum, Terms, critics_turn, game, mix, watching
from trainers.errors import SettingError
from trainers.hyper import Adversary, Learning, penalised
from trainers.networks import critics
from trainers.networks.blocks import NORMS, instance_norm
from trainers.networks.disco import DiscoCritic, DiscoGenerator
from trainers.networks.resnet import ResnetGenerator
from trainers.settings import Preset, Reads, Term, setting
from trainers.stages import Statistics
from trainers.system import Move, Player, Replica, Shapes, System
from trainers.translation import translations

CYCLEGAN, DISCOGAN, ONE, BOTH = "cyclegan", "discogan", "ab", "both"
MEASURED = {"pairs": "pairs", "self": "halves", "none": None}  # distance -> the statistics it is divided by
Pictures = Mapping[str, Tensor]  # domain -> [N,C,H,W]


@dataclass(frozen=True)
class DistanceGANHyper(Learning, Adversary, Curriculum):
    """DistanceGAN's settings with the defaults of the authors' code: its CycleGAN flavour, both ways, by pairs."""

    architecture: str = setting(CYCLEGAN, "networks, cycle and turns as in which method", choices=(CYCLEGAN, DISCOGAN))
    sides: str = setting(BOTH, "ab: only a to b, and no network for the way back", choices=(ONE, BOTH))
    distance: str = setting(
        "pairs",
        "what is kept: distances of pairs of pictures, of the two halves of one, or none",
        choices=tuple(MEASURED),
    )
    cycle: bool = setting(False, "whether the cycle terms exist; they need both sides")
    self_axis: str = setting("width", "halves: left and right, or upper and lower", choices=tuple(distances.AXES))
    normalised: bool = setting(True, "distances less their domain's mean, over its deviation; false: mean |x - y|")
    width: int = setting(64, "channels of the generators' first layer", minimum=1, maximum=4096)
    blocks: int | None = setting(None, "as cyclegan's; empty: 6 up to 128 pixels, 9 above", minimum=1, maximum=64)
    critic: str = setting("patch70", "the critics of cyclegan, by their receptive field", choices=critics.CRITICS)
    critic_width: int = setting(64, "channels of the critics' first layer", minimum=1, maximum=4096)
    norm: str = setting("batch", "normalisation of discogan; cyclegan has instance norm", choices=tuple(NORMS))
    pool: int = setting(50, "generated images kept per domain, over all replicas; 0: off", minimum=0)

    @property
    def both(self) -> bool:
        """Whether both directions exist."""
        return self.sides == BOTH

    @property
    def disco(self) -> bool:
        """Whether the architecture is DiscoGAN's."""
        return self.architecture == DISCOGAN

    @property
    def statistics(self) -> str | None:
        """What is measured of each domain: `pairs`, `halves`, or nothing."""
        return MEASURED[self.distance] if self.normalised else None


DISCO = {"architecture": DISCOGAN, "gan": "vanilla", "pool": 0, "weight_decay": 1e-5, "decay_from": 1.0}
GP, MATCHED = "λ_GP / λ_LP", "(mean critic features of real - of made)^2"
CYCLE = "mean |there and back - x|; squared in discogan"
PAIRS = "mean |d(x, x') - d(there(x), there(x'))|"
HALVES = "the same of the two halves of x"


class Way(NamedTuple):
    """One direction: the network there, the one back if there is one, and the judge of its target."""

    name: str
    source: str
    target: str
    there: nn.Module
    back: nn.Module | None
    critic: nn.Module


class DistanceGAN(System):
    """Unpaired translation, one way or both, that keeps the distances between pictures."""

    name = "distancegan"
    title = "One-Sided Unsupervised Domain Mapping"
    citation = "Benaim, Wolf, NeurIPS 2017, arXiv:1706.00826"
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv_ab", "α_1A", 1.0, "ab makes d_b call ab(a) real", "adv", search=(0.1, 10)),
        Term("adv_ba", "α_1B", 1.0, "ba makes d_a call ba(b) real", "adv", when=lambda h: h.both, search=(0.1, 10)),
        Term("fm_ab", "λ_FM", 0.9, MATCHED, "fm", when=lambda h: h.disco, search=(0.1, 10)),
        Term("fm_ba", "λ_FM", 0.9, MATCHED, "fm", when=lambda h: h.disco and h.both, search=(0.1, 10)),
        Term("cyc_a", "α_2A", 10.0, CYCLE, "cyc", when=lambda h: h.cycle and h.both, search=(1, 30)),
        Term("cyc_b", "α_2B", 10.0, CYCLE, "cyc", when=lambda h: h.cycle and h.both, search=(1, 30)),
        Term("dist_ab", "α_3A", 1.0, PAIRS, "dist", when=lambda h: h.distance == "pairs", search=(0.1, 10)),
        Term("dist_ba", "α_3B", 1.0, PAIRS, "dist", when=lambda h: h.distance == "pairs" and h.both, search=(0.1, 10)),
        Term("self_ab", "α_4A", 1.0, HALVES, "self", when=lambda h: h.distance == "self", search=(0.1, 10)),
        Term("self_ba", "α_4B", 1.0, HALVES, "self", when=lambda h: h.distance == "self" and h.both, search=(0.1, 10)),
        Term("d_a", "λ_D", 1.0, "0.5 x (d_a calls a real + d_a calls old ba(b) fake)", "d", when=lambda h: h.both),
        Term("d_b", "λ_D", 1.0, "0.5 x (d_b calls b real + d_b calls old ab(a) fake)", "d"),
        Term("gp_a", GP, 10.0, "penalty on d_a", "gp", when=lambda h: h.penalised and h.both, search=(1, 100)),
        Term("gp_b", GP, 10.0, "penalty on d_b", "gp", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "one-sided-distance": Preset("a to b alone, pairs", hyper={"sides": ONE}),
        "one-sided-self-distance": Preset("a to b alone, halves", hyper={"sides": ONE, "distance": "self"}),
        "self-distance": Preset("both ways, halves", hyper={"distance": "self"}),
        "cycle-distance": Preset("both ways, pairs and the cycle", hyper={"cycle": True}),
        "cycle-self-distance": Preset("both ways, halves and the cycle", hyper={"cycle": True, "distance": "self"}),
        "discogan-distance": Preset("DiscoGAN's flavour: both ways, pairs", {"adv": 0.1}, DISCO),
        "discogan-cycle-distance": Preset(
            "the same with the cycle", {"adv": 0.1, "cyc": 1.0}, {**DISCO, "cycle": True}
        ),
        "discogan-one-sided-distance": Preset("the same, a to b alone", {"adv_ab": 0.1}, {**DISCO, "sides": ONE}),
        "discogan-one-sided-self-distance": Preset(
            "the same, a to b alone, halves", {"adv_ab": 0.1}, {**DISCO, "sides": ONE, "distance": "self"}
        ),
    }
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b")
    Hyper = DistanceGANHyper
    min_per_replica = 2

    def __init__(self, hyper: DistanceGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        (channels_a, image, _), (channels_b, _, _) = shapes["a"], shapes["b"]
        self.hyper = hyper
        self.gan = hyper.criterion
        self.ab = build_generator(hyper, channels_a, channels_b, image)
        self.ba = build_generator(hyper, channels_b, channels_a, image) if hyper.both else None
        self.d_a = build_critic(hyper, channels_a, image) if hyper.both else None
        self.d_b = build_critic(hyper, channels_b, image)
        self.ways = [Way("ab", "a", "b", self.ab, self.ba, self.d_b)]
        if self.ba is not None and self.d_a is not None:
            self.ways.append(Way("ba", "b", "a", self.ba, self.ab, self.d_a))
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generators = Player("generators", tuple(way.there for way in self.ways), optimizer, rate)
        judges = tuple(way.critic for way in self.ways)
        self.critics = Player("critics", judges, optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generators, self.critics)
        self.controlled = hyper.controls(*(f"d_{way.target}" for way in self.ways))
        self.pools = {way.target: hyper.pool for way in self.ways}
        self.translators = {way.target: way.there for way in self.ways}
        measured = self.reads.domains if hyper.statistics else ()
        self.measures = {f"{domain}.{hyper.statistics}": (2,) for domain in measured}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> DistanceGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes["a"][1]
        if hyper.cycle and not hyper.both:
            problem = f"the cycle needs both sides, and hyper.sides is {hyper.sides}; nearest: hyper.sides {BOTH}"
            raise SettingError("hyper.cycle", hyper.cycle, problem)
        if hyper.disco:
            DiscoGenerator.check(image)
            hyper.check_adversary(batch_norm=hyper.norm == "batch")
        else:
            ResnetGenerator.check(image)
            critics.check(hyper.critic, image)
            hyper.check_adversary(autoencoder=hyper.critic == critics.AUTOENCODER)

    @classmethod
    def showing(cls, hyper: Any) -> tuple[str, ...]:
        """One-sided, nothing leads back."""
        return cls.shows if hyper.both else ("fake_b",)

    def measure(self, samples: Statistics) -> dict[str, Tensor]:
        """Mean and deviation of the distances within each domain."""
        found: dict[str, Tensor] = {}
        for name in self.measures:
            domain, _, kind = name.partition(".")
            found[name] = distances.MEASURES[kind](samples, domain, self.hyper.self_axis)
        return found

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """As CycleGAN: the generators, then the critics on the history. As DiscoGAN: one of the two."""
        real = {domain: replica.draw(domain) for domain in ("a", "b")}
        if self.hyper.disco:
            yield from self._alternate(t, real, replica)
            return
        fake = self._translated(real)
        yield Move((self.weigh(**self._terms(real, fake, self._game, self._kept)), self.generators))
        judged = self._terms(real, self._history(fake, replica), self._judged)
        for _ in replica.turns(self.critics):
            yield Move((self.weigh(**judged), self.critics))

    def _alternate(self, t: int, real: Pictures, replica: Replica) -> Iterator[Move]:
        """One update, of the critics or of the generators."""
        with torch.set_grad_enabled(not critics_turn(t)):
            fake = self._translated(real)
        if critics_turn(t):
            judged = self._terms(real, self._history(fake, replica), self._judged)
            for _ in replica.turns(self.critics):
                others = self._terms(real, fake, self._game, self._kept)
                yield Move((watching(self.weigh(**judged), others), self.critics))
        else:
            played, kept = (self.weigh(**self._terms(real, fake, part)) for part in (self._game, self._kept))
            made = mix(played, kept, self.hyper.share(t))
            yield Move((watching(made, self._terms(real, fake, self._judged)), self.generators))

    def _translated(self, real: Pictures) -> Pictures:
        return {way.target: way.there(real[way.source]) for way in self.ways}

    def _history(self, fake: Pictures, replica: Replica) -> Pictures:
        return {domain: replica.pool(domain).swap(made.detach()) for domain, made in fake.items()}

    def _terms(self, real: Pictures, fake: Pictures, *parts: Callable[[Way, Pictures, Pictures], Terms]) -> Terms:
        """Those in force of the parts of the objective, in all directions."""
        found: Terms = {}
        for way in self.ways:
            for part in parts:
                found |= part(way, real, fake)
        return {name: term for name, term in found.items() if name in self.weights}

    def _game(self, way: Way, real: Pictures, fake: Pictures) -> Terms:
        """What the critic says of generated pictures."""
        if isinstance(way.critic, DiscoCritic):
            return game(self.gan, way.critic, real[way.target], fake[way.target], way.name)
        return {f"adv_{way.name}": lambda: self.gan.generator(way.critic(fake[way.target]))}

    def _kept(self, way: Way, real: Pictures, fake: Pictures) -> Terms:
        """What a translation keeps: distances, and the way back where there is one."""
        source, made, back, axis = real[way.source], fake[way.target], way.back, self.hyper.self_axis
        terms: Terms = {
            f"dist_{way.name}": lambda: self._change(
                way, distances.pair_distances(source), distances.pair_distances(made)
            ),
            f"self_{way.name}": lambda: self._change(
                way, distances.half_distances(source, axis), distances.half_distances(made, axis)
            ),
        }
        if back is not None:
            terms[f"cyc_{way.source}"] = lambda: self._apart(back(made) - source)
        return terms

    def _judged(self, way: Way, real: Pictures, fake: Pictures) -> Terms:
        """What the critic says of real pictures and of generated ones, of the history where there is one."""
        domain, critic = way.target, way.critic
        return {
            f"d_{domain}": lambda: self.gan.critic(critic(real[domain]), critic(fake[domain]), scale=0.5),
            f"gp_{domain}": lambda: self.hyper.penalise(critic, real[domain], fake[domain]),
        }

    def _change(self, way: Way, source: Tensor, made: Tensor) -> Tensor:
        """The mean change of distances, each side standardised by the REAL pictures of its domain."""
        kind = self.hyper.statistics
        known = [self.measured[f"{domain}.{kind}"] if kind else None for domain in (way.source, way.target)]
        return distances.change(source, made, *known)

    def _apart(self, error: Tensor) -> Tensor:
        """The cycle's loss: of each architecture its own."""
        return error.square().mean() if self.hyper.disco else error.abs().mean()

    def show(self, images: Pictures) -> dict[str, Tensor]:
        """Translations and cycles of whichever domains are given and sides exist, one image at a time."""
        return translations(images, self.ab, self.ba)


def build_generator(hyper: DistanceGANHyper, channels_in: int, channels_out: int, image: int) -> nn.Module:
    """The generator of the architecture."""
    if hyper.disco:
        return DiscoGenerator(channels_in, channels_out, image, hyper.width, NORMS[hyper.norm])
    return ResnetGenerator(channels_in, channels_out, hyper.width, hyper.blocks or (6 if image <= 128 else 9))


def build_critic(hyper: DistanceGANHyper, channels: int, image: int) -> nn.Module:
    """The critic of the architecture."""
    if hyper.disco:
        return DiscoCritic(channels, image, hyper.critic_width, NORMS[hyper.norm])
    return critics.build_critic(hyper.critic, channels, image, hyper.critic_width, instance_norm)
