"""Whether a system's networks fit the pictures, and its settings each other.

A system tells one misfit at a time. The next is looked for under every value that could mend the first: what then is still refused
is a mistake of its own.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import Refusal, show
from orchestrator.systems.existence import others
from trainers.errors import SettingError
from trainers.settings import fields_of
from trainers.system import System

Shapes = Mapping[str, tuple[int, int, int]]  # domain -> (channels, height, width)
SIDES = (16, 32, 64, 128, 256, 512)  # pixels: each network takes some of them
CHANNELS = (3, 1)
MOST_CASES = 1_000


@dataclass(frozen=True)
class Case:
    """Hyper-parameters and pictures that belong together."""

    hyper: Any
    shapes: Shapes


def cases_of(case: Case, unknown: Iterable[str]) -> list[Case]:
    """`case`, and all that it could be besides: `unknown` names what of it is not known."""
    found = [case]
    for path in unknown:
        found = [other for one in found for other in _varied(one, path)]
    return found


def misfit(system: type[System], case: Case) -> Refusal | None:
    """What does not fit."""
    try:
        system.check(case.shapes, case.hyper)
    except SettingError as error:
        is_named = str(error.value) in error.problem
        problem = error.problem if is_named else f"{show(error.value)} does not fit: {error.problem}"
        return Refusal(problem, path=error.path, value=error.value)
    return None


def misfits(system: type[System], cases: Sequence[Case], unknown: Iterable[str] = ()) -> list[Refusal]:
    """Everything that does not fit in any of `cases`; `unknown`: paths of which nothing more is to be said."""
    found: list[Refusal] = []
    excused = set(unknown)
    while len(cases) <= MOST_CASES:
        told = [misfit(system, case) for case in cases]
        left = [refusal for refusal in told if refusal is None or refusal.path not in excused]
        usual = _usual([refusal for refusal in left if refusal is not None])
        if None in left or usual is None:
            break
        found.append(usual)
        excused.add(usual.path)
        cases = [other for case in cases for other in _varied(case, usual.path)]
    return found


def _usual(refusals: Sequence[Refusal]) -> Refusal | None:
    """What is refused in most cases; None if nothing is. In the others it may only be hidden behind something else."""
    counts = Counter(str(refusal) for refusal in refusals)
    return next((one for one in refusals if 2 * counts[str(one)] > len(refusals)), None)


def _varied(case: Case, path: str) -> list[Case]:
    """The case with everything that may stand at a dotted key of the sweep file."""
    if path == "data.image":
        return [case, *(_of(case, side=side) for side in SIDES)]
    if path == "data.uri":
        return [case, *(_of(case, channels=channels) for channels in CHANNELS)]
    fields = [field for field in fields_of(type(case.hyper)) if path == f"hyper.{field.name}"]
    changed = [{field.name: value} for field in fields for value in others(case.hyper, field)]
    return [case, *(Case(dataclasses.replace(case.hyper, **change), case.shapes) for change in changed)]


def _of(case: Case, *, side: int | None = None, channels: int | None = None) -> Case:
    shapes = {
        domain: (channels or depth, side or height, side or width)
        for domain, (depth, height, width) in case.shapes.items()
    }
    return Case(case.hyper, shapes)
