"""How population based training perturbs the values that a trial takes over: Jaderberg et al. 2017, section 4.1.1.

A number is multiplied by the factor or divided by it, and kept within its axis; with the probability `resample` it is drawn
anew instead. A choice has no neighbours: it is kept, or drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestrator.search.space import Axis, Choice, IntUniform, LogUniform, Uniform, draw, settings_of, uniform
from orchestrator.search.sums import Sum, six_digits

# Settings that a checkpoint does not hold and that no network is built by: these may change in the middle of a training.
LIVE = ("hyper.lr", "hyper.smoothing", "hyper.weight_decay")
LIVE_GROUPS = ("weights.", "balance.")


def is_live(axis: str) -> bool:
    """Whether a trial may go on with another value of this axis."""
    return axis in LIVE or axis.startswith(LIVE_GROUPS)


@dataclass(frozen=True)
class Explore:
    """Perturbs a donor's values; a pure function of them, the seed, the round and the trial."""

    axes: Mapping[str, Axis]
    seed: int
    factor: float
    resample: float

    def __call__(self, params: Mapping[str, Any], number: int, trial: int) -> dict[str, Any]:
        """The values to go on with after round `number`. Members of a sum are kept, or drawn anew together."""
        values = dict(params)
        for key, axis in self.axes.items():
            if all(name in params for name in settings_of(key, axis)):  # else it is not in force for this donor
                values |= self._perturb(key, axis, values, partial(self._chance, f"{trial}.{number}"))
        return values

    def _perturb(
        self, key: str, axis: Axis, values: Mapping[str, Any], chance: Callable[[str], float]
    ) -> dict[str, Any]:
        if chance(f"{key}/resample") < self.resample:
            return draw(key, axis, lambda name: chance(f"{name}/anew"))
        if isinstance(axis, Choice | Sum):
            return {}
        return {key: _moved(axis, values[key], self.factor if chance(f"{key}/up") < 0.5 else 1 / self.factor)}

    def _chance(self, key: str, name: str) -> float:
        """In [0, 1), by the round, the trial and what it is for."""
        return uniform(self.seed, f"{key}/{name}", 0)


def _moved(axis: Uniform | LogUniform | IntUniform, value: float, factor: float) -> float:
    """The value times `factor` within its axis; a whole number moves by 1 at least."""
    if isinstance(axis, IntUniform):
        step = max(1, abs(round(value * factor) - round(value)))
        return max(axis.lo, min(axis.hi, round(value) + (step if factor > 1 else -step)))
    return six_digits(value * factor, axis.lo, axis.hi)
