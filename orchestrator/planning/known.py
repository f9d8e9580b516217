"""What is known of a sweep's settings where some of them are refused.

What is refused is left out. Then nobody knows what was meant by it, and the others are judged under everything that it could have
been: only what is wrong in each case is wrong in itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.errors import Refusal
from orchestrator.planning.settings import Setting, Settings, check_in_force, check_names, check_twice, preset
from orchestrator.sweep_file.draft import Draft
from orchestrator.sweep_file.sweep import DEFAULT_PRESET, Sweep
from orchestrator.systems.existence import others
from trainers.settings import fields_of
from trainers.system import System

MOST_MEANT = 200  # combinations of what several refused settings could have been; beyond it they take their turns
T = TypeVar("T")


@dataclass(frozen=True)
class Known:
    """`sweep`: with the names and values that its system has. `meant`: the settings of trial 0, or all that they could be.

    found: the mistakes.
    """

    sweep: Sweep
    meant: tuple[Settings, ...]
    found: tuple[Refusal, ...]


def known_settings(system: type[System], draft: Draft) -> Known:
    """What is known of the settings that `draft` has for `system`."""
    found = check_names(system, draft.sweep)
    refused = {refusal.path for refusal in found}
    sweep = _without(draft.sweep, refused) if refused else draft.sweep
    doubtful = _doubtful(system, found, draft.unknown)
    meant = _meant(system, sweep, doubtful, "preset" in refused | draft.unknown)
    found += [*check_twice(system, sweep), *check_in_force(system, sweep, meant)]
    return Known(sweep, tuple(meant), tuple(found))


def common(check: Callable[[T], Sequence[Refusal]], cases: Iterable[T]) -> list[Refusal]:
    """What is refused in each of the cases, as it is told in the first."""
    first, *rest = (check(case) for case in cases)
    told = [{(refusal.path, refusal.problem) for refusal in found} for found in rest]
    return [refusal for refusal in first if all((refusal.path, refusal.problem) in others for others in told)]


def _without(sweep: Sweep, paths: set[str]) -> Sweep:
    """The sweep less what is refused at these paths."""
    parts: dict[str, Mapping[str, object]] = {"weights": sweep.weights, "hyper": sweep.hyper, "search": sweep.search}
    kept = {
        part: {name: value for name, value in values.items() if f"{part}.{name}" not in paths}
        for part, values in parts.items()
    }
    return sweep.model_copy(update={**kept, **({"preset": DEFAULT_PRESET} if "preset" in paths else {})})


def _doubtful(system: type[System], found: Sequence[Refusal], unknown: Iterable[str]) -> list[str]:
    """The settings of `hyper` whose values, fixed or searched, are not known; also those that a misspelt name may mean."""
    fields = [field.name for field in fields_of(system.Hyper)]
    paths = {*unknown, *(refusal.path for refusal in found)}
    names = {path.removeprefix("search.").removeprefix("hyper.") for path in paths if "hyper." in path}
    names |= {
        refusal.nearest.removeprefix("hyper.") for refusal in found if refusal.nearest and "hyper." in refusal.path
    }
    return fields if {"hyper", "search"} & paths else [name for name in fields if name in names]


def _meant(system: type[System], sweep: Sweep, doubtful: Sequence[str], any_preset: bool) -> list[Settings]:
    """The settings of trial 0; where the preset or settings are in doubt, all that they could be, the likeliest first."""
    presets = [DEFAULT_PRESET, *system.presets] if any_preset else [sweep.preset]
    bases = [preset(system, sweep.model_copy(update={"preset": name})) for name in presets]
    values = {name: _values(system, bases[0], name) for name in doubtful}
    if len(bases) * math.prod(map(len, values.values())) > MOST_MEANT:
        changes: list[dict[str, Setting]] = [{}, *({name: value} for name in values for value in values[name])]
    else:
        changes = [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]
    dotted = [{f"hyper.{name}": value for name, value in change.items()} for change in changes]
    return [base.with_values(system, change) for base in bases for change in dotted]


def _values(system: type[System], settings: Settings, name: str) -> list[Setting]:
    """What a setting may be, as it is first."""
    hyper = system.Hyper(**settings.hyper)
    field = next(field for field in fields_of(system.Hyper) if field.name == name)
    return [getattr(hyper, name), *others(hyper, field)]
