"""The one interface of the project: a System plays a game of moves, and knows neither the engine nor where it runs.

A step is a generator. Each `yield` is one move: losses, and the players that follow their gradients. The engine takes
the gradients of those players and of nobody else, moves them, and lets the step go on with the moved weights. That is why
no method here switches `requires_grad`, detaches a critic or zeroes a gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from trainers.optimizers import Optimizer
from trainers.pool import Pool
from trainers.settings import Balance, Preset, Reads, Score, Term
from trainers.stages import Stage, Statistics, Weights

Shapes = Mapping[str, tuple[int, int, int]]  # domain -> (channels, height, width)


@dataclass(frozen=True, eq=False)
class Player:
    """Networks that move together. `rate` gives the factor on the learning rate at a step of the run.

    `clip`: after each move every parameter is clamped to [-clip, clip] (WGAN); None: left alone.
    """

    name: str
    networks: tuple[nn.Module, ...]
    optimizer: Optimizer
    rate: Callable[[int], float]
    critic: bool = False
    clip: float | None = None

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The trainable parameters, in the networks' order."""
        return [p for network in self.networks for p in network.parameters() if p.requires_grad]


@dataclass(frozen=True)
class Control:
    """What a critic term of a controlled criterion adds: `against` is subtracted from its value times a number in [0, 1]
    that the engine keeps for the term, and that moves by `drift` with each observation (BEGAN's k). Scalars."""

    against: Tensor
    drift: Tensor


@dataclass(frozen=True)
class Scored:
    """A critic's loss (a scalar) together with its accuracy: the share of patches it judged rightly, in [0, 1].
    outputs: the means of its raw output for real and for generated pictures, scalars, for whoever watches."""

    value: Tensor
    accuracy: Tensor
    control: Control | None = None
    outputs: tuple[Tensor, Tensor] | None = None


Observation = Tensor | Scored


@dataclass
class Weighed:
    """A weighted sum of terms and what was observed on the way.

    `loss` is None where every weight is 0. `raw` holds detached, unweighted terms. `silent` holds terms of weight 0 that
    cost a network pass: the engine runs them on report steps only, without graph.
    """

    loss: Tensor | None
    raw: dict[str, Tensor] = field(default_factory=dict)
    accuracy: dict[str, Tensor] = field(default_factory=dict)
    drift: dict[str, Tensor] = field(default_factory=dict)
    outputs: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    silent: dict[str, Callable[[], Observation]] = field(default_factory=dict)
    numbers: Mapping[str, Tensor] = field(default_factory=dict)

    def observe(self, name: str, seen: Observation, silent: bool = False) -> Tensor:
        """Record a term's value, and its accuracy where it is a critic's. Returns the value, with its graph.

        silent: a term that is only watched. Nothing that decides anything may come of it: no accuracy, no drift.
        """
        value = seen.value if isinstance(seen, Scored) else seen
        if isinstance(seen, Scored) and seen.control is not None:
            value = value - self.numbers[name] * seen.control.against
            self.drift |= {} if silent else {name: seen.control.drift.detach()}
        if isinstance(seen, Scored) and not silent:
            self.accuracy[name] = seen.accuracy.detach()
        if isinstance(seen, Scored) and seen.outputs is not None:
            self.outputs[name] = seen.outputs
        self.raw[name] = value.detach()
        return value


class Move:
    """Pairs `(weighed, *players)`; gradients of each loss flow to its players only. All are taken before any weight moves.

    Pairs are differentiated last to first and the first frees the graph: write the loss that reaches most of it first.
    """

    def __init__(self, *pairs: tuple[Weighed | Player, ...]) -> None:
        self.pairs: list[tuple[Weighed, tuple[Player, ...]]] = []
        for weighed, *players in pairs:
            assert isinstance(weighed, Weighed), "a pair is (self.weigh(...), player, ...)"
            named = [player for player in players if isinstance(player, Player)]
            assert named and len(named) == len(players), "a pair names the players that follow its loss"
            self.pairs.append((weighed, tuple(named)))

    @property
    def players(self) -> list[Player]:
        """The players that move, each once, in the order they are named."""
        seen: dict[str, Player] = {}
        for _, players in self.pairs:
            for player in players:
                seen.setdefault(player.name, player)
        return list(seen.values())


class Replica(Protocol):
    """What a step sees of the world: one fixed slice of the global batch, with its own pools and random stream."""

    def draw(self, domain: str) -> Tensor:
        """The next batch of an unpaired domain: `[N,C,H,W]` in [-1, 1]."""
        ...

    def draw_pair(self) -> tuple[Tensor, ...]:
        """The next batch of a paired source, one tensor per domain, joined by key: each `[N,C,H,W]` in [-1, 1]."""
        ...

    def draw_labelled(self, domain: str) -> tuple[Tensor, Tensor]:
        """As `draw`, with the samples' labels: of a domain that `Reads.labelled` names its classes, int64 `[N]`; of one that
        `Reads.attributed` names its attributes, bool `[N,attributes]`; of one that `Reads.captioned` names the words of its
        texts, int64 `[N,words]`: numbers from 1, then zeros."""
        ...

    def draw_labelled_pair(self) -> tuple[Tensor, ...]:
        """As `draw_pair`, followed by the labels of each domain that `Reads` names some of."""
        ...

    def pool(self, domain: str) -> Pool:
        """This replica's history of generated images of a domain."""
        ...

    def turns(self, player: Player) -> range:
        """The moves a critic makes in this step (at least 1)."""
        ...


class System(nn.Module, ABC):
    """One paper's method. Subclasses are never subclassed; what two methods share is a function or module both call.

    `balance`: the paper's own. `presets`: further published configurations by name. `shows` names the images that `show`
    returns: `fake_b`, `cycle_a`, `idt_b` ...; evaluation and pictures derive from it. `varied`: `show` draws a latent code,
    so that two calls differ under different random streams. `min_per_replica`: samples that a replica needs; `even`: in pairs.

    `pools` gives the size of the image history per domain, over all replicas. `translators` holds, per target domain, the
    network that a user translates with. `frozen`: networks that no player moves, by the name of what they are loaded from.
    `controlled`: critic terms that have a number of their own (BEGAN's k). `measures`: shapes of what `measure` gives, by
    name; the engine calls it once, before the first step, and keeps the result in `measured` and in checkpoints.

    `reads` is what a system usually draws from, of an instance what that one does (see `reading`). `judges`: scores of its
    own that `verdicts` gives; `tables`: those of them that are no mean over samples, and how many numbers a sample has instead,
    of which `total` makes the score. `starts`: networks of players that begin with the weights of what they are named after,
    where there is such a thing; they are their own otherwise. `takes`: shapes of pictures that it translates and never reads,
    by the name that `show` knows them by. `stages`: trainings that come before this one, in order; `terms` has theirs too, and
    `enter` takes over what they come to. `stage`: of a system that is a stage itself, its name.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    citation: ClassVar[str]
    reads: Reads
    terms: ClassVar[tuple[Term, ...]]
    shows: ClassVar[tuple[str, ...]]
    judges: ClassVar[tuple[Score, ...]] = ()
    Hyper: ClassVar[type]
    balance: ClassVar[Balance] = Balance()
    presets: ClassVar[Mapping[str, Preset]] = {}
    min_per_replica: ClassVar[int] = 1
    even: ClassVar[bool] = False
    varied: ClassVar[bool] = False
    stages: ClassVar[tuple[Stage, ...]] = ()
    stage: ClassVar[str] = ""

    hyper: Any
    players: tuple[Player, ...]
    pools: Mapping[str, int]
    translators: Mapping[str, nn.Module]
    frozen: Mapping[str, nn.Module]
    starts: Mapping[str, nn.Module]
    controlled: tuple[str, ...]
    measures: Mapping[str, tuple[int, ...]]
    tables: Mapping[str, int]
    takes: Shapes

    def __init__(self, weights: Mapping[str, float]) -> None:
        """`weights`: effective weight of each term in force."""
        super().__init__()
        self.weights = dict(weights)
        self.frozen, self.starts, self.controlled, self.measures = {}, {}, (), {}
        self.numbers: Mapping[str, Tensor] = {}  # of the controlled terms, as they are in this step
        self.measured: Mapping[str, Tensor] = {}
        self.tables, self.takes = {}, {}

    @classmethod
    def fewest(cls) -> int:
        """The smallest number of samples that a replica may hold."""
        return cls.min_per_replica + (cls.min_per_replica % 2 if cls.even else 0)

    @classmethod
    def varies(cls, hyper: Any) -> bool:
        """Whether two calls of `show` differ under these settings: as `varied` says, where the settings do not decide."""
        return cls.varied

    @classmethod
    @abstractmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> System:
        """The system for images of these shapes and a run of `steps`; draws the initial weights from torch's generator."""

    @classmethod
    @abstractmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        """Raise SettingError where these shapes or hyper-parameters do not fit the networks. Builds nothing."""

    @classmethod
    def reading(cls, hyper: Any) -> Reads:
        """What it draws from under these hyper-parameters, which are those of every trial of a sweep."""
        return cls.reads

    @classmethod
    def showing(cls, hyper: Any) -> tuple[str, ...]:
        """Those of `shows` that there are under these hyper-parameters, where both domains have pictures."""
        return cls.shows

    @classmethod
    def needs_task(cls, hyper: Any) -> bool:
        """Whether it cannot do without a trained task network under these hyper-parameters (`task` in the sweep file)."""
        return False

    @classmethod
    def in_force(cls, hyper: Any) -> list[Term]:
        """The terms that its own steps observe under these hyper-parameters."""
        return [term for term in cls.terms if term.stage == cls.stage and term.exists(hyper)]

    def enter(self, before: Mapping[str, Weights]) -> None:
        """Begin with what the stages came to: stage -> its system's parameters. Of those that were left out there is none."""
        assert not before

    @abstractmethod
    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """One pass of the method at step `t`: yields its moves."""

    def measure(self, samples: Statistics) -> dict[str, Tensor]:
        """What `measures` declares, of the training samples, on the CPU. Called on one worker; uses no random numbers."""
        assert not self.measures
        return {}

    @abstractmethod
    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the networks make of given images (domain -> `[N,C,H,W]` in [-1, 1]): those of `shows` that can be made.

        What it reads beside pictures may be there too: `attributes(domain)` -> bool `[N,A]`, `texts(domain)` -> int64 `[N,words]`.
        """

    def verdicts(self, images: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The scores that `judges` declares, by name: a value for each sample, `[N]`; `[N,width]` for one of `tables`.

        images: domain -> `[N,C,H,W]` in [-1, 1], and what `show` made of them, by its name; labels: domain -> classes, int64
        `[N]`, -1 where a sample has none.
        """
        return {}

    def total(self, name: str, rows: Tensor) -> float:
        """One of `tables`, of the `verdicts` on all samples that were judged: `[n,width]` in float64, n at least 1."""
        raise NotImplementedError(name)

    def weigh(self, **terms: Observation | Callable[[], Observation]) -> Weighed:
        """The weighted sum of terms, and their raw values.

        A term given as a callable is called where its weight is not 0; otherwise it is left to report steps.
        An undeclared name is a programmer's error and raises KeyError.
        """
        weighed = Weighed(loss=None, numbers=self.numbers)
        for name, given in terms.items():
            weight = self.weights[name]
            if weight == 0.0 and callable(given):
                weighed.silent[name] = given
                continue
            value = weighed.observe(name, given() if callable(given) else given)
            if weight != 0.0:
                part = value if weight == 1.0 else value * weight
                weighed.loss = part if weighed.loss is None else weighed.loss + part
        return weighed
