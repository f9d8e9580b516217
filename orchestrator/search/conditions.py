"""Conditions in a search: an axis with `when: {hyper.penalty: [gp, lp]}` is in force in those trials alone.

An axis that hangs on one that is not in force is not in force either, whatever the preset holds there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from orchestrator.errors import show

# (setting, the values with which the axis is in force) for each setting that decides about an axis; all must agree.
When = tuple[tuple[str, tuple[bool | int | float | str, ...]], ...]


class Conditional(Protocol):
    """What has a condition."""

    @property
    def when(self) -> When: ...


C = TypeVar("C", bound=Conditional)


def parents_first(axes: Mapping[str, C]) -> list[str]:
    """The axes' names in the order written, except that each comes after those that decide about it. Circles end somewhere."""
    ordered: dict[str, None] = {}
    seen: set[str] = set()

    def visit(key: str) -> None:
        if key not in seen:
            seen.add(key)
            for parent, _ in axes[key].when:
                if parent in axes:
                    visit(parent)
            ordered[key] = None

    for key in axes:
        visit(key)
    return list(ordered)


def in_force(axes: Mapping[str, C], values: Mapping[str, Any]) -> dict[str, C]:
    """The axes whose conditions hold with `values`, in the order written. A setting that is no axis decides against."""
    found: dict[str, C] = {}
    for key in parents_first(axes):
        if holds(axes[key].when, {parent: values.get(parent) for parent in found}):
            found[key] = axes[key]
    return {key: axis for key, axis in axes.items() if key in found}


def holds(when: When, values: Mapping[str, Any]) -> bool:
    """Whether each setting of the condition has one of its values."""
    return all(any(is_same(values.get(parent), wanted) for wanted in options) for parent, options in when)


def is_same(one: object, other: object) -> bool:
    """Equality of settings: 1 is 1.0, but not true, though Python says so."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def read_options(what: str, values: list[Any]) -> tuple[bool | int | float | str, ...]:
    """The different single values of a list in a sweep file.

    Raises:
        ValueError: the list is empty, repeats itself or holds something else; `what` is its name there.
    """
    if not values:
        raise ValueError(f"{what} must name at least one value")
    options: dict[tuple[bool, Any], Any] = {}
    for value in values:
        if not isinstance(value, bool | int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"{what} must hold numbers, words, true or false, not {show(value)}")
        kind = (isinstance(value, bool), value)  # True == 1 in Python, but not in a sweep
        if kind in options:
            raise ValueError(f"{what} names {show(value)} twice")
        options[kind] = value
    return tuple(options.values())


def read_when(value: object) -> When:
    """The condition that a sweep file spells: each setting with one value or a list of them.

    Raises:
        ValueError: one clause that says what is wrong and what would be right.
    """
    if not isinstance(value, dict) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError(f"when must be a mapping, such as {{hyper.penalty: [gp, lp]}}, not {show(value)}")
    return tuple(
        (name, read_options(f"when {name}", options if isinstance(options, list) else [options]))
        for name, options in value.items()
    )


def spell_when(when: When) -> dict[str, list[Any]]:
    """The condition as a sweep file spells it: `read_when` gives it back."""
    return {name: list(options) for name, options in when}


def told(when: When) -> str:
    """The condition as the end of a sentence; "" where there is none."""
    clauses = (f"{name} is {' or '.join(show(option) for option in options)}" for name, options in when)
    return f" where {' and '.join(clauses)}" if when else ""
