"""Search spaces: what an axis may be, and which values a trial gets.

Trial `index` of a random search is a pure function of (seed, axis name, index): no generator is kept
between trials, so a resumed sweep proposes what it would have proposed, and adding an axis leaves the draws
of the others alone. What a draw needs is a coordinate in [0, 1]; for a sum over n settings, n - 1 of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.errors import nearest, show
from orchestrator.search.conditions import (
    When,
    holds,
    in_force,
    is_same,
    parents_first,
    read_options,
    read_when,
    spell_when,
    told,
)
from orchestrator.search.sums import Sum, members, number_in, six_digits
from orchestrator.sweep_file.quantities import LARGEST_COUNT, plain_number

Scalar = bool | int | float | str
LARGEST_GRID = 100_000  # points; more is a slip of the pen, and nobody could train them


@dataclass(frozen=True)
class Choice:
    """One of `options`, all equally likely."""

    options: tuple[Scalar, ...]
    when: When = ()

    def at(self, u: float) -> Scalar:
        """The option at `u` in [0, 1]."""
        return self.options[min(int(u * len(self.options)), len(self.options) - 1)]

    def of(self, value: object) -> float | None:
        """The middle of the part of [0, 1] where `at` says `value`; None for what is no option."""
        found = [index for index, option in enumerate(self.options) if is_same(option, value)]
        return (found[0] + 0.5) / len(self.options) if found else None

    def extremes(self) -> tuple[Scalar, ...]:
        """Values that stand for all: what holds for them holds for every draw."""
        return self.options

    def __str__(self) -> str:
        return f"choice of {', '.join(show(option) for option in self.options)}{told(self.when)}"


@dataclass(frozen=True)
class _Range:
    lo: float
    hi: float
    when: When = ()

    def extremes(self) -> tuple[Scalar, ...]:
        """Values that stand for all: what holds for them holds for every draw."""
        return (self.lo, self.hi)


@dataclass(frozen=True)
class Uniform(_Range):
    """A number between `lo` and `hi`."""

    def at(self, u: float) -> float:
        """The number at `u` in [0, 1], to 6 digits."""
        return six_digits(self.lo * (1 - u) + self.hi * u, self.lo, self.hi)

    def of(self, value: object) -> float | None:
        """Where in [0, 1] `at` says `value`; None outside the range."""
        number = number_in(value, self.lo, self.hi)
        return None if number is None else _part(number, self.lo, self.hi)

    def __str__(self) -> str:
        return f"uniform from {self.lo:g} to {self.hi:g}{told(self.when)}"


@dataclass(frozen=True)
class LogUniform(_Range):
    """A number between `lo` and `hi`, both above 0: each factor of 10 is equally likely."""

    def at(self, u: float) -> float:
        """The number at `u` in [0, 1], to 6 digits."""
        return six_digits(math.exp(math.log(self.lo) * (1 - u) + math.log(self.hi) * u), self.lo, self.hi)

    def of(self, value: object) -> float | None:
        """Where in [0, 1] `at` says `value`; None outside the range."""
        number = number_in(value, self.lo, self.hi)
        return None if number is None else _part(math.log(number), math.log(self.lo), math.log(self.hi))

    def __str__(self) -> str:
        return f"log-uniform from {self.lo:g} to {self.hi:g}{told(self.when)}"


@dataclass(frozen=True)
class IntUniform(_Range):
    """A whole number from `lo` to `hi`, both included."""

    lo: int
    hi: int

    def at(self, u: float) -> int:
        """The number at `u` in [0, 1]."""
        return min(self.hi, self.lo + int(u * (self.hi - self.lo + 1)))

    def of(self, value: object) -> float | None:
        """The middle of the part of [0, 1] where `at` says `value`; None outside the range and between two."""
        number = number_in(value, self.lo, self.hi)
        return None if number is None or number != int(number) else (number - self.lo + 0.5) / (self.hi - self.lo + 1)

    def __str__(self) -> str:
        return f"whole numbers from {self.lo} to {self.hi}{told(self.when)}"


Axis = Choice | Uniform | LogUniform | IntUniform | Sum
KINDS = ("choice", "uniform", "log_uniform", "int_uniform", "sum")


def sample(axes: Mapping[str, Axis], seed: int, index: int) -> dict[str, Scalar]:
    """The values that trial `index` of the random search with `seed` gets, one for each setting of each axis in force."""
    values: dict[str, Scalar] = {}
    for key, axis in axes.items():
        values |= draw(key, axis, lambda name: uniform(seed, name, index))
    return keep(axes, values)


def draw(key: str, axis: Axis, coordinate: Callable[[str], float]) -> dict[str, Scalar]:
    """What the axis named `key` says at its coordinates: setting -> value. `coordinate` gives the one with that name."""
    if isinstance(axis, Sum):
        names = members(key)
        return dict(zip(names, axis.at([coordinate(name) for name in names[:-1]]), strict=True))
    return {key: axis.at(coordinate(key))}


def locate(key: str, axis: Axis, values: Mapping[str, Any]) -> dict[str, float] | None:
    """The coordinates, by name, at which `draw` says `values`; None where one is missing or lies outside the axis."""
    if isinstance(axis, Sum):
        names = members(key)
        us = axis.of([values.get(name) for name in names])
        return None if us is None else dict(zip(names, us, strict=False))
    u = axis.of(values.get(key))
    return None if u is None else {key: u}


def keep(axes: Mapping[str, Axis], values: Mapping[str, Any]) -> dict[str, Scalar]:
    """Those of `values` that belong to an axis in force, in the axes' order."""
    names = (name for key, axis in in_force(axes, values).items() for name in settings_of(key, axis))
    return {name: values[name] for name in names if name in values}


def settings_of(key: str, axis: Axis) -> tuple[str, ...]:
    """The settings that the axis named `key` sets: the members of a sum, else the one it is named after."""
    return members(key) if isinstance(axis, Sum) else (key,)


def grid(axes: Mapping[str, Choice]) -> list[dict[str, Scalar]]:
    """Every combination of the options of the axes in force; the last axis turns fastest.

    Raises:
        ValueError: more than LARGEST_GRID combinations.
    """
    points: list[dict[str, Scalar]] = [{}]
    for key in parents_first(axes):
        options, when = axes[key].options, axes[key].when
        met = [holds(when, point) for point in points]
        if len(points) + sum(met) * (len(options) - 1) > LARGEST_GRID:
            raise ValueError(f"the grid has more than {LARGEST_GRID} points; use searcher: random")
        lots = [[{**p, key: one} for one in options] if held else [p] for p, held in zip(points, met, strict=True)]
        points = [point for lot in lots for point in lot]
    return [{key: point[key] for key in axes if key in point} for point in points]


def read_axis(value: object) -> Axis:
    """The axis that a sweep file spells: `{choice: [...]}`, `{uniform: [lo, hi]}` and the like, perhaps with `when` beside it.

    Raises:
        ValueError: one clause that says what is wrong and what would be right.
    """
    kinds = [kind for kind in value if kind != "when"] if isinstance(value, dict) else []
    if not isinstance(value, dict) or len(kinds) != 1:
        raise ValueError(
            f"must be a distribution, such as {{uniform: [1, 9]}}, not {show(value)}; has: {', '.join(KINDS)}"
        )
    kind, values = kinds[0], value[kinds[0]]
    if kind not in KINDS:
        near = nearest(str(kind), KINDS)
        hint = f"; nearest: {near}" if near else ""
        raise ValueError(f"unknown distribution {show(kind)}{hint}; has: {', '.join(KINDS)}")
    axis = _sum(values) if kind == "sum" else _listed(kind, values)
    return replace(axis, when=read_when(value["when"])) if "when" in value else axis


def spell_axis(axis: Axis) -> dict[str, Any]:
    """The axis as a sweep file spells it: `read_axis` gives it back."""
    kinds = {Choice: "choice", Uniform: "uniform", LogUniform: "log_uniform", IntUniform: "int_uniform", Sum: "sum"}
    values = axis.total if isinstance(axis, Sum) else list(axis.extremes())
    return {kinds[type(axis)]: values, **({"when": spell_when(axis.when)} if axis.when else {})}


def _sum(value: object) -> Sum:
    total = plain_number(value)
    if total is None or total <= 0:
        raise ValueError(f"sum must be a number above 0, such as {{sum: 10}}, not {show(value)}")
    return Sum(total)


def _listed(kind: str, values: object) -> Axis:
    if not isinstance(values, list):
        raise ValueError(f"{kind} must be a list, not {show(values)}")
    return Choice(read_options(kind, values)) if kind == "choice" else _range(kind, values)


def _range(kind: str, values: list[object]) -> Axis:
    numbers = [number for number in map(plain_number, values) if number is not None]
    if len(values) != 2 or len(numbers) != 2:
        raise ValueError(f"{kind} must be two numbers [lowest, highest], not {show(values)}")
    lo, hi = numbers
    if lo >= hi:
        raise ValueError(f"{kind} must go from the lower to the higher number, not from {lo:g} to {hi:g}")
    if kind == "int_uniform":
        if lo != int(lo) or hi != int(hi) or max(-lo, hi) > LARGEST_COUNT:
            raise ValueError(f"int_uniform must be two whole numbers, not {show(values)}")
        return IntUniform(int(lo), int(hi))
    if kind == "log_uniform":
        if lo <= 0:
            raise ValueError(f"log_uniform must start above 0, not at {lo:g}; use uniform to include 0")
        return LogUniform(lo, hi)
    return Uniform(lo, hi)


def _part(number: float, lo: float, hi: float) -> float:
    """How far `number` lies from `lo` to `hi`, in [0, 1]."""
    scale = max(abs(lo), abs(hi), math.ulp(0.0))  # the difference of two numbers may be too large for one
    width = hi / scale - lo / scale
    return min(max((number / scale - lo / scale) / width, 0.0), 1.0) if width > 0 else 0.5


def uniform(seed: int, name: str, index: int) -> float:
    """A number in [0, 1) with 53 random bits that depends on all three arguments and on nothing else."""
    digest = hashlib.blake2b(f"{seed}/{index}/{name}".encode(), digest_size=8, person=b"i2i-search").digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
