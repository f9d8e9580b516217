"""Settings that other folders declare as dataclass fields (`hyper.*`, `balance.*`): checked and described.

The declaration made with `trainers.settings.setting` is the only list of these names; nothing here repeats
one.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from orchestrator.errors import Refusal, nearest, show
from orchestrator.sweep_file.quantities import LARGEST_COUNT, single_problem
from trainers.settings import fields_of

JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", types.NoneType: "null"}
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word",
    types.NoneType: "null",
}


def field_types(declared: type[Any]) -> dict[str, tuple[type[Any], ...]]:
    """Field name -> the types it may hold (`float | None` gives both)."""
    hints = typing.get_type_hints(declared)
    names = [field.name for field in fields_of(declared)]
    return {name: typing.get_args(hints[name]) or (hints[name],) for name in names}


def check_fields(declared: type[Any], values: Mapping[str, object], prefix: str, owner: str = "") -> list[Refusal]:
    """Everything wrong with `values` as fields of the dataclass `declared`; each path starts with `prefix.`.

    `owner` is the system that has these settings, "" where they are every system's.
    """
    found = []
    for name, value in values.items():
        problem = field_problem(declared, name, value, owner)
        if problem is not None:
            problem.path = f"{prefix}.{name}"
            found.append(problem)
    return found


def field_problem(declared: type[Any], name: str, value: object, owner: str = "") -> Refusal | None:
    """What is wrong with `value` for the field `name`, without a path; None if nothing is."""
    fields = {field.name: field for field in fields_of(declared)}
    if name not in fields:
        near = nearest(name, fields)
        of = f" for {owner}" if owner else ""
        return Refusal(f"unknown setting {show(name)}{of}", value=name, nearest=near, has=fields)
    allowed, metadata = field_types(declared)[name], fields[name].metadata
    if not _is_one_of(value, allowed):
        wanted = " or ".join(WORDS[kind] for kind in allowed)
        return Refusal(f"must be {wanted}, not {show(value)}", value=value)
    choices = metadata.get("choices")
    if choices and value is not None and value not in choices:  # what may be empty says so by its type
        near = nearest(str(value), [str(choice) for choice in choices])
        return Refusal(f"cannot be {show(value)}", value=value, nearest=near, has=map(str, choices))
    lowest, highest = metadata.get("min"), metadata.get("max")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if lowest is not None and value < lowest:
            return Refusal(f"must be at least {lowest:g}, not {show(value)}", value=value)
        if highest is not None and value > highest:
            return Refusal(f"must be at most {highest:g}, not {show(value)}", value=value)
        if isinstance(value, int) and abs(value) > LARGEST_COUNT:  # too large for a float, or for torch's integers
            return Refusal(f"is too large a number: {show(value)}", value=value)
        if isinstance(value, float) and (problem := single_problem(value)):
            return Refusal(f"{problem}, not {show(value)}", value=value)
    return None


def coerce_field(declared: type[Any], name: str, value: Any) -> Any:
    """`value` as the field's type: 1 in a field of numbers becomes 1.0, so that both are one setting."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    allowed = field_types(declared)[name]
    return float(value) if is_whole and float in allowed and int not in allowed else value


def is_fixed(declared: type[Any], name: str) -> bool:
    """Whether the field `name` is the same in all trials of a sweep."""
    return any(field.name == name and field.metadata.get("fixed") for field in fields_of(declared))


def fields_schema(declared: type[Any]) -> dict[str, Any]:
    """The JSON Schema of a mapping with the fields of `declared`."""
    kinds = field_types(declared)
    properties = {}
    for field in fields_of(declared):
        names = [JSON_TYPES[kind] for kind in kinds[field.name]]
        choices, may_be_empty = field.metadata.get("choices"), types.NoneType in kinds[field.name]
        extra = {
            "enum": (*choices, None) if choices and may_be_empty else choices,
            "minimum": field.metadata.get("min"),
            "maximum": field.metadata.get("max"),
        }
        properties[field.name] = {
            "type": names[0] if len(names) == 1 else names,
            "default": field.default,
            "description": field.metadata.get("doc", ""),
            **{key: list(value) if key == "enum" else value for key, value in extra.items() if value is not None},
        }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _is_one_of(value: object, allowed: tuple[type[Any], ...]) -> bool:
    if isinstance(value, bool):  # a bool is an int in Python, but `true` is no count
        return bool in allowed
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, (*allowed, int) if float in allowed else allowed)
