"""How the settings of a sweep stand: trials that differ in their seeds alone are judged together, by their mean.

A setting is judged on the trainings of the final, whose seeds the search has not seen, as soon as one of them is done; until then
on those of the search. The surprise is what a bad seed costs: a setting of which a training failed, or was given up while others
ran to their end, comes after all whose trainings came through, whatever its mean. Otherwise a setting would be the better the
more of its bad seeds die. And a constraint must be kept by each training, not by their mean: one of them becomes the model.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from cluster.log.records import TrialState
from orchestrator.results.pareto import Point, crowding, front, fronts
from orchestrator.sweep_file.search import Constraint

# A setting's state is the first of these that one of its trials is in.
STATES = ("running", "paused", "pending", "failed", "stopped", "done")


class Objective(Protocol):
    """What settings are judged by, as a plan has it or a log tells it: `mode` is "min" or "max"."""

    @property
    def metric(self) -> str: ...

    @property
    def mode(self) -> str: ...


class Goal(NamedTuple):
    """An objective as a log tells it."""

    metric: str
    mode: str


@dataclass(frozen=True)
class Standing:
    """What is known of a setting.

    Attributes:
        params: its values; where a trial took over another's, those it has now.
        trials: the numbers of the trainings it is judged on, ascending; of one that is not judged those with values.
        of: how many trainings it should be judged on in the end.
        lost: trainings that failed, or were given up while others of the setting ran to their end.
        step: the last one at which all of `trials` were evaluated, and where they are compared.
        means, spreads: of each objective over `trials`; a spread is a sample standard deviation, NaN for a single training.
        held: of each constraint's metric, the value of the training that is farthest on the wrong side.
        violation: how far that is beyond the constraint that is broken most; 0 where every training keeps all of them.
        finalist: whether it is judged on the final's trainings.
        is_judged: whether it has a finite value for each objective, of a training that did not fail.
        seconds: of training, in all.
    """

    setting: int
    params: Mapping[str, Any]
    state: str
    trials: tuple[int, ...]
    of: int
    lost: int
    step: int
    means: Point
    spreads: Point
    held: Point
    violation: float
    finalist: bool
    is_judged: bool
    seconds: float

    @property
    def may_be_named(self) -> bool:
        """Whether it is judged, and keeps the constraints."""
        return self.is_judged and self.violation <= 0

    def costs(self, goals: Sequence[Objective]) -> Point:
        """Its means such that less is better."""
        return costs_of(goals, self.means)


def cost(goal: Objective, value: float) -> float:
    """A value of this objective such that less is better."""
    return value if goal.mode == "min" else -value


def violation(constraints: Iterable[Constraint], metrics: Mapping[str, float]) -> float:
    """How far a training with these metrics is beyond the constraint that it breaks most; 0 where it keeps all of them, infinite
    where a metric has no value."""
    return max([0.0, *(one.violation(metrics.get(one.metric, math.nan)) for one in constraints)])


def standings(
    trials: Mapping[int, TrialState],
    goals: Sequence[Objective],
    constraints: Sequence[Constraint],
    seeds: int = 1,
    final_seeds: int = 0,
) -> list[Standing]:
    """The settings of these trials, in their order. seeds, final_seeds: trainings of each, in the search and in the final."""
    settings: dict[int, list[TrialState]] = {}
    for index in sorted(trials):
        settings.setdefault(trials[index].setting, []).append(trials[index])
    expected = {False: seeds, True: final_seeds}
    return [_standing(settings[number], goals, constraints, expected) for number in sorted(settings)]


def ranked(found: Sequence[Standing], goals: Sequence[Objective]) -> list[Standing]:
    """The settings, the best first; those without a value last, in order.

    What keeps the constraints comes first, then what breaks them least; of these what was in the final, then what lost no training;
    then the better mean, or of several objectives the Pareto rank, and in it whoever has more room around it.
    """
    ordered: list[Standing] = []
    for tier, group in groupby(sorted(found, key=_tier), key=_tier):
        members = list(group)
        ordered += _by_merit(members, goals) if tier[0] == 0 else members
    return ordered


def best_front(found: Sequence[Standing], goals: Sequence[Objective]) -> list[Standing]:
    """Those among which a winner is: the best one, or of several objectives all that none of their tier dominates, by number.

    Empty where none may be named.
    """
    named = sorted((one for one in found if one.may_be_named), key=lambda one: (_tier(one), one.setting))
    if not named:
        return []
    if len(goals) == 1:
        return ranked(named, goals)[:1]
    first = [one for one in named if _tier(one) == _tier(named[0])]
    return [first[index] for index in front([one.costs(goals) for one in first])]


def rank(trials: Mapping[int, TrialState], goals: Sequence[Objective], constraints: Sequence[Constraint]) -> list[int]:
    """The settings for the final, the best first: those that may be named and whose every seed ran to its end.

    A pure function of the search's trials: what the final has come to so far changes nothing.
    """
    searched = {index: trial for index, trial in trials.items() if not trial.finalist}
    whole = [one for one in standings(searched, goals, constraints) if one.state == "done" and one.lost == 0]
    return [one.setting for one in ranked(whole, goals) if one.may_be_named]


def _standing(
    trials: Sequence[TrialState],
    goals: Sequence[Objective],
    constraints: Sequence[Constraint],
    expected: Mapping[bool, int],
) -> Standing:
    """trials: all of one setting."""

    def has_values(trial: TrialState) -> bool:
        return all(math.isfinite(trial.metrics.get(goal.metric, math.nan)) for goal in goals)

    final = any(trial.finalist and trial.state == "done" and has_values(trial) for trial in trials)
    own = [trial for trial in trials if trial.finalist == final]
    whole = [trial for trial in own if trial.state == "done" and has_values(trial)]
    judged = whole or [trial for trial in own if trial.state != "failed" and has_values(trial)]
    shown = judged or [trial for trial in own if has_values(trial)]
    step = _common_step(shown or own)
    values = [values_at(trial, step, goals) for trial in shown]
    scores = [values_at(trial, step, constraints) for trial in shown]
    by_goal = list(zip(*values, strict=True)) or [()] * len(goals)
    means = tuple(map(mean_of, by_goal))
    nothing = (math.nan,) * len(constraints)
    return Standing(
        setting=trials[0].setting,
        params=(shown or own)[0].params,
        state=min((trial.state for trial in trials), key=STATES.index),
        trials=tuple(trial.index for trial in shown),
        of=max(len(own), expected[final]),
        lost=sum(_is_lost(trial, judged, bool(whole)) for trial in own),
        step=step,
        means=means,
        spreads=tuple(map(spread_of, by_goal)),
        held=tuple(
            max(some, key=one.violation)
            for one, some in zip(constraints, zip(*scores or [nothing], strict=True), strict=True)
        ),
        violation=max((violation(constraints, trial.at(step) or trial.metrics) for trial in shown), default=0.0),
        finalist=final,
        is_judged=bool(judged) and all(map(math.isfinite, means)),
        seconds=math.fsum(trial.train_seconds for trial in trials),
    )


def _tier(one: Standing) -> tuple[int, float, bool, bool]:
    """Settings are compared by their objectives within a tier alone."""
    return (0, one.violation, not one.finalist, one.lost > 0) if one.is_judged else (1, 0.0, False, False)


def _by_merit(members: Sequence[Standing], goals: Sequence[Objective]) -> list[Standing]:
    """members: of one tier, by number."""
    costs = [one.costs(goals) for one in members]
    if len(goals) == 1:
        return [members[index] for index in sorted(range(len(members)), key=lambda i: costs[i])]
    order = []
    for indices in fronts(costs):
        room = dict(zip(indices, crowding([costs[index] for index in indices]), strict=True))
        order += sorted(indices, key=lambda index: -room[index])
    return [members[index] for index in order]


def _common_step(trials: Sequence[TrialState]) -> int:
    """The last step at which all were evaluated; where there is none, the last of any."""
    lines = [[step for step, _ in trial.history] for trial in trials]
    common = set.intersection(*map(set, lines))
    if len(trials) == 1:
        return lines[0][-1] if lines[0] else trials[0].step
    return max(common, default=max(line[-1] if line else trial.step for line, trial in zip(lines, trials, strict=True)))


def values_at(trial: TrialState, step: int, wanted: Iterable[Objective | Constraint]) -> Point:
    """What a training came to at a step, of each metric; at its last evaluation where it has none there."""
    metrics = trial.at(step) or trial.metrics
    return tuple(metrics.get(one.metric, math.nan) for one in wanted)


def _is_lost(trial: TrialState, judged: Sequence[TrialState], others_ended: bool) -> bool:
    """Whether a setting would look better for the lack of this training."""
    if trial.state == "failed":
        return True
    is_out = trial.state == "done" or (trial.state == "stopped" and (others_ended or bool(trial.history)))
    return is_out and not any(trial is one for one in judged)


def costs_of(goals: Sequence[Objective], values: Point) -> Point:
    """A value for each objective, such that less is better."""
    return tuple(cost(goal, value) for goal, value in zip(goals, values, strict=True))


def mean_of(values: Sequence[float]) -> float:
    """NaN where there are none, or one of them is not finite."""
    return statistics.fmean(values) if values and all(map(math.isfinite, values)) else math.nan


def spread_of(values: Sequence[float]) -> float:
    """The sample standard deviation; NaN of fewer than two, or where one is not finite."""
    return statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan
