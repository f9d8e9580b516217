"""The numbers of a step: each term's mean over its observations, critics' accuracies, gradient norms, and who is not finite.

They are summed in the same tree as the gradients and stay tensors until somebody asks: no step waits for the host.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from trainers.errors import NonFiniteError
from trainers.system import Move, Player, System


class Ledger:
    """A vector of `size` scalars: sums, then counts, of each term in force and of each critic term's accuracy."""

    def __init__(self, system: System, device: torch.device) -> None:
        self.terms = list(system.weights)
        self.names = [*self.terms, *(f"accuracy {name}" for name in self.terms)]
        self.size = 2 * len(self.names)
        self.norms: dict[str, Tensor] = {}
        self.carrier: dict[str, str] = {}  # critic term -> the player it judges for
        self._zero, self._one = torch.zeros((), device=device), torch.ones((), device=device)
        self._totals = torch.zeros(self.size, device=device)
        self._step = 0
        self._previous: _Flags | None = None
        self._latest: _Flags | None = None

    def begin(self, step: int) -> None:
        """Forget the last step's numbers."""
        self._totals = torch.zeros_like(self._totals)
        self.norms = {}
        self._step = step

    def vector(self, move: Move) -> Tensor:
        """One replica's observations in a move."""
        seen: dict[str, Tensor] = {}
        for weighed, players in move.pairs:
            seen |= weighed.raw
            for name, value in weighed.accuracy.items():
                seen[f"accuracy {name}"] = value
                self.carrier[name] = players[0].name
        values = [seen.get(name, self._zero).float() for name in self.names]
        counts = [self._one if name in seen else self._zero for name in self.names]
        return torch.stack(values + counts)

    def add(self, scalars: Tensor) -> None:
        """A move's sums over all replicas."""
        self._totals = self._totals + scalars

    def means(self) -> dict[str, float]:
        """Each name's mean over its observations in the step; NaN where it was not observed. Waits for the device."""
        values = self._totals.tolist()
        half = len(self.names)
        return {n: values[i] / values[half + i] if values[half + i] else math.nan for i, n in enumerate(self.names)}

    def accuracy(self, critics: Sequence[Player]) -> Tensor:
        """The critics' mean accuracy in this step, on the device; NaN where a critic was not observed."""
        half = len(self.names)
        out = []
        for critic in critics:
            places = [self.names.index(f"accuracy {t}") for t, name in self.carrier.items() if name == critic.name]
            index = torch.tensor(places, dtype=torch.int64, device=self._totals.device)
            out.append(self._totals[index].sum() / self._totals[index + half].sum())
        return torch.stack(out)

    def end(self) -> None:
        """Send the step's finite flags towards the host, without waiting for them."""
        names = [*self.names, *(f"gradient of {name}" for name in self.norms)]
        values = torch.cat([self._totals[: len(self.names)], *(n.reshape(1) for n in self.norms.values())])
        self._previous, self._latest = self._latest, _Flags(self._step, names, torch.isfinite(values))

    def check(self, latest: bool) -> None:
        """Raise NonFiniteError for the last step (waits for it), or for the one before it, which has long arrived."""
        for flags in (self._previous, self._latest if latest else None):
            if flags is not None and (culprits := flags.culprits()):
                raise NonFiniteError(flags.step, culprits)


class _Flags:
    """The finite flags of one step on their way to the host."""

    def __init__(self, step: int, names: list[str], fine: Tensor) -> None:
        self.step, self._names = step, names
        self._arrived: torch.cuda.Event | None = None
        if fine.is_cuda:
            self._fine = torch.empty(fine.shape, dtype=torch.bool, pin_memory=True)
            self._fine.copy_(fine, non_blocking=True)
            self._arrived = torch.cuda.Event()
            self._arrived.record()
        else:
            self._fine = fine

    def culprits(self) -> list[str]:
        """The names that are not finite. Waits for this step only."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return [name for name, fine in zip(self._names, self._fine.tolist(), strict=True) if not fine]
