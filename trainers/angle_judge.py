"""The scores of a task network that reads angles: how far readings are off, and what the best turn and mirroring leave of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from trainers.angles import angles_of, off, spread
from trainers.features import TaskNetwork
from trainers.judges import Scores, put
from trainers.measures import saved
from trainers.outputs import ANGLES
from trainers.rows import Rows
from trainers.samples import Chunk, Viewer

ERRORS = "angle_error", "angle_error_input"
SPREAD = "angle_spread"


class Angles:
    """A task network that reads angles. It sees pictures as they would be saved, in fp32. degrees: the angle of each class."""

    def __init__(self, scores: Scores, viewer: Viewer, rows: Rows, task: TaskNetwork, degrees: Sequence[float]) -> None:
        self._rows, self._task, self._degrees = rows, task, torch.tensor(degrees, dtype=torch.float64)
        self._scores = {name: score for name, score in scores.items() if score.output == ANGLES}
        for name in self._scores:
            rows.reserve(name, viewer.longest, 2 if name == SPREAD else 1)

    def look(self, chunk: Chunk) -> None:
        pictures = {**chunk.images, **chunk.shown}
        for picture in dict.fromkeys(score.of for score in self._scores.values() if score.of in pictures):
            said = angles_of(self._task(saved(pictures[picture])))
            for name, score in self._scores.items():
                if score.of == picture:
                    labels = chunk.labels[score.against]
                    known = [i for i, label in enumerate(labels.tolist()) if label >= 0]
                    read, truth = said[known], self._degrees[labels[known]]
                    values = off(read, truth) if name in ERRORS else torch.stack([read, truth], 1)
                    put(self._rows, name, chunk, values, known)

    def totals(self) -> dict[str, float]:
        table = self._rows.filled(SPREAD) if SPREAD in self._scores else torch.empty(0)
        return {SPREAD: spread(*table.unbind(1))} if len(table) else {}
