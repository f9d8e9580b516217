"""Who computes the signs of health: a judge beside those of the scores, from the same chunks, through the same tables.

So they are the same to the bit on any number of workers, and cost no pass of any network.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainers.health import SPREAD, Sign, signs_of
from trainers.measures import l1, unit
from trainers.rows import Rows
from trainers.samples import Chunk, Viewer

SIDE = 8  # pixels of a picture's side where spreads are taken: noise and texture average out, and are no difference
MOST = 1_024  # pictures that a spread is of, the first ones; its table stays small however many samples there are
LEAST_SPREAD = 1 / 255  # of the real pictures, a grey level: those that are all alike are no measure of anything


class Health:
    """Fills a row for each picture: what it looks like from afar, and how far it is from its input."""

    def __init__(self, viewer: Viewer, rows: Rows) -> None:
        shapes, shows = viewer.engine.shapes, viewer.system.shows
        signs = signs_of(shows, viewer.domains)
        self._rows = rows
        self._spreads = [sign for sign in signs if sign.metric.startswith(SPREAD)]
        self._changes = [
            sign
            for sign in signs
            if sign not in self._spreads and shapes[sign.against] == shapes[sign.of.removeprefix("fake_")]
        ]
        self._pooled = {name for sign in self._spreads for name in (sign.of, sign.against)}
        for sign in self._spreads:
            for name in (sign.of, sign.against):
                rows.reserve(_table(name), min(viewer.longest, MOST), shapes[sign.against][0] * SIDE * SIDE)
        for sign in self._changes:
            rows.reserve(sign.metric, viewer.longest)

    def look(self, chunk: Chunk) -> None:
        """The rows of one chunk."""
        pictures = {**chunk.images, **chunk.shown}
        for name in self._pooled & pictures.keys():
            seen = pooled(pictures[name][: max(0, MOST - chunk.start)])
            self._rows.put(_table(name), range(chunk.start, chunk.start + len(seen)), seen)
        for sign in self._changes:
            if sign.of in pictures and sign.against in pictures:
                values = l1(pictures[sign.of], pictures[sign.against])
                self._rows.put(sign.metric, range(chunk.start, chunk.start + len(values)), values)

    def totals(self) -> dict[str, float]:
        """Metric -> value, of those that could be computed; called when every worker's rows are there."""
        found = {sign.metric: self._ratio(sign) for sign in self._spreads}
        found |= {sign.metric: self._rows.mean(sign.metric) for sign in self._changes}
        return {metric: value for metric, value in found.items() if value is not None}

    def _ratio(self, sign: Sign) -> float | None:
        made, real = (self._rows.filled(_table(name)) for name in (sign.of, sign.against))
        if min(len(made), len(real)) < 2 or (whole := spread(real)) < LEAST_SPREAD:
            return None
        return spread(made) / whole


def pooled(images: Tensor) -> Tensor:
    """`[N,C,H,W]` in [-1, 1] -> `[N,C*8*8]` in [0, 1]: the means over the areas of an 8 x 8 grid."""
    small: Tensor = torch.nn.functional.adaptive_avg_pool2d(unit(images), SIDE)
    return small.flatten(1)


def spread(rows: Tensor) -> float:
    """`[n,F]`, n at least 2: the mean over the columns of their standard deviation (divided by n - 1)."""
    return float(rows.std(0).mean())


def _table(name: str) -> str:
    return f"{name} from afar"
