"""Angles: what a class's name says of them, how far a reading is off, and what is left of that after the best turn and mirroring.

Angles are in degrees and have no beginning: 359 and 1 are 2 apart. Whoever translates without pairs cannot know which way round the
other domain is, so a translation that turns every picture by the same angle, or mirrors all of them, is as right as one can be: its
readings are wrong, and its spread is 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

FULL = 360.0
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
SEPARATOR = ","  # between the classes of a setting; no number holds one
# Below it a mean of unit vectors is what their sum was rounded by; it bounds the spread by 486 degrees, and keeps it finite.
LEAST_LENGTH = 2.0**-52


def degrees_of(names: Sequence[str]) -> tuple[float, ...]:
    """The angles that classes are named after, such as "015" or "-7.5". Raises NoAngle for a name that is no number."""
    for name in names:
        if not NUMBER.fullmatch(name):
            raise NoAngle(name)
    return tuple(float(name) for name in names)


class NoAngle(ValueError):
    """A class whose name is no number of degrees: `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is no number of degrees")
        self.name = name


def units(degrees: Sequence[float]) -> Tensor:
    """Angles -> `[n,2]` float32: their cosines and sines."""
    radians = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([radians.cos(), radians.sin()], 1).float()


def angles_of(said: Tensor) -> Tensor:
    """Pairs (cosine, sine) of any length, `[N,2]` -> the angles that they point to, `[N]` float64 on the CPU, from -180 to 180."""
    cosine, sine = said.double().cpu().unbind(1)
    return torch.atan2(sine, cosine).rad2deg()


def off(said: Tensor, truth: Tensor) -> Tensor:
    """Angles twice, `[N]` -> `[N]`: how many degrees are between them, 0 to 180."""
    apart = (said - truth).remainder(FULL)
    return torch.minimum(apart, FULL - apart)


def spread(said: Tensor, truth: Tensor) -> float:
    """Angles twice, `[N]` with N at least 1 -> the circular standard deviation of what is read less what is true, or of their sum
    where that is less, in degrees.

    sqrt(-2 ln R), R = |mean of exp(i (said - s truth))|, over s = 1 and s = -1 (Mardia, "Statistics of Directional Data", 1972).
    """
    return min(_deviation(said - truth), _deviation(said + truth))


def _deviation(degrees: Tensor) -> float:
    radians = degrees.double().deg2rad()
    length = math.hypot(float(radians.cos().mean()), float(radians.sin().mean()))
    return math.degrees(math.sqrt(2.0 * abs(math.log(min(max(length, LEAST_LENGTH), 1.0)))))
