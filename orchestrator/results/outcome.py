"""What a sweep has come to so far: its settings in order, how much each gained over the preset, and whom to name.

The gain is always taken at equal steps and with equal seeds: a training that was stopped early is compared with the preset's of
the same seed as it was then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from cluster.log.records import SweepState, TrialState, UnreadableLog
from orchestrator.results.pareto import Point, front, hypervolume, knee, worst
from orchestrator.results.standing import (
    Goal,
    Standing,
    best_front,
    cost,
    costs_of,
    mean_of,
    ranked,
    spread_of,
    standings,
    values_at,
)
from orchestrator.search.sums import members
from orchestrator.sweep_file.search import Constraint, read_constraint


class Gain(NamedTuple):
    """How much better than the preset a setting is, in the metric's unit; above 0 is better.

    mean: over the pairs of trainings with one seed, NaN where there is none. spread: their sample standard deviation, NaN for one.
    """

    mean: float
    spread: float


@dataclass(frozen=True)
class Outcome:
    """A sweep's settings, judged.

    Attributes:
        ranking: all of them, the best first.
        front: those among which the winner is: it alone, or all that none dominates. Empty where none may be named.
        winner: the best one; of several objectives the knee of the front.
    """

    state: SweepState
    goals: tuple[Goal, ...]
    constraints: tuple[Constraint, ...]
    ranking: tuple[Standing, ...]
    front: tuple[Standing, ...]
    winner: Standing | None

    @property
    def is_plain(self) -> bool:
        """Whether a setting is a trial."""
        return all(one.of == 1 and not one.finalist for one in self.ranking)

    def _seed(self, trial: TrialState) -> int:
        """Logs of one seed did not always name it."""
        return int(self.state.about.get("identity", {}).get("seed", 0)) if trial.seed is None else trial.seed

    def trials_of(self, setting: int) -> list[TrialState]:
        """All trainings of a setting, in their order."""
        return self._settings.get(setting, [])

    @cached_property
    def _settings(self) -> dict[int, list[TrialState]]:
        found: dict[int, list[TrialState]] = {}
        for index in sorted(self.state.trials):
            found.setdefault(self.state.trials[index].setting, []).append(self.state.trials[index])
        return found

    @property
    def model(self) -> TrialState | None:
        """The training whose networks are the sweep's model: of the winner its best one, of several objectives the knee of its
        trainings. None where no setting may be named."""
        if self.winner is None:
            return None
        trials = [self.state.trials[index] for index in self.winner.trials]
        points = [costs_of(self.goals, values_at(trial, self.winner.step, self.goals)) for trial in trials]
        best = front(points)
        return trials[best[knee([points[index] for index in best])]]

    @property
    def reference(self) -> Point:
        """The worst of each objective among the judged settings, whether they keep the constraints or not."""
        points = [one.costs(self.goals) for one in self.ranking if one.is_judged]
        return tuple(cost(goal, value) for goal, value in zip(self.goals, worst(points), strict=False))

    @property
    def hypervolume(self) -> float | None:
        """Of the front, from `reference`; None with a single objective, or where nothing may be named."""
        if len(self.goals) < 2 or not self.front:
            return None
        corner = tuple(cost(goal, value) for goal, value in zip(self.goals, self.reference, strict=True))
        return hypervolume([one.costs(self.goals) for one in self.front], corner)

    def gains(self, one: Standing) -> tuple[Gain, ...]:
        """What a setting gained over the preset, for each objective. NaN where the preset came less far; for itself 0."""
        presets = [trial for trial in self.trials_of(0) if trial.finalist == one.finalist]
        known = {self._seed(trial): then for trial in presets if (then := _as_preset(trial, one.step)) is not None}
        own = {self._seed(self.state.trials[index]): self.state.trials[index] for index in one.trials}
        pairs = [(trial.at(one.step) or trial.metrics, known[seed]) for seed, trial in own.items() if seed in known]
        return tuple(_gain(goal, pairs) for goal in self.goals)


def judge(state: SweepState, *, goals: Sequence[Goal] = ()) -> Outcome:
    """What the sweep has come to by its log. goals: the objectives, where the log names none."""
    about = state.about
    goals, constraints = goals_of(about) or tuple(goals), constraints_of(about)
    finalists: Mapping[str, int] = about.get("finalists") or {}
    found = standings(state.trials, goals, constraints, about.get("seeds", 1), finalists.get("seeds", 0))
    found = [_whole(state, one) for one in found]
    best = tuple(best_front(found, goals))
    winner = best[knee([one.costs(goals) for one in best])] if best else None
    return Outcome(state, goals, constraints, tuple(ranked(found, goals)), best, winner)


def best_values(state: SweepState) -> dict[str, float]:
    """The value of each objective for the setting that would be named now; empty where none may be."""
    found = judge(state)
    winner = found.winner
    return {} if winner is None else {goal.metric: mean for goal, mean in zip(found.goals, winner.means, strict=True)}


def searched(about: Mapping[str, Any]) -> list[str]:
    """The settings in which a sweep's trials may differ, by what its log says of it."""
    return about.get("searched") or [name for key in about.get("axes", {}) for name in members(key)]


def params_of(state: SweepState, trial: TrialState) -> Mapping[str, Any]:
    """The values of a trial; of the preset also those that it leaves to its system, as long as it is that."""
    left = {} if trial.setting or trial.lineage else state.about.get("preset", {})
    return {**trial.params, **{name: value for name, value in left.items() if name not in trial.params}}


def _whole(state: SweepState, one: Standing) -> Standing:
    """A setting with all of its values, be it the preset."""
    trials = [trial for trial in state.trials.values() if trial.setting == 0] if one.setting == 0 else []
    return replace(one, params={**one.params, **params_of(state, trials[0])}) if trials else one


def goals_of(about: Mapping[str, Any]) -> tuple[Goal, ...]:
    """The objectives of a sweep by what its log says of it; one where the log is of an earlier version."""
    listed = about.get("objectives") or ([about["objective"]] if about else [])
    return tuple(Goal(one["metric"], one["mode"]) for one in listed)


def constraints_of(about: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """The constraints of a sweep by what its log says of it. Raises UnreadableLog."""
    try:
        return tuple(map(read_constraint, about.get("constraints", [])))
    except ValueError as error:
        raise UnreadableLog(f"the log is damaged: a constraint {error}") from error


def _as_preset(trial: TrialState, step: int) -> Mapping[str, float] | None:
    """The evaluation of a training of the preset, while it was that: a population's may go on from another's checkpoint."""
    return None if trial.lineage and step > trial.lineage[0][0] else trial.at(step)


def _gain(goal: Goal, pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> Gain:
    nan = math.nan
    better = [cost(goal, preset.get(goal.metric, nan)) - cost(goal, own.get(goal.metric, nan)) for own, preset in pairs]
    return Gain(mean_of(better), spread_of(better))
