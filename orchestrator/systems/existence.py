"""On which settings a thing of a system hangs: a term, a picture that it shows. Found by trying: nobody writes it twice.

A system says of a term only whether it exists under given hyper-parameters. Which settings decide is found by changing one after
another, so a thing that needs two changes at once has no single cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType
from typing import Any

from orchestrator.sweep_file.fields import field_types
from orchestrator.tables import words
from trainers.settings import fields_of

Holds = Callable[[Any], bool]  # of a dataclass of hyper-parameters


def condition(holds: Holds, usual: Any) -> str:
    """When a thing exists, in words, told from the defaults `usual`; empty where no single setting takes it away."""
    found = deciding(holds, usual)
    if holds(usual):
        return f"unless {_spelled(found)}" if found else ""
    if not found:
        return "under several settings at once"
    name, values = next(iter(found.items()))
    back = deciding(holds, dataclasses.replace(usual, **{name: values[0]}))
    back.pop(name, None)
    return f"with {_spelled(found)}" + (f", unless {_spelled(back)}" if back else "")


def absence(holds: Holds, hyper: Any, preset: str = "", of_preset: Iterable[str] = ()) -> str:
    """Why a thing is not there under `hyper`, to be read after "does not exist": what takes it away, and what brings it back.

    of_preset: the settings that nobody wrote down, and that the preset of that name has.
    """
    found = deciding(holds, hyper)
    if not found:
        return f"under these hyper settings; it does {condition(holds, type(hyper)())}"
    is_now = _spelled({name: [getattr(hyper, name)] for name in found}, " and ")
    has = f", as preset {preset} has it" if set(found).intersection(of_preset) else ""
    return f"with {is_now}{has}; nearest: {_spelled(found)}"


def deciding(holds: Holds, hyper: Any) -> dict[str, list[Any]]:
    """Setting -> its values that alone, the others being as in `hyper`, make the thing come or go."""
    found = {}
    for field in fields_of(type(hyper)):
        tried = [dataclasses.replace(hyper, **{field.name: value}) for value in others(hyper, field)]
        values = [getattr(other, field.name) for other in tried if holds(other) != holds(hyper)]
        if values:
            found[field.name] = values
    return found


def others(hyper: Any, field: dataclasses.Field[Any]) -> list[Any]:
    """Values that a field may hold instead of the one in `hyper`: all of a list, or the ends of a range."""
    kinds, about, held = field_types(type(hyper))[field.name], field.metadata, getattr(hyper, field.name)
    ends = [end for end in (about["min"], about["max"]) if end is not None]
    values = (False, True) if bool in kinds else about["choices"] or [*ends, *([None] if NoneType in kinds else [])]
    return [value for value in values if value != held]


def _spelled(settings: Mapping[str, Sequence[Any]], between: str = " or ") -> str:
    spelled = (f"hyper.{name} {' or '.join(words(v) or 'empty' for v in values)}" for name, values in settings.items())
    return between.join(spelled)
