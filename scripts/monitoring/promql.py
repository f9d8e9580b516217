"""Expressions of PromQL, made from the declared series: a name or a label that nobody declared fails here, and is no empty panel.

The surprise is the clock: all times of rules run on it, so that the same rules can be tried at a hundredth of their time.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.monitoring.series import Kind, Series

Match = str | tuple[str, ...]  # a value, or a regular expression's alternatives: a variable of a dashboard is one
SWEEP = "sweep"  # a label of every series
BY_SWEEP, BY_TRIAL = "sweep", "sweep, trial"
UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


@dataclass(frozen=True)
class Clock:
    """How fast the time of the rules goes: 1 as it is, 0.01 a hundred times as fast."""

    scale: float = 1.0

    def span(self, seconds: float) -> str:
        """As a duration of PromQL, in the largest unit that divides it."""
        return span(seconds * self.scale)

    def number(self, seconds: float) -> str:
        """As a number of seconds, to compare ages with."""
        return f"{seconds * self.scale:g}"


def span(seconds: float) -> str:
    """A duration of PromQL, to the millisecond, in the largest unit that divides it."""
    ms = round(seconds * 1000)
    unit = next(unit for unit, size in UNITS_MS.items() if ms % size == 0 and ms >= size) if ms else "s"
    return f"{ms // UNITS_MS[unit]}{unit}"


def of(series: Series, **labels: Match) -> str:
    """The selector of a series with the values of these labels. An undeclared label is an AssertionError."""
    return _selector(series.name, (SWEEP, *series.labels), labels)


def _selector(name: str, known: tuple[str, ...], labels: dict[str, Match]) -> str:
    assert set(labels) <= set(known), f"{name} has no labels {sorted(set(labels) - set(known))}"
    said = [
        f'{label}="{value}"' if isinstance(value, str) else f'{label}=~"{"|".join(value)}"'
        for label, value in labels.items()
    ]
    return name + ("{" + ", ".join(said) + "}" if said else "")


def increase(series: Series, window: str, **labels: Match) -> str:
    """By how much a counter grew in a window; anything but a counter is an AssertionError."""
    assert series.kind is Kind.counter, series.name
    return f"increase({of(series, **labels)}[{window}])"


def rate(series: Series, window: str, **labels: Match) -> str:
    """By how much it grew a second."""
    assert series.kind is Kind.counter, series.name
    return f"rate({of(series, **labels)}[{window}])"


def total(expression: str, by: str = BY_SWEEP) -> str:
    """Its sum: over workers, reasons, and targets, of which a sweep has had several if its driver moved."""
    return f"sum by ({by}) ({expression})"


@dataclass(frozen=True)
class Recorded:
    """A recording rule: a series that alerts and dashboards share. labels: of its expression; fixed: that the rule adds."""

    name: str  # level:metric:operation
    expr: str
    labels: tuple[str, ...]
    fixed: tuple[tuple[str, str], ...] = ()

    def of(self, **labels: Match) -> str:
        """The selector, as `of` of a series."""
        return _selector(self.name, (*self.labels, *dict(self.fixed)), labels)


def recorded(level: str, series: Series, operation: str) -> str:
    """The name of what is recorded of a series."""
    return f"{level}:{series.name.removesuffix('_total')}:{operation}"
