"""What a scheduler may say, and what it is asked.

A scheduler has no memory that the log does not have. What it says of a single report may depend on the order of the reports,
which the log keeps; what it settles between trials that wait is a pure function of what the log adds up to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cluster.log.records import CLONE, CONTINUE, PAUSE, STOP, TrialState

__all__ = ["CLONE", "CONTINUE", "PAUSE", "STOP", "Decision", "InRounds", "OnItsOwn", "Reported", "Scheduler"]
Reported = tuple[int, int, float]  # trial, step, finite value of the objective


@dataclass(frozen=True)
class Decision:
    """What becomes of a trial at a step.

    action: continue, stop, pause (it has to wait for others), or clone: it goes on from the checkpoint that trial `donor` has
    at this step, with the values `params`. why: one clause for people, empty where there is nothing to tell.
    """

    trial: int
    step: int
    action: str
    why: str = ""
    donor: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


class Scheduler(Protocol):
    """Decides by the values of one objective, of which less or more is better.

    name: as in the sweep file.
    """

    name: str

    @property
    def pauses(self) -> Sequence[int]:
        """The steps at which a trial may have to wait, so that what it reports there is saved."""

    def replay(self, order: Iterable[Reported]) -> None:
        """Take in what was decided on before this attempt, in its order."""

    def report(self, trial: int, step: int, value: float) -> Decision:
        """What becomes of a trial that has just been evaluated."""

    def settle(self, trials: Mapping[int, TrialState]) -> list[Decision]:
        """What becomes of those that wait, where enough is known: all of one round, or nobody."""


class InRounds:
    """What schedulers share whose trials all wait at the same steps, `pauses`, and are compared there."""

    def __init__(self, pauses: Sequence[int], mode: str) -> None:
        self.pauses = pauses
        self._sign = 1.0 if mode == "min" else -1.0
        self._values: dict[tuple[int, int], float] = {}

    def replay(self, order: Iterable[Reported]) -> None:
        """The values that were waited with."""
        self._values |= {(trial, step): value for trial, step, value in order}

    def report(self, trial: int, step: int, value: float) -> Decision:
        """Wait where all wait, whatever the value."""
        self._values[trial, step] = value
        return Decision(trial, step, PAUSE if step in self.pauses else CONTINUE)

    def ranked(self, waiting: Iterable[TrialState], step: int) -> list[TrialState]:
        """Trials that wait at a step, the best first; of equal ones the earlier."""
        return sorted(waiting, key=lambda t: (self._sign * self._values[t.index, step], t.index))


class OnItsOwn:
    """What schedulers share that never let anybody wait."""

    pauses: Sequence[int] = ()

    def settle(self, trials: Mapping[int, TrialState]) -> list[Decision]:
        """Nobody waits."""
        return []
