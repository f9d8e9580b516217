"""Fixed sums in a search: `weights.a + weights.b: {sum: 10}` divides 10 between the two, and every division is equally likely.

What matters of two weights is often only their ratio, and a fixed sum searches that alone. The settings are named in the
axis's key, so a Sum knows only the total.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.search.conditions import When, told
from orchestrator.sweep_file.quantities import plain_number

TOLERANCE = 1e-5  # relative: the parts are given to 6 digits, so they do not add up exactly


@dataclass(frozen=True)
class Sum:
    """Numbers of at least 0 that add up to `total`, one for each setting that the axis's key names.

    A stick of length `total` is broken n - 1 times: with k settings to come after this one, it gets the share
    1 - (1 - u)^(1/k) of what is left, a draw of Beta(1, k). That is the uniform law on the simplex, as n normalised exponential
    draws have it, but n - 1 coordinates suffice, so they can be told from the values.
    Source: Devroye, Non-Uniform Random Variate Generation (1986), chapter XI.4.
    """

    total: float
    when: When = ()

    def at(self, us: Sequence[float]) -> list[float]:
        """The n numbers at the n - 1 coordinates `us`, each in [0, 1], to 6 digits; the last one is what is left."""
        rest, values = self.total, []
        for after, u in zip(range(len(us), 0, -1), us, strict=True):
            values.append(six_digits(rest * (1 - (1 - u) ** (1 / after)), 0.0, self.total))
            rest = max(0.0, rest - values[-1])
        return [*values, six_digits(rest, 0.0, self.total)]

    def of(self, values: Sequence[object]) -> list[float] | None:
        """The coordinates where `at` says `values`; None for what is no division of `total`. 0.5 for a share of nothing."""
        numbers = [number_in(value, 0.0, math.inf) for value in values]
        parts = [number for number in numbers if number is not None]
        if len(parts) < len(numbers) or not math.isclose(math.fsum(parts), self.total, rel_tol=TOLERANCE):
            return None
        us = []
        for index, part in enumerate(parts[:-1]):
            rest = math.fsum(parts[index:])  # the total less the earlier parts would lose a small rest in their digits
            us.append(1 - (1 - part / rest) ** (len(parts) - 1 - index) if rest > 0 else 0.5)
        return us

    def extremes(self) -> tuple[float, ...]:
        """Values that stand for all: what holds for them holds for every draw of a single setting."""
        return (0.0, self.total)

    def __str__(self) -> str:
        return f"fixed sum of {self.total:g}{told(self.when)}"


def members(key: str) -> tuple[str, ...]:
    """The settings that a sum of this name divides its total between: `a + b` names two."""
    return tuple(name.strip() for name in key.split("+"))


def number_in(value: object, lo: float, hi: float) -> float | None:
    """The number that `value` is, where it lies from `lo` to `hi`; else None."""
    number = plain_number(value)
    return number if number is not None and lo <= number <= hi else None


def six_digits(value: float, lo: float, hi: float) -> float:
    """`value` as a table shows it, so that a winning setting copied from a report is the setting that won."""
    return min(max(float(f"{value:.6g}"), lo), hi)
