"""The one interface of the project: a System plays a game of moves, and knows neither the engine nor where it runs.

A step is a generator. Each `yield` is one move: losses, and the players that follow their gradients. The engine takes
the gradients of those players and of nobody else, moves them, and lets the step go on with the moved weights. That is why
no method here switches `requires_grad`, detaches a critic or zeroes a gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from trainers.settings import Reads, Term

Shapes = Mapping[str, tuple[int, int, int]]  # domain -> (channels, height, width)


@dataclass(frozen=True)
class Adam:
    """Adam's settings: `lr` at the start of the run, and the moments' decay."""

    lr: float
    beta1: float
    beta2: float

    def build(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer over `parameters`. Fused is a part of the definition: other implementations give other bits."""
        return torch.optim.Adam(parameters, lr=self.lr, betas=(self.beta1, self.beta2), fused=True)


@dataclass(frozen=True, eq=False)
class Player:
    """Networks that move together. `rate` gives the factor on the learning rate at a step of the run."""

    name: str
    networks: tuple[nn.Module, ...]
    optimizer: Adam
    rate: Callable[[int], float]
    critic: bool = False

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The trainable parameters, in the networks' order."""
        return [p for network in self.networks for p in network.parameters() if p.requires_grad]


@dataclass(frozen=True)
class Scored:
    """A critic's loss (a scalar) together with its accuracy: the share of patches it judged rightly, in [0, 1]."""

    value: Tensor
    accuracy: Tensor


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
    silent: dict[str, Callable[[], Observation]] = field(default_factory=dict)

    def observe(self, name: str, seen: Observation) -> Tensor:
        """Record a term's value, and its accuracy where it is a critic's. Returns the value, with its graph."""
        value = seen.value if isinstance(seen, Scored) else seen
        self.raw[name] = value.detach()
        if isinstance(seen, Scored):
            self.accuracy[name] = seen.accuracy.detach()
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


class ImagePool(Protocol):
    """A history of generated images."""

    def swap(self, images: Tensor) -> Tensor:
        """`images: [N,C,H,W]`, detached. Returns as many, some of them from the past."""
        ...


class Replica(Protocol):
    """What a step sees of the world: one fixed slice of the global batch, with its own pools and random stream."""

    def draw(self, domain: str) -> Tensor:
        """The next batch of an unpaired domain: `[N,C,H,W]` in [-1, 1]."""
        ...

    def draw_pair(self) -> tuple[Tensor, ...]:
        """The next batch of a paired source, one tensor per domain, joined by key: each `[N,C,H,W]` in [-1, 1]."""
        ...

    def pool(self, domain: str) -> ImagePool:
        """This replica's history of generated images of a domain."""
        ...

    def turns(self, player: Player) -> range:
        """The moves a critic makes in this step (at least 1)."""
        ...


class System(nn.Module, ABC):
    """One paper's method. Subclasses are never subclassed; what two methods share is a function or module both call.

    `shows` names the images that `show` returns: `fake_b`, `cycle_a`, `idt_b` ...; evaluation and pictures derive from it.
    `pools` gives the size of the image history per domain, over all replicas. `translators` holds, per target domain, the
    network that a user translates with. `min_per_replica` is the smallest number of samples a replica may hold.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    citation: ClassVar[str]
    reads: ClassVar[Reads]
    terms: ClassVar[tuple[Term, ...]]
    shows: ClassVar[tuple[str, ...]]
    Hyper: ClassVar[type]
    min_per_replica: ClassVar[int] = 1

    players: tuple[Player, ...]
    pools: Mapping[str, int]
    translators: Mapping[str, nn.Module]

    def __init__(self, weights: Mapping[str, float]) -> None:
        """`weights`: effective weight of each term in force."""
        super().__init__()
        self.weights = dict(weights)

    @classmethod
    @abstractmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> System:
        """The system for images of these shapes and a run of `steps`; draws the initial weights from torch's generator."""

    @classmethod
    @abstractmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        """Raise SettingError where these shapes or hyper-parameters do not fit the networks. Builds nothing."""

    @abstractmethod
    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """One pass of the method at step `t`: yields its moves."""

    @abstractmethod
    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the networks make of given images (domain -> `[N,C,H,W]` in [-1, 1]): those of `shows` that can be made."""

    def weigh(self, **terms: Observation | Callable[[], Observation]) -> Weighed:
        """The weighted sum of terms, and their raw values.

        A term given as a callable is called only where its weight is not 0; otherwise it is left to report steps.
        An undeclared name is a programmer's error and raises KeyError.
        """
        weighed = Weighed(loss=None)
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
