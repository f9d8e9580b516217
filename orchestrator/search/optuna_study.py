"""What is known of a search's trials, as an Optuna study, and the samplers that look at it.

Optuna keeps generators, generations and caches of its own; here a sampler lives for one suggestion and has a seed of its own,
so that the study depends on what is told alone. It sees coordinates (`orchestrator.search.space`), not values.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.samplers.nsgaii import PolynomialMutation, SBXCrossover
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from orchestrator.search.conditions import holds, in_force, parents_first
from orchestrator.search.searchers import Told
from orchestrator.search.space import Axis, Choice, IntUniform, Scalar, draw, keep, locate, settings_of, uniform
from orchestrator.search.sums import Sum

POPULATION = 10  # the best trials of several objectives, from which children come: searches have tens of trials
# The original operators of NSGA-II, with wider steps than its indices of 20, which are made for hundreds of generations.
CROSSOVER_INDEX, MUTATION_INDEX = 2.0, 5.0
UNFINISHED = 1e9  # a violation of constraints beyond all that a metric can have
# State, values, values on the way, violation of the constraints.
Facts = tuple[TrialState, list[float] | None, dict[int, float], float]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's chatter, and its warnings that something is experimental."""
    logger = logging.getLogger("optuna")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


class OptunaStudy:
    """The trials told so far as Optuna has them, in the order of suggestion."""

    @_quiet()
    def __init__(self, axes: Mapping[str, Axis], seed: int, modes: Sequence[str]) -> None:
        self._axes, self._seed, self._modes = axes, seed, modes
        self._kinds = {name: axis for key, axis in axes.items() for name in _coordinates(key, axis)}
        self._distributions = {name: _distribution(axis) for name, axis in self._kinds.items()}
        self._storage = optuna.storages.InMemoryStorage()
        directions = [StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE for mode in modes]
        self._name = optuna.create_study(storage=self._storage, directions=directions).study_name
        self._told: list[Told] = []
        self._ids: list[int | None] = []  # None for a trial that Optuna is not told
        self.ended = 0  # trials

    def learn(self, told: Sequence[Told]) -> bool:
        """Whether `told` is what was told before and what may have come of it since; then it is known from here on."""
        for old, new in zip(self._told, told, strict=False):
            if old != new and (old.outcome != "running" or old.params != new.params):
                return False
        if len(told) < len(self._told):
            return False
        for index, new in enumerate(told):
            if index == len(self._told):
                self._add(index, new)
            elif self._told[index] != new:
                self._update(index, new)
        self._told = list(told)
        return True

    @_quiet()
    def ask(self, seed: int) -> dict[str, Scalar]:
        """The values that a sampler with this seed suggests. Nothing of it stays: a trial begins when it is told."""
        sampler = _sampler(seed, len(self._modes))
        study = optuna.load_study(study_name=self._name, storage=self._storage, sampler=sampler)
        trial = study.ask()
        params: dict[str, Scalar] = {}
        for key in parents_first(self._axes):
            if holds(self._axes[key].when, params):
                params |= draw(key, self._axes[key], lambda name: self._coordinate(trial, name))
        study.tell(trial, state=TrialState.FAIL)
        return keep(self._axes, params)

    def _add(self, index: int, told: Told) -> None:
        frozen = self._frozen(index, told)
        self._told.append(told)
        self._ids.append(None if frozen is None else self._storage.create_new_trial(self._study_id, frozen))
        self.ended += frozen is not None and told.outcome != "running"

    def _update(self, index: int, told: Told) -> None:
        """The trial ran when it was told last."""
        frozen, number = self._frozen(index, told), self._ids[index]
        if told.outcome == "running" or frozen is None or number is None:
            return
        for step, value in frozen.intermediate_values.items():
            self._storage.set_trial_intermediate_value(number, step, value)
        for key, attribute in frozen.system_attrs.items():
            self._storage.set_trial_system_attr(number, key, attribute)
        self._storage.set_trial_state_values(number, frozen.state, frozen.values)
        self.ended += 1

    @property
    def _study_id(self) -> int:
        return self._storage.get_study_id_from_name(self._name)

    def _frozen(self, index: int, told: Told) -> FrozenTrial | None:
        """The trial as Optuna has it; None where its values are not of the axes."""
        where: dict[str, float] = {}
        for key, axis in in_force(self._axes, told.params).items():
            found = locate(key, axis, told.params)
            if found is None:
                return None
            where |= found
        several = len(self._modes) > 1
        if several:
            where = {name: uniform(self._seed, name, index) for name in self._kinds} | where
        state, values, steps, violation = _several(told, self._modes) if several else _single(told)
        return create_trial(
            state=state,
            values=values,
            params={name: _to_optuna(self._kinds[name], u) for name, u in where.items()},
            distributions={name: self._distributions[name] for name in where},
            intermediate_values=steps,
            constraints=None if told.outcome == "running" else {"kept": violation},
        )

    def _coordinate(self, trial: Trial, name: str) -> float:
        axis = self._kinds[name]
        cells = _cells(axis)
        if cells is None:
            return trial.suggest_float(name, 0, 1)
        if isinstance(axis, Choice):
            return (trial.suggest_categorical(name, range(cells)) + 0.5) / cells
        return (trial.suggest_int(name, 0, cells - 1) + 0.5) / cells


def _single(told: Told) -> Facts:
    """A trial for TPE, which ranks pruned trials behind complete ones."""
    violation = _finite(told.violation)
    if told.outcome == "running":
        return TrialState.RUNNING, None, {}, violation
    if told.values is None or not math.isfinite(told.values[0]) or told.outcome not in ("done", "stopped"):
        return TrialState.PRUNED, None, {}, violation
    if told.outcome == "stopped":
        return TrialState.PRUNED, None, {told.step: told.values[0]}, violation
    return TrialState.COMPLETE, list(told.values), {}, violation


def _several(told: Told, modes: Sequence[str]) -> Facts:
    """A trial for NSGA-II, which knows complete trials alone: what did not run to its end violates more than all that did."""
    if told.outcome == "running":
        return TrialState.RUNNING, None, {}, 0.0
    if told.values is None or not all(map(math.isfinite, told.values)) or told.outcome not in ("done", "stopped"):
        return TrialState.COMPLETE, [math.inf if mode == "min" else -math.inf for mode in modes], {}, 2 * UNFINISHED
    missing = UNFINISHED * (2 - told.step / told.steps)
    return TrialState.COMPLETE, list(told.values), {}, missing if told.outcome == "stopped" else _finite(told.violation)


def _finite(violation: float) -> float:
    return violation if violation < UNFINISHED else UNFINISHED  # also for NaN, which Optuna would take for kept


def _sampler(seed: int, objectives: int) -> BaseSampler:
    if objectives == 1:
        return TPESampler(n_startup_trials=0, multivariate=True, group=True, constant_liar=True, seed=seed)
    crossover, mutation = SBXCrossover(CROSSOVER_INDEX), PolynomialMutation(MUTATION_INDEX)
    return SteadyState(population_size=POPULATION, crossover=crossover, mutation=mutation, seed=seed)


class SteadyState(NSGAIISampler):
    """All ended trials are the last generation."""

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:
        return 1

    def get_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        return self.select_parent(study, generation) if generation else []


def _coordinates(key: str, axis: Axis) -> tuple[str, ...]:
    names = settings_of(key, axis)
    return names[:-1] if isinstance(axis, Sum) else names


def _cells(axis: Axis) -> int | None:
    """How many equal parts of [0, 1] mean one value each; None for numbers."""
    if isinstance(axis, Choice):
        return len(axis.options)
    return axis.hi - axis.lo + 1 if isinstance(axis, IntUniform) else None


def _distribution(axis: Axis) -> BaseDistribution:
    cells = _cells(axis)
    if cells is None:
        return FloatDistribution(0, 1)
    return CategoricalDistribution(range(cells)) if isinstance(axis, Choice) else IntDistribution(0, cells - 1)


def _to_optuna(axis: Axis, u: float) -> float | int:
    cells = _cells(axis)
    return u if cells is None else int(u * cells)
