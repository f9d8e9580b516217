"""Searchers: which values the next trial of a search gets.

A suggestion is a pure function of the axes, the seed, the trial's number and what is known of the trials so far, so a driver
that died and was started again proposes what the first one would have proposed. Optuna's samplers keep generators
and studies of their own; here each suggestion has a fresh sampler with its own seed, and the study is no more than a cache
that a new one made of the same trials replaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from orchestrator.search.space import Axis, Scalar, sample, uniform

if TYPE_CHECKING:
    from orchestrator.search.optuna_study import OptunaStudy

Outcome = Literal["running", "done", "stopped", "failed", "diverged"]
# Trials that must have ended before their results decide about a suggestion, for one objective and for several. Where a sweep
# has tens, TPE finds more after five than after ten; a front needs parents that differ.
STARTUP, STARTUP_OF_SEVERAL = 5, 10
LEAST_STARTUP = 2  # a child has two parents
ATTEMPTS, DRAWS = 3, 20  # at a setting that no earlier trial has: by the sampler, which tends to insist, then by chance


class Told(NamedTuple):
    """What is known of a trial.

    Attributes:
        params: its values, as suggested.
        values: of the objectives at its end; None while it runs, and where it has none.
        step: how far it came, of `steps`.
        violation: how far beyond its constraints it ended; at most 0 where it keeps them.
    """

    params: Mapping[str, Any]
    values: tuple[float, ...] | None
    step: int
    steps: int
    outcome: Outcome
    violation: float = 0.0


class Searcher(Protocol):
    """What proposes trials."""

    def suggest(self, index: int, told: Sequence[Told]) -> dict[str, Scalar]:
        """The values of trial `index`, from 1 on; `told` has every trial suggested so far, the preset first, in that order."""
        ...


@dataclass(frozen=True)
class Grid:
    """Every point once, in order, whatever comes of them."""

    points: Sequence[Mapping[str, Scalar]]

    def suggest(self, index: int, told: Sequence[Told]) -> dict[str, Scalar]:
        """The point of trial `index`, from 1 to the number of points."""
        return dict(self.points[index - 1])


@dataclass(frozen=True)
class Random:
    """Independent draws, whatever comes of them."""

    axes: Mapping[str, Axis]
    seed: int

    def suggest(self, index: int, told: Sequence[Told]) -> dict[str, Scalar]:
        """The draw of trial `index`."""
        return sample(self.axes, self.seed, index)


def startup_for(objectives: int) -> int:
    """How many trials must have ended before `Optuna` looks at what came of them."""
    return STARTUP if objectives == 1 else STARTUP_OF_SEVERAL


class Optuna:
    """Optuna's samplers: TPE for one objective, NSGA-II for several.

    The first trials, until `startup` have ended, are those of Random with the same seed. A trial that failed or diverged is told
    as worse than all others, one that was stopped early as worse than those that ran to their end. One whose values lie
    outside the axes is not told at all: there may be such a preset.

    TPE (Bergstra et al., NeurIPS 2011; in several dimensions Falkner et al., arXiv:1807.01774) has one model for each group of
    axes that are in force together, and keeps away from the trials that run. NSGA-II (Deb et al., IEEE TEC 6(2), 2002) takes
    its parents from the best POPULATION of all trials that have ended, in its steady-state form (Durillo et al., EMO 2009): in
    which generation a trial was born depends on who had come how far then, and is not known any more. An axis that was not in
    force has a silent gene, drawn at random, which a child inherits.
    """

    def __init__(self, axes: Mapping[str, Axis], seed: int, modes: Sequence[str], startup: int | None = None) -> None:
        """modes: min or max for each objective, in the order of `Told.values`. startup: other than `startup_for` says."""
        self._axes, self._seed, self._modes = dict(axes), seed, tuple(modes)
        self._startup = max(startup_for(len(modes)) if startup is None else startup, LEAST_STARTUP)
        self._study: OptunaStudy | None = None

    def suggest(self, index: int, told: Sequence[Told]) -> dict[str, Scalar]:
        """The values of trial `index`; those of an earlier trial, which would train the same once more, only if need be."""
        study = self._learn(told)
        if study.ended < self._startup:
            return sample(self._axes, self._seed, index)
        tried = [one.params for one in told]
        found = []
        for attempt in range(ATTEMPTS + DRAWS):
            lot = int(uniform(self._seed, f"optuna {attempt}", index) * 2**32)
            found.append(study.ask(lot) if attempt < ATTEMPTS else sample(self._axes, lot, index))
            if found[-1] not in tried:
                return found[-1]
        return found[0]

    def _learn(self, told: Sequence[Told]) -> OptunaStudy:
        from orchestrator.search.optuna_study import OptunaStudy  # at call time: most commands propose nothing

        if self._study is None or not self._study.learn(told):
            self._study = OptunaStudy(self._axes, self._seed, self._modes)
            self._study.learn(told)
        return self._study
