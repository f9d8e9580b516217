"""Search spaces: what an axis may be, and which values a trial gets.

Trial `index` of a random search is a pure function of (seed, axis name, index): no generator is kept
between trials, so a resumed sweep proposes what it would have proposed, and adding an axis leaves the draws
of the others alone.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import nearest, show
from orchestrator.quantities import LARGEST_COUNT, plain_number

Scalar = bool | int | float | str
LARGEST_GRID = 100_000  # points; more is a slip of the pen, and nobody could train them


@dataclass(frozen=True)
class Choice:
    """One of `options`, all equally likely."""

    options: tuple[Scalar, ...]

    def at(self, u: float) -> Scalar:
        """The option at `u` in [0, 1)."""
        return self.options[int(u * len(self.options))]

    def extremes(self) -> tuple[Scalar, ...]:
        """Values that stand for all: what holds for them holds for every draw."""
        return self.options

    def __str__(self) -> str:
        return f"choice of {', '.join(show(option) for option in self.options)}"


@dataclass(frozen=True)
class Uniform:
    """A number between `lo` and `hi`."""

    lo: float
    hi: float

    def at(self, u: float) -> float:
        """The number at `u` in [0, 1), to 6 digits."""
        return _six_digits(self.lo * (1 - u) + self.hi * u, self.lo, self.hi)

    def extremes(self) -> tuple[Scalar, ...]:
        """Values that stand for all: what holds for them holds for every draw."""
        return (self.lo, self.hi)

    def __str__(self) -> str:
        return f"uniform from {self.lo:g} to {self.hi:g}"


@dataclass(frozen=True)
class LogUniform:
    """A number between `lo` and `hi`, both above 0: each factor of 10 is equally likely."""

    lo: float
    hi: float

    def at(self, u: float) -> float:
        """The number at `u` in [0, 1), to 6 digits."""
        return _six_digits(math.exp(math.log(self.lo) * (1 - u) + math.log(self.hi) * u), self.lo, self.hi)

    def extremes(self) -> tuple[Scalar, ...]:
        """Values that stand for all: what holds for them holds for every draw."""
        return (self.lo, self.hi)

    def __str__(self) -> str:
        return f"log-uniform from {self.lo:g} to {self.hi:g}"


@dataclass(frozen=True)
class IntUniform:
    """A whole number from `lo` to `hi`, both included."""

    lo: int
    hi: int

    def at(self, u: float) -> int:
        """The number at `u` in [0, 1)."""
        return min(self.hi, self.lo + int(u * (self.hi - self.lo + 1)))

    def extremes(self) -> tuple[Scalar, ...]:
        """Values that stand for all: what holds for them holds for every draw."""
        return (self.lo, self.hi)

    def __str__(self) -> str:
        return f"whole numbers from {self.lo} to {self.hi}"


Axis = Choice | Uniform | LogUniform | IntUniform
KINDS = ("choice", "uniform", "log_uniform", "int_uniform")


def sample(axes: Mapping[str, Axis], seed: int, index: int) -> dict[str, Scalar]:
    """The values that trial `index` of the random search with `seed` gets, one for each axis name."""
    return {name: axis.at(_uniform(seed, name, index)) for name, axis in axes.items()}


def grid(axes: Mapping[str, Choice]) -> list[dict[str, Scalar]]:
    """Every combination of the axes' options; the last axis turns fastest.

    Raises:
        ValueError: more than LARGEST_GRID combinations.
    """
    points = math.prod(len(axis.options) for axis in axes.values())
    if points > LARGEST_GRID:
        raise ValueError(f"the grid has {points} points; at most {LARGEST_GRID} are possible, use searcher: random")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*(a.options for a in axes.values()))]


def read_axis(value: object) -> Axis:
    """The axis that a sweep file spells: `{choice: [...]}`, or `{uniform: [lo, hi]}` and its relatives.

    Raises:
        ValueError: one clause that says what is wrong and what would be right.
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(
            f"must be a distribution, such as {{uniform: [1, 9]}}, not {show(value)}; has: {', '.join(KINDS)}"
        )
    [(kind, values)] = value.items()
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        hint = f"; nearest: {near}" if near else ""
        raise ValueError(f"unknown distribution {show(kind)}{hint}; has: {', '.join(KINDS)}")
    if not isinstance(values, list):
        raise ValueError(f"{kind} must be a list, not {show(values)}")
    return _choice(values) if kind == "choice" else _range(kind, values)


def spell_axis(axis: Axis) -> dict[str, list[Scalar]]:
    """The axis as a sweep file spells it: `read_axis` gives it back."""
    kinds = {Choice: "choice", Uniform: "uniform", LogUniform: "log_uniform", IntUniform: "int_uniform"}
    return {kinds[type(axis)]: list(axis.extremes())}


def _choice(values: list[object]) -> Choice:
    if not values:
        raise ValueError("choice must name at least one value")
    options: dict[tuple[bool, Scalar], Scalar] = {}
    for value in values:
        if not isinstance(value, bool | int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"choice must hold numbers, words, true or false, not {show(value)}")
        kind = (isinstance(value, bool), value)  # True == 1 in Python, but not in a sweep
        if kind in options:
            raise ValueError(f"choice names {show(value)} twice")
        options[kind] = value
    return Choice(tuple(options.values()))


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


def _uniform(seed: int, name: str, index: int) -> float:
    """A number in [0, 1) with 53 random bits that depends on all three arguments and on nothing else."""
    digest = hashlib.blake2b(f"{seed}/{index}/{name}".encode(), digest_size=8, person=b"i2i-search").digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def _six_digits(value: float, lo: float, hi: float) -> float:
    """`value` as a table shows it, so that a winning setting copied from a report is the setting that won."""
    return min(max(float(f"{value:.6g}"), lo), hi)
