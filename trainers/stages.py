"""What a training stands on: samples to measure first, and stages, trainings that come before it and that others share.

A stage is a system of its own with its own step, length and schedules. What it comes to is a function of its settings and its
data alone, so whoever needs the same one takes it from whoever trained it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from trainers.system import System

Weights = Mapping[str, Tensor]  # name of a parameter -> its value, on the CPU


class Statistics(Protocol):
    """Training samples to measure before the first step: whole pictures, unaugmented, the same on every machine."""

    def count(self, domain: str) -> int:
        """How many samples there are of a domain."""
        ...

    def image(self, domain: str, index: int) -> Tensor:
        """One picture: `[C,H,W]` in [-1, 1], on the CPU."""
        ...


def as_the_rest(hyper: Any) -> int | None:
    """No number of its own."""
    return None


@dataclass(frozen=True)
class Stage:
    """A training that comes before a system's own, by `system`, whose `stage` is this one's name.

    Of the hyper-parameters of the whole, `settings` makes those of the stage: only what it uses, since trials that differ
    elsewhere share what it comes to. steps: its length, 0: left out. batch, image: images a step and their side in pixels;
    None: as in the training that follows.
    """

    name: str
    meaning: str
    system: type[System]
    settings: Callable[[Any], Any]
    steps: Callable[[Any], int]
    batch: Callable[[Any], int | None] = as_the_rest
    image: Callable[[Any], int | None] = as_the_rest


def fields_for(declared: type[Any], hyper: Any) -> Any:
    """The hyper-parameters `declared`, with the values that those of the whole, which inherit them, have."""
    return declared(**{field.name: getattr(hyper, field.name) for field in dataclasses.fields(declared)})
