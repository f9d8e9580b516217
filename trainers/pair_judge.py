"""What becomes of the distances between pictures: Benaim, Wolf, "One-Sided Unsupervised Domain Mapping", NIPS 2017, figure 2; and
how far outputs collapse.

Pairs are of pictures of one chunk: of 8 pictures 28 pairs. So nothing grows with the square of their number, and the pairs are the
same ones every time, on any number of workers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainers.distances import half_distances, pair_distances
from trainers.judges import Scores
from trainers.measures import unit
from trainers.rows import Rows
from trainers.samples import CHUNK, Chunk, Viewer

PAIRS = CHUNK * (CHUNK - 1) // 2  # rows that a chunk fills
CORRELATION, HALVES, COLLAPSE = "distance_correlation", "distance_correlation_halves", "collapse"
AXIS = "width"  # the two halves of a picture stand side by side


class Pairs:
    """Fills a row for each pair of pictures of a chunk, and one for the halves of each picture."""

    def __init__(self, scores: Scores, viewer: Viewer, rows: Rows) -> None:
        self._rows = rows
        self._scores = {name: scores[name] for name in (CORRELATION, HALVES, COLLAPSE) if name in scores}
        self._of = dict.fromkeys(place for score in self._scores.values() for place in (score.of, score.against))
        for picture in self._of:
            rows.reserve(_pairs(picture), -(-viewer.longest // CHUNK) * PAIRS)
            rows.reserve(_halves(picture), viewer.longest)

    def look(self, chunk: Chunk) -> None:
        pictures = {**chunk.images, **chunk.shown}
        for picture in self._of:
            if picture in pictures:
                seen = unit(pictures[picture])
                pairs, halves = pair_distances(seen), half_distances(seen, AXIS)
                places = [chunk.number * PAIRS + place for place in _places(len(seen))]
                self._rows.put(_pairs(picture), places, pairs)
                self._rows.put(_halves(picture), range(chunk.start, chunk.start + len(seen)), halves)

    def totals(self) -> dict[str, float]:
        found: dict[str, float | None] = {}
        for name, score in self._scores.items():
            table = _halves if name == HALVES else _pairs
            if name == COLLAPSE:
                made, real = (self._rows.mean(table(place)) for place in (score.of, score.against))
                found[name] = made / real if made is not None and real else None
            else:
                found[name] = correlation(*self._rows.both(table(score.against), table(score.of)))
        return {name: value for name, value in found.items() if value is not None}


def correlation(x: Tensor, y: Tensor) -> float | None:
    """Pearson's, of `[n]` twice; None where either does not vary."""
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    scale = x.square().sum().sqrt() * y.square().sum().sqrt()
    return float((x * y).sum() / scale) if len(x) > 1 and float(scale) != 0.0 else None


def _places(count: int) -> list[int]:
    """Where the pairs i < j of `count` pictures stand among those of a whole chunk: pair (i, j) of fewer is the same one."""
    whole = torch.zeros(CHUNK, CHUNK, dtype=torch.int64)
    one, other = torch.triu_indices(CHUNK, CHUNK, 1).unbind()
    whole[one, other] = torch.arange(PAIRS)
    one, other = torch.triu_indices(count, count, 1).unbind()
    return [int(place) for place in whole[one, other]]


def _pairs(picture: str) -> str:
    return f"distances of two {picture}"


def _halves(picture: str) -> str:
    return f"distances of the halves of {picture}"
