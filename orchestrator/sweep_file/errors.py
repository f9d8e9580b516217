"""pydantic's errors in the words of a sweep file.

pydantic speaks of models, literals and input types; the person at the other end wrote a YAML file and wants
to know what to write instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.errors import Refusal, nearest, show

WANTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping of `key: value` lines",
    "model_type": "a mapping of `key: value` lines",
    "string_type": "a word",
    "list_type": "a list",
}

KEY = "[key]"  # where pydantic found something wrong with a key itself


def refusals(error: ValidationError, model: type[BaseModel]) -> list[Refusal]:
    """Every mistake in `error`, in the file's words, unknown keys first.

    A key that is missing because it was misspelt is told once: the unknown key names it as the nearest.
    """
    found = [_refusal(details, model) for details in error.errors(include_url=False)]
    unknown = [refusal for refusal in found if refusal.problem.startswith("unknown key")]
    meant = {_sibling(refusal.path, refusal.nearest) for refusal in unknown if refusal.nearest}
    rest = [refusal for refusal in found if refusal not in unknown and not _is_missing(refusal, meant)]
    return unknown + rest


def _refusal(details: ErrorDetails, model: type[BaseModel]) -> Refusal:
    loc, kind, value = details["loc"], details["type"], details["input"]
    context = details.get("ctx", {})
    path = ".".join(str(part) for part in loc if part != KEY)
    if KEY in loc:
        return Refusal(f"a key must be a word, not {show(value)}", path=path, value=value)
    if kind == "extra_forbidden":
        name, keys = str(loc[-1]), _keys_at(model, loc[:-1])
        near = nearest(name, keys)
        has = () if near else keys  # twenty names beside the right one would only hide it
        return Refusal(f"unknown key {show(name)}", path=path, value=name, nearest=near, has=has)
    if kind == "missing":
        return Refusal("required key is missing", path=path)
    if kind == "literal_error":
        names = _literals(model, loc)
        return Refusal(
            f"cannot be {show(value)}",
            path=path,
            value=value,
            nearest=nearest(str(value), names),
            has=names,
        )
    if kind == "value_error":
        return Refusal(str(context["error"]), path=path, value=value)
    if kind in WANTED:
        return Refusal(f"must be {WANTED[kind]}, not {show(value)}", path=path, value=value)
    if kind == "string_pattern_mismatch":
        problem = f"must be letters, digits, dots and dashes, at most 63, not {show(value)}"
        return Refusal(problem, path=path, value=value)
    return Refusal(f"{details['msg'].lower()}, not {show(value)}", path=path, value=value)


def _keys_at(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys that the mapping at `loc` may have."""
    for part in loc:
        model = _part(model.model_fields[str(part)].annotation)
    return [field.alias or name for name, field in model.model_fields.items()]


def _literals(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The words that the key at `loc` may be."""
    for part in loc[:-1]:
        model = _part(model.model_fields[str(part)].annotation)
    return [str(word) for word in get_args(model.model_fields[str(loc[-1])].annotation)]


def _part(annotation: Any) -> type[BaseModel]:
    """The model in a field's annotation: itself, or the one beside None."""
    options = [annotation, *get_args(annotation)]
    return next(option for option in options if isinstance(option, type) and issubclass(option, BaseModel))


def _sibling(path: str, name: str) -> str:
    return ".".join([*path.split(".")[:-1], name])


def _is_missing(refusal: Refusal, meant: set[str]) -> bool:
    return refusal.problem == "required key is missing" and refusal.path in meant
