"""What a task network reads in pictures that are there already, held against the classes that are told of them or their pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from trainers.angles import angles_of, off, spread
from trainers.label_maps import fcn_scores, share, tallies
from trainers.outputs import ANGLES, LOGITS, PIXELS

FAKE, INPUT = "fake", "input"
NO_CLASS = -1


@dataclass(frozen=True)
class Found:
    """A score, of `n` pictures (of each kind the fewest). spread: the standard deviation over pictures, subsets or parts; None
    where there is none."""

    value: float
    n: int
    spread: float | None = None


@dataclass
class Values:
    """A number for each picture, or pair of pictures."""

    parts: list[Tensor] = field(default_factory=list)

    def add(self, values: Tensor) -> None:
        self.parts.append(values.double().cpu())

    @property
    def all(self) -> Tensor:
        return torch.cat(self.parts) if self.parts else torch.empty(0, dtype=torch.float64)

    def found(self) -> Found:
        every = self.all
        return Found(float(every.mean()), len(every), float(every.std(correction=0)))


class Readings(Protocol):
    """What was read of pictures of each kind."""

    def add(self, kind: str, rows: Mapping[str, Tensor], classes: Tensor) -> None:
        """Outputs `[N,...]` by name of pictures of a kind, and their classes, `[N]` or of pixels `[N,H,W]`; NO_CLASS where nobody
        knows."""

    def scores(self) -> dict[str, Found]:
        """Name -> score, of those that could be computed."""


class Classes:
    """Of a network that tells classes: how many it reads right."""

    NAMES: Mapping[str, str] = {FAKE: "task_accuracy", INPUT: "task_accuracy_input"}

    def __init__(self) -> None:
        self._right = {kind: Values() for kind in self.NAMES}

    def add(self, kind: str, rows: Mapping[str, Tensor], classes: Tensor) -> None:
        if kind in self.NAMES and LOGITS in rows:
            read, known = rows[LOGITS].argmax(1).cpu(), classes != NO_CLASS
            self._right[kind].add((read == classes)[known])

    def scores(self) -> dict[str, Found]:
        return {self.NAMES[kind]: right.found() for kind, right in self._right.items() if len(right.all)}


class Angles:
    """Of a network that reads angles: how far it is off, and what the best turn and mirroring leave of that. degrees: the angle of
    each class."""

    NAMES: Mapping[str, str] = {FAKE: "angle_error", INPUT: "angle_error_input"}
    LEAST = 2  # pictures that a spread needs

    def __init__(self, degrees: Sequence[float]) -> None:
        self._degrees = torch.tensor(degrees, dtype=torch.float64)
        self._said, self._truth = ({kind: Values() for kind in self.NAMES} for _ in range(2))

    def add(self, kind: str, rows: Mapping[str, Tensor], classes: Tensor) -> None:
        if kind in self.NAMES and ANGLES in rows:
            known = classes != NO_CLASS
            self._said[kind].add(angles_of(rows[ANGLES])[known])
            self._truth[kind].add(self._degrees[classes[known]])

    def scores(self) -> dict[str, Found]:
        found = {}
        for kind, name in self.NAMES.items():
            said, truth = self._said[kind].all, self._truth[kind].all
            if len(said):
                found[name] = Values([off(said, truth)]).found()
            if kind == FAKE and len(said) >= self.LEAST:
                found["angle_spread"] = Found(spread(said, truth), len(said))
        return found


class Pixels:
    """Of a network that tells pixels apart: how many it reads as a label map says, and the scores of FCN. classes: how many."""

    NAMES: Mapping[str, str] = Classes.NAMES

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._right = {kind: Values() for kind in self.NAMES}
        self._tallies = Values()

    def add(self, kind: str, rows: Mapping[str, Tensor], classes: Tensor) -> None:
        if kind in self.NAMES and PIXELS in rows:
            read = rows[PIXELS].argmax(1).cpu()
            self._right[kind].add(share(read, classes))
            if kind == FAKE:
                self._tallies.add(tallies(read, classes, self._classes))

    def scores(self) -> dict[str, Found]:
        found = {self.NAMES[kind]: right.found() for kind, right in self._right.items() if len(right.all)}
        every = self._tallies.all
        return found | ({name: Found(of, len(every)) for name, of in fcn_scores(every).items()} if len(every) else {})
