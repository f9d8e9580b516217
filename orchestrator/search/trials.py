"""How many trials a sweep has, and which settings a grid gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import Refusal, refuse
from orchestrator.planning.settings import Setting, Settings
from orchestrator.search.space import Axis, Choice, Scalar, grid, keep, settings_of
from orchestrator.sweep_file.sweep import Sweep
from trainers.system import System


@dataclass(frozen=True)
class Trials:
    """`count`: trainings, the preset included. `points`: the settings of trials 1, 2, ... of a grid. `notes`: a line each."""

    count: int
    points: tuple[Mapping[str, Setting], ...] = ()
    notes: tuple[str, ...] = ()


def find_trials(
    sweep: Sweep, system: type[System], base: Settings, axes: Mapping[str, Axis], searching: bool
) -> Trials:
    """The trials of a sweep over `axes`; searching: whether a search is written, be it one of refused axes alone.

    Raises:
        Refusal: the search makes no sense, or there is none.
    """
    if not searching:
        if sweep.trials > 1:
            problem = f"{sweep.trials} trials without a search would be the same training {sweep.trials} times"
            raise Refusal(problem + "; add a search, or leave trials out", path="trials", value=sweep.trials)
        return Trials(1)
    if sweep.searcher != "grid":
        if sweep.trials < 2:
            problem = "a search needs at least 2 trials: the first is the preset"
            raise Refusal(problem, path="trials", value=sweep.trials, rests=["searcher"])
        settings = math.prod(len(a.options) if isinstance(a, Choice) else math.inf for a in axes.values())
        repeats = settings < sweep.trials - 1 and not any(axis.when for axis in axes.values())
        note = f"there are only {settings} settings to draw from, so some trials repeat others; a grid does not"
        return Trials(sweep.trials, notes=(note,) if repeats else ())
    found = [
        Refusal(
            f"a grid takes choices, not {axis}; list the values with choice, or use searcher: random",
            path=f"search.{key}",
        )
        for key, axis in sweep.search.items()
        if not isinstance(axis, Choice)
    ]
    refuse(found)
    return _grid(sweep, system, base, {key: axis for key, axis in axes.items() if isinstance(axis, Choice)})


def preset_values(system: type[System], base: Settings, axes: Mapping[str, Axis]) -> dict[str, Scalar]:
    """What trial 0 has on the axes; those of a group whose terms differ are left out."""
    names = [name for key, axis in axes.items() for name in settings_of(key, axis)]
    values = {name: value for name in names if (value := base.value(system, name)) is not None}
    return keep(axes, values)


def _grid(sweep: Sweep, system: type[System], base: Settings, choices: Mapping[str, Choice]) -> Trials:
    try:
        combinations = grid(choices)
    except ValueError as error:
        raise Refusal(str(error), path="search") from error
    held = preset_values(system, base, choices)
    points = tuple(point for point in combinations if point != held)
    notes = [] if len(points) == len(combinations) else ["the grid's point that equals the preset is trial 0"]
    if "trials" in sweep.model_fields_set and sweep.trials != len(points) + 1:
        notes.append(f"a grid ignores trials: {sweep.trials}; it has {len(points) + 1} with the preset")
    return Trials(len(points) + 1, points, tuple(notes))
