"""The numbers of a step: each term's mean over its observations, critics' accuracies, gradient norms, who is not finite,
what the workers wish for.

They are summed in the same tree as the gradients and stay tensors until somebody asks: no step waits for the host.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainers.errors import NonFiniteError
from trainers.system import Move, Player, System

VOTES = ("interrupted", "preempted", "resize")  # why a worker may want all of them to save and end
SIDES = ("real", "fake")  # of what a critic looks at
TOLD = 5  # skips that are told one by one, each time somebody asks


class Ledger:
    """A vector of `size` scalars: sums, then counts, of each term in force, of each critic term's accuracy and of each
    controlled term's drift, and of what critics put out; then votes. That last is looked at by nobody but people: it may be
    infinite where the loss is not.

    `vote`: this worker's wish, 0 for none or i for the i-th of `VOTES`.
    """

    def __init__(self, system: System, device: torch.device) -> None:
        self.terms = list(system.weights)
        self.controlled = system.controlled
        self.names = [*self.terms, *(f"accuracy {name}" for name in self.terms)]
        self.names += [f"drift {name}" for name in self.controlled]
        self._observed = [*self.names, *(_watched(side, name) for name in self.terms for side in SIDES)]
        self._half = len(self._observed)  # where the counts begin
        self.size = 2 * self._half + len(VOTES)
        self.norms: dict[str, Tensor] = {}
        self.carrier: dict[str, str] = {}  # critic term -> the player it judges for
        self.vote = 0
        self._zero, self._one = torch.zeros((), device=device), torch.ones((), device=device)
        self._totals = torch.zeros(self.size, device=device)
        self._step = self._moves = 0
        self._checked: dict[str, Tensor] = {}  # player -> sum of its norms: not finite where that of one move is not
        self._masked: dict[str, Tensor] = {}  # player -> number of its moves that were left out
        self._followers: dict[str, tuple[str, ...]] = {}  # term -> the players that follow it
        self._previous: Sent | None = None
        self._latest: Sent | None = None

    def begin(self, step: int) -> None:
        """Forget the last step's numbers."""
        self._totals = torch.zeros_like(self._totals)
        self.norms, self._checked, self._masked = {}, {}, {}
        self._step, self._moves = step, 0

    def vector(self, move: Move) -> Tensor:
        """One replica's observations in a move; the votes go with the step's first."""
        seen: dict[str, Tensor] = {}
        for weighed, players in move.pairs:
            seen |= weighed.raw
            names = tuple(player.name for player in players)
            self._followers |= dict.fromkeys(weighed.raw, names)
            for name, value in weighed.accuracy.items():
                seen[f"accuracy {name}"] = value
                self.carrier[name] = names[0]
            seen |= {f"drift {name}": value for name, value in weighed.drift.items()}
            for name, means in weighed.outputs.items():
                seen |= {_watched(side, name): mean for side, mean in zip(SIDES, means, strict=True)}
        values = [seen.get(name, self._zero).float() for name in self._observed]
        counts = [self._one if name in seen else self._zero for name in self._observed]
        wish = self.vote if self._moves == 0 else 0
        votes = [self._one if number == wish else self._zero for number in range(1, len(VOTES) + 1)]
        return torch.stack(values + counts + votes)

    def add(self, scalars: Tensor) -> None:
        """A move's sums over all replicas."""
        self._totals = self._totals + scalars
        self._moves += 1

    def moved(self, player: str, norm: Tensor, masked: Tensor | None) -> None:
        """A player's move: its gradient's norm, and 1 where it was left out for that, if moves may be."""
        self.norms[player] = norm
        self._checked[player] = self._checked[player] + norm if player in self._checked else norm
        if masked is not None:
            self._masked[player] = self._masked[player] + masked if player in self._masked else masked

    def means(self) -> dict[str, float]:
        """Each name's mean over its observations in the step; NaN where it was not observed. Waits for the device."""
        values = self._totals.tolist()
        half = self._half
        return {n: values[i] / values[half + i] if values[half + i] else math.nan for i, n in enumerate(self.names)}

    def observed(self) -> frozenset[str]:
        """The terms that the step looked at. Waits for the device."""
        counts = self._totals.tolist()[self._half :]
        return frozenset(name for name, count in zip(self.terms, counts, strict=False) if count)

    def outputs(self) -> dict[tuple[str, str], float]:
        """(real or fake, critic term) -> the mean of what its critic put out in the step, of those that were observed. Waits."""
        values, first, half = self._totals.tolist(), len(self.names), self._half
        sides = [(side, name) for name in self.terms for side in SIDES]
        seen = [(i, key) for i, key in enumerate(sides, first) if values[half + i]]
        return {key: values[i] / values[half + i] for i, key in seen}

    def accuracy(self, critics: Sequence[Player]) -> Tensor:
        """The critics' mean accuracy in this step, on the device; NaN where a critic was not observed."""
        half = self._half
        out = []
        for critic in critics:
            places = [self.names.index(f"accuracy {t}") for t, name in self.carrier.items() if name == critic.name]
            index = torch.tensor(places, dtype=torch.int64, device=self._totals.device)
            out.append(self._totals[index].sum() / self._totals[index + half].sum())
        return torch.stack(out)

    def drift(self, term: str) -> Tensor:
        """A controlled term's mean drift in this step, on the device; 0 where it was not observed or is not finite."""
        place, half = self.names.index(f"drift {term}"), self._half
        return torch.nan_to_num(self._totals[place] / self._totals[half + place], 0.0, 0.0, 0.0)

    def end(self) -> None:
        """Send the step's numbers towards the host, without waiting for them."""
        names = [*self.names, *(f"gradient of {name}" for name in self._checked)]
        scalars = [*self._checked.values(), *self._masked.values()]
        parts = [self._totals[: len(self.names)], *(s.reshape(1) for s in scalars), self._totals[-len(VOTES) :]]
        sent = Sent(self._step, names, list(self._masked), self._followers, torch.cat(parts))
        self._previous, self._latest = self._latest, sent

    def sent(self, latest: bool) -> list[Sent]:
        """The numbers of the step before the last one, which have long arrived; and of the last one, if asked for."""
        return [sent for sent in (self._previous, self._latest if latest else None) if sent is not None]

    def check(self, latest: bool) -> None:
        """Raise NonFiniteError for the last step (waits for it), or for the one before it."""
        for sent in self.sent(latest):
            if culprits := sent.culprits():
                raise NonFiniteError(sent.step, culprits)

    def votes(self) -> tuple[int, int, int]:
        """How many replicas voted for each of `VOTES` in the step before the last one."""
        return self._previous.votes() if self._previous is not None else (0, 0, 0)


def _watched(side: str, term: str) -> str:
    return f"output for {side} {term}"


class Sent:
    """The numbers of one step on their way to the host: checked ones, moves left out by player, votes."""

    def __init__(
        self, step: int, names: list[str], masked: list[str], followers: dict[str, tuple[str, ...]], values: Tensor
    ) -> None:
        self.step, self._names, self._masked, self._followers = step, names, masked, followers
        self.noted = False
        self._arrived: torch.cuda.Event | None = None
        if values.is_cuda:
            self._values = torch.empty(values.shape, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._arrived = torch.cuda.Event()
            self._arrived.record()
        else:
            self._values = values

    def _read(self) -> list[float]:
        """Waits for this step only."""
        if self._arrived is not None:
            self._arrived.synchronize()
        values: list[float] = self._values.tolist()
        return values

    def culprits(self) -> list[str]:
        """The names that are not finite."""
        return [name for name, value in zip(self._names, self._read(), strict=False) if not math.isfinite(value)]

    def skips(self) -> dict[str, tuple[int, list[str]]]:
        """player -> how many of its moves were left out, and what was not finite there; those without any are not named."""
        counts = self._read()[len(self._names) : len(self._names) + len(self._masked)]
        found = {player: int(count) for player, count in zip(self._masked, counts, strict=True) if count}
        culprits = self.culprits() if found else []
        return {
            player: (
                count,
                [c for c in culprits if player in self._followers.get(c, ()) or c == f"gradient of {player}"],
            )
            for player, count in found.items()
        }

    def votes(self) -> tuple[int, int, int]:
        """By `VOTES`."""
        interrupted, preempted, resize = (int(count) for count in self._read()[-len(VOTES) :])
        return interrupted, preempted, resize


@dataclass
class Skips:
    """The updates that were left out because they were not finite: counted by player, and told."""

    counts: dict[str, int]
    _lines: list[str] = field(default_factory=list)
    _last: int = 0  # step of the last one

    @staticmethod
    def of(system: System) -> Skips:
        """None so far."""
        return Skips({player.name: 0 for player in system.players})

    def note(self, sent: Sequence[Sent]) -> None:
        """Take in the numbers of some steps; those that were taken in before are passed over."""
        for one in sent:
            for player, (count, culprits) in ({} if one.noted else one.skips()).items():
                self.counts[player] += count
                what = "update" if count == 1 else f"{count} updates"
                self._lines.append(f"step {one.step}: {what} of {player} skipped: not finite: {', '.join(culprits)}")
                self._last = one.step
            one.noted = True

    def take(self) -> list[str]:
        """A line for each since last asked; where there are many, the first ones and how many more there were."""
        lines, self._lines = self._lines, []
        if len(lines) > TOLD:
            more = f"{len(lines) - TOLD} more times updates were skipped, up to step {self._last}"
            return [*lines[:TOLD], more]
        return lines
