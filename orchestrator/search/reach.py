"""What a search can reach: every combination of the choices that decide what exists and what fits, drawn here or not.

`plan` lists what random draws would be; a searcher that learns, or more trials, may come to any other. The number of
combinations is finite once each range stands for its ends, and one of them costs some microseconds to look at.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from orchestrator.errors import Refusal, asked
from orchestrator.planning.data import DataFacts
from orchestrator.planning.fitting import Case, misfit
from orchestrator.planning.objective import Objective, check_there
from orchestrator.planning.settings import Setting, Settings
from orchestrator.search.conditions import holds, in_force, is_same, parents_first
from orchestrator.search.space import Axis, Choice, IntUniform, Scalar, settings_of
from orchestrator.sweep_file.sweep import Sweep
from orchestrator.tables import words
from orchestrator.task.task import TaskNetwork, check_needs
from trainers.settings import aliases
from trainers.system import System

HYPER = "hyper."
MOST = 10_000  # combinations that are looked at; of more, those of every two axes
NOT_ALL = (
    f"the search has more than {MOST:,} combinations of hyper settings: those of every two were checked, and a trial "
    "with three that do not go together will fail"
)
WHOLE = 16  # whole numbers of a range that are all looked at
Point = Mapping[str, Scalar]  # searched setting -> value
Check = Callable[[Any], Refusal | None]  # of a dataclass of hyper-parameters


def combinations(axes: Mapping[str, Axis], most: int = MOST) -> tuple[list[Point], bool]:
    """The values that trials may have on the axes of `hyper`, and whether these are all.

    A range stands for its ends. Of more than `most` combinations: those of every two axes, `most` at most.
    """
    hyper = [key for key in axes if key.startswith(HYPER)]
    found = list(itertools.islice(_points(axes, hyper), most + 1))
    if len(found) <= most:
        return found, True
    pairs = (_points(axes, pair) for pair in itertools.combinations(hyper, 2))
    return list(itertools.islice(itertools.chain.from_iterable(pairs), most)), False


def check_trials(
    system: type[System],
    sweep: Sweep,
    base: Settings,
    axes: Mapping[str, Axis],
    objectives: Sequence[Objective],
    data: DataFacts,
    task: TaskNetwork | None,
    stages: Callable[[Any], list[Refusal]],
) -> list[Refusal]:
    """What does not fit in some trial that the search can come to: a choice may fit alone and not beside another one.

    stages: what is refused of the stages of a trial with these hyper-parameters.
    """
    hyper, shapes = system.Hyper(**base.hyper), data.shapes(sweep.data.image)

    def needs(hyper: Any) -> Refusal | None:
        return next(iter(asked(partial(check_needs, system, hyper, task))), None)

    def fits(hyper: Any) -> Refusal | None:
        return misfit(system, Case(hyper, shapes))

    points, _ = combinations(axes)
    judged_by = dict.fromkeys(
        [
            ("objective.metric", objectives[0].metric),
            *(("objective.also", objective.metric) for objective in objectives[1:]),
            *(("constraints", constraint.metric) for constraint in sweep.constraints),
        ]
    )
    own = sweep.evaluation.features.name if sweep.evaluation.features else ""
    checks: list[Check] = [
        needs,
        fits,
        lambda hyper: next(iter(stages(hyper)), None),
        *(partial(check_there, system, own, path, metric) for path, metric in judged_by),
    ]
    return [told for check in checks for told in _Reach(axes, hyper, check).refusals(points)]


def reached(axes: Mapping[str, Axis], base: Settings, name: str) -> list[Setting]:
    """The values that a setting of `hyper` has in some trial; None alone where there is no such setting."""
    axis = axes.get(f"{HYPER}{name}")
    return list(dict.fromkeys([base.hyper.get(name), *(values_of(axis) if axis else ())]))


def search_notes(system: type[System], axes: Mapping[str, Axis], hyper: Any) -> list[str]:
    """What the user should know of a search in which nothing is wrong: weights that are searched where they weigh nothing."""
    points, whole = combinations(axes)
    notes = [] if whole else [NOT_ALL]
    names = aliases(system.terms)
    weights = {key: axis for key, axis in axes.items() if key.startswith("weights.")}
    for key, axis in weights.items():
        terms = [t for t in system.terms for name in settings_of(key, axis) if t.name in names[name.partition(".")[2]]]
        here = [point for point in points if key in in_force(axes, point)]
        idle = [point for point in here if not any(term.exists(_with_point(hyper, point)) for term in terms)]
        if idle:
            without = [point for point in here if point not in idle]
            notes.append(f"{key} is searched also where there is no such loss{_apart(axes, idle, without)}")
    return notes


def _apart(axes: Mapping[str, Axis], bad: Sequence[Point], good: Sequence[Point]) -> str:
    """The `when` that tells the good points from the bad ones, to be read after what is wrong with these; empty where there is
    none of a single choice."""
    for key, axis in axes.items():
        wanted = [v for v in values_of(axis) if any(is_same(point.get(key), v) for point in good)]
        if isinstance(axis, Choice) and wanted and not any(is_same(point.get(key), v) for point in bad for v in wanted):
            return f"; keep it to where there is, with when: {{{key}: [{words(wanted)}]}}"
    return ""


def _with_point(hyper: Any, point: Point) -> Any:
    """The hyper-parameters of a trial with these values."""
    changes = {name.removeprefix(HYPER): value for name, value in point.items() if name.startswith(HYPER)}
    return dataclasses.replace(hyper, **changes)


def _points(axes: Mapping[str, Axis], wanted: Iterable[str]) -> Iterator[Point]:
    """Every combination of the values of these axes, and of those that decide about them; the last axis turns fastest."""
    keys: dict[str, None] = {}

    def add(key: str) -> None:
        if key in axes and key not in keys:
            keys[key] = None
            for parent, _ in axes[key].when:
                add(parent)

    for key in wanted:
        add(key)
    points: Iterator[Point] = iter([{}])
    for key in parents_first({key: axes[key] for key in axes if key in keys}):
        points = _extended(points, key, axes)
    return points if keys else iter([])


def _extended(points: Iterator[Point], key: str, axes: Mapping[str, Axis]) -> Iterator[Point]:
    for point in points:
        if holds(axes[key].when, point):
            yield from ({**point, key: value} for value in values_of(axes[key]))
        else:
            yield point


def values_of(axis: Axis) -> Sequence[Scalar]:
    """The values that stand for an axis: all of a choice or of few whole numbers, the ends of another range."""
    if isinstance(axis, IntUniform) and axis.hi - axis.lo < WHOLE:
        return range(axis.lo, axis.hi + 1)
    return axis.extremes()


@dataclasses.dataclass(frozen=True)
class _Reach:
    """One check, asked of the trials of a search."""

    axes: Mapping[str, Axis]
    hyper: Any
    check: Check

    def refusals(self, points: Iterable[Point]) -> list[Refusal]:
        """The first refusal of each key."""
        found: dict[str, tuple[Point, Refusal]] = {}
        for point in points:
            refusal = self._asked(point)
            if refusal is not None:
                found.setdefault(refusal.path, (point, refusal))
        return [self._told(*first) for first in found.values()]

    def _asked(self, point: Point) -> Refusal | None:
        return self.check(_with_point(self.hyper, point))

    def _told(self, point: Point, refusal: Refusal) -> Refusal:
        """The refusal in the words of the search: at the axis that it is about, with the others that it takes."""
        taking = self._taking(point, refusal)
        own = refusal.path if refusal.path in taking else ""
        others = {name: point[name] for name in taking if name != own}
        with_them = (
            f"with {' and '.join(f'{name} {words(value)}' for name, value in others.items())}, " if others else ""
        )
        if own:
            problem, path = f"{with_them}{refusal.problem}{self._advice(point, own, others)}", f"search.{own}"
        elif refusal.path.startswith(HYPER) and taking:  # a fixed setting does not fit one that is searched
            problem, path = f"{with_them}{refusal.path} {refusal.problem}", f"search.{taking[0]}"
        else:
            problem, path = f"{with_them}{refusal.problem}", refusal.path
        return Refusal(
            problem, path=path, value=point.get(own, refusal.value), nearest=refusal.nearest, has=refusal.has
        )

    def _taking(self, point: Point, refusal: Refusal) -> list[str]:
        """The axes of which another value alone would do; all where it takes more than one change."""

        def mends(name: str, value: Scalar) -> bool:
            other = self._asked({**point, name: value})
            return other is None or other.path != refusal.path

        searched = [name for name in point if name.startswith(HYPER)]
        found = [name for name in searched if any(mends(name, value) for value in values_of(self.axes[name]))]
        return found or searched

    def _advice(self, point: Point, own: str, others: Point) -> str:
        """The `when` by which one axis is kept away from the values of another one that it does not fit; empty where that
        does not do."""
        if len(others) != 1 or self.axes[own].when:
            return ""
        (name,) = others
        parent = self.axes[name]
        if not isinstance(parent, Choice) or any(key == own for key, _ in parent.when):
            return ""
        left = {key: value for key, value in point.items() if key != own}
        good = [
            v for v in parent.options if all(self._fits({**left, name: v, own: o}) for o in values_of(self.axes[own]))
        ]
        rest = [value for value in parent.options if value not in good]
        if not good or not all(self._fits({**left, name: value}) for value in rest):
            return ""
        return f"; or search it only beside what it fits, with when: {{{name}: [{words(good)}]}}"

    def _fits(self, point: Point) -> bool:
        return self._asked(point) is None
