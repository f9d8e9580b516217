"""Which searched axes mattered: how differently the better half of the settings lies along each, and how often chance does as much.

PED-ANOVA: Watanabe et al., "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces", IJCAI 2023, by
Optuna's evaluator. The surprise is the half: the tenth that Optuna looks at is two settings of a sweep of tens, which say nothing.
Numbers enter by their rank, so that no axis has a scale of its own. Shares of few settings mislead; beside each stands how often
shuffled values give the axis as much.
"""

from __future__ import annotations

import math
import random
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.results.outcome import Outcome
from orchestrator.results.standing import Standing
from orchestrator.search.sums import members
from orchestrator.sweep_file.quantities import plain_number

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

# Measured on the one axis of four that mattered: with 6 settings it came out first in two sweeps of three, with 8 in nine of ten.
LEAST = 8
BETTER = 0.5  # share of the settings that is held against all; of 0.1 to 0.5 the surest for 8 to 40 settings
SHUFFLES = 99


class Importance(NamedTuple):
    """Of an axis: its share of all axes' importance, in [0, 1], and the probability that chance gives as much or more."""

    axis: str
    share: float
    chance: float


class Importances(NamedTuple):
    """For each objective, the axes, the most important one first; empty with a note that says why."""

    settings: int
    by_metric: Mapping[str, Sequence[Importance]]
    note: str = ""


def importances(found: Outcome) -> Importances:
    """What mattered for each objective, by the means of the judged settings. The same outcome gives the same answer."""
    judged = sorted((one for one in found.ranking if one.is_judged), key=lambda one: one.setting)
    axes = _axes(found.state.about, judged)
    if any(trial.lineage for trial in found.state.trials.values()):
        note = "trials went on from one another with other values, so no axis can be told to have mattered"
    elif not axes:
        note = "no axis has two values"
    elif len(judged) < LEAST:
        note = f"which axis mattered can be told from {LEAST} judged settings on; so far there are {len(judged)}"
    else:
        costs = list(zip(*(one.costs(found.goals) for one in judged), strict=True))
        by_metric = {g.metric: _compare(judged, axes, column) for g, column in zip(found.goals, costs, strict=True)}
        return Importances(len(judged), by_metric)
    return Importances(len(judged), {}, note)


def _axes(about: Mapping[str, Any], judged: Sequence[Standing]) -> dict[str, tuple[str, ...]]:
    """Axis -> its settings that have two values; the last part of a sum is what the others leave."""
    axes = {key: members(key)[:-1] or (key,) for key in about.get("axes", {})}
    seen = {
        name: {repr(one.params[name]) for one in judged if name in one.params} for key in axes for name in axes[key]
    }
    varied = {key: tuple(name for name in names if len(seen[name]) > 1) for key, names in axes.items()}
    return {key: names for key, names in varied.items() if names}


def _compare(judged: Sequence[Standing], axes: Mapping[str, Sequence[str]], costs: Sequence[float]) -> list[Importance]:
    weigh = _scales(judged, axes)
    weights = weigh(costs)
    chance, more = random.Random(0), dict.fromkeys(axes, 1)  # the values as they are count as one of the shuffles
    for _ in range(SHUFFLES):
        shuffled = weigh(chance.sample(costs, len(costs)))
        for key in axes:
            more[key] += shuffled[key] >= weights[key]
    total = math.fsum(weights.values())
    found = [Importance(k, weights[k] / total if total > 0 else 0.0, more[k] / (SHUFFLES + 1)) for k in axes]
    return sorted(found, key=lambda one: -one.share)


def _scales(
    judged: Sequence[Standing], axes: Mapping[str, Sequence[str]]
) -> Callable[[Sequence[float]], Mapping[str, float]]:
    """What weighs the axes by costs of the settings, in their order."""
    import optuna  # at call time: most commands weigh nothing

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it would tell that it has made a study
    placed = {name: _placed([one.params.get(name) for one in judged]) for names in axes.values() for name in names}
    study = optuna.create_study()
    for index in range(len(judged)):
        params = {name: values[index] for name, (values, _) in placed.items() if values[index] is not None}
        distributions = {name: placed[name][1] for name in params}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=0.0))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BETTER)

    def weigh(costs: Sequence[float]) -> Mapping[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that less is better, and that some conditions hold for few settings
            found = optuna.importance.get_param_importances(
                study, evaluator=evaluator, target=lambda trial: costs[trial.number], normalize=False
            )
        return {key: math.fsum(found[name] for name in names) for key, names in axes.items()}

    return weigh


def _placed(values: Sequence[object]) -> tuple[list[float | str | None], BaseDistribution]:
    """A setting's values as Optuna takes them, None where there is none: numbers by their rank in [0, 1], others as words."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    numbers = [plain_number(value) for value in values]
    if any(number is None and value is not None for number, value in zip(numbers, values, strict=True)):
        words = [None if value is None else repr(value) for value in values]
        return [*words], CategoricalDistribution(list(dict.fromkeys(word for word in words if word is not None)))
    line = sorted(number for number in numbers if number is not None)
    last = max(1, len(line) - 1)

    def rank(number: float) -> float:
        return (bisect_left(line, number) + bisect_right(line, number) - 1) / 2 / last

    return [None if number is None else rank(number) for number in numbers], FloatDistribution(0.0, 1.0)
