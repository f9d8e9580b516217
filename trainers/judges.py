"""Who fills the tables of an evaluation: each judge the rows of the scores that it can give, from one chunk at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from trainers.features import Network, TaskNetwork
from trainers.label_maps import fcn_scores, share, tallies
from trainers.measures import MEASURES, angle, l1, nearest, saved, spread
from trainers.outputs import FEATURES, PIXELS
from trainers.rows import Rows
from trainers.samples import Chunk, Viewer
from trainers.settings import Score

Scores = Mapping[str, Score]  # by name, those that there are


class Judge(Protocol):
    """Fills rows of the tables that it reserved."""

    def look(self, chunk: Chunk) -> None:
        """The rows of one chunk."""

    def totals(self) -> dict[str, float]:
        """Score name -> its value, of those that are no mean of a table; called when every worker's rows are there."""


def put(rows: Rows, name: str, chunk: Chunk, values: Tensor, keep: Sequence[int]) -> None:
    """Values `[N]` or `[N,F]` of the chunk's samples `keep`."""
    rows.put(name, [chunk.start + offset for offset in keep], values)


class Pixels:
    """Compares what is shown with the domain's own pictures."""

    def __init__(self, scores: Scores, viewer: Viewer, rows: Rows) -> None:
        self._scores, self._rows = {name: score for name, score in scores.items() if name in MEASURES}, rows
        for name in self._scores:
            rows.reserve(name, viewer.longest)

    def look(self, chunk: Chunk) -> None:
        for name, score in self._scores.items():
            if score.of in chunk.shown:
                values = MEASURES[name](chunk.shown[score.of], chunk.images[score.against])
                put(self._rows, name, chunk, values, range(len(values)))

    def totals(self) -> dict[str, float]:
        return {}


class Reader:
    """A task network: which class it reads in a picture.

    It sees pictures as they would be saved, in fp32. pixel_classes: as many as it tells pixels apart by; 0: it tells pictures.
    """

    def __init__(self, scores: Scores, viewer: Viewer, rows: Rows, task: TaskNetwork, pixel_classes: int = 0) -> None:
        self._viewer, self._rows, self._task, self._pixel_classes = viewer, rows, task, pixel_classes
        self._scores = {
            name: score for name, score in scores.items() if name in ("task_accuracy", "task_accuracy_input")
        }
        self._pixels = {name: score for name, score in scores.items() if score.output == PIXELS}
        for name in self._scores:
            rows.reserve(name, viewer.longest)
        if self._pixels:
            rows.reserve(PIXELS, viewer.longest, 3 * pixel_classes)

    def look(self, chunk: Chunk) -> None:
        pictures = {**chunk.images, **chunk.shown}
        for name, score in self._scores.items():
            if score.of in pictures:
                truth, known = self._truth(chunk, score.against)
                said = self._task(saved(pictures[score.of])).argmax(1).cpu()
                if known:
                    put(self._rows, name, chunk, share(said[known], truth), known)
                if (
                    known and self._pixels and name == "task_accuracy"
                ):  # of the same pictures, held against the same maps
                    put(self._rows, PIXELS, chunk, tallies(said[known], truth, self._pixel_classes), known)

    def _truth(self, chunk: Chunk, domain: str) -> tuple[Tensor, list[int]]:
        """The classes of the chunk's pictures, `[n]`, or of their pixels, `[n,H,W]`; and which of its samples have them."""
        if self._pixel_classes:
            return self._viewer.pixel_classes(chunk, domain, self._pixel_classes)
        labels = chunk.labels[domain]
        known = [i for i, label in enumerate(labels.tolist()) if label >= 0]
        return labels[known], known

    def totals(self) -> dict[str, float]:
        counts = self._rows.filled(PIXELS) if self._pixels else torch.empty(0)
        return fcn_scores(counts) if len(counts) else {}


class Draws:
    """Several translations of each input, held against its truths and against one another.

    Samples with the same picture of a are one input, which has the truths of all of them: the first stands for it.
    """

    def __init__(self, scores: Scores, viewer: Viewer, rows: Rows, draws: int, networks: Sequence[Network]) -> None:
        self._viewer, self._rows = viewer, rows
        self._draws = draws if viewer.varied else 1
        self._networks = {name: n for n in networks if (name := f"diversity[{n.name}]") in scores}
        self._wanted = [name for name in ("nearest_truth", "diversity", *self._networks) if name in scores]
        for name in self._wanted:
            rows.reserve(name, viewer.longest)
        self._truths: dict[int, Sequence[int]] = {}  # input -> the numbers of its truths
        self._place: dict[int, int] = {}  # input -> the row of its first truth
        if "nearest_truth" in self._wanted:
            self._group()

    def _group(self) -> None:
        total = 0
        for index in range(self._viewer.counts[self._viewer.system.reads.source]):
            truths = self._viewer.samples.truths(index)
            if index == min(truths):
                self._truths[index], self._place[index] = truths, total
                total += len(truths)
        self._rows.reserve("nearest_truth", total)

    def look(self, chunk: Chunk) -> None:
        if not self._wanted or "fake_b" not in chunk.shown:
            return
        inputs = [i for i in range(len(chunk.shown["fake_b"])) if not self._truths or chunk.start + i in self._truths]
        if not inputs:
            return
        if self._viewer.varied:
            draws = torch.stack([self._viewer.draw(chunk, number) for number in range(self._draws)])[:, inputs]
        else:
            draws = chunk.shown["fake_b"][None, inputs]
        for offset, of_input in zip(inputs, draws.unbind(1), strict=True):
            self._find_truths(chunk.start + offset, of_input)
        if "diversity" in self._wanted:
            put(self._rows, "diversity", chunk, spread(draws, l1), inputs)
        for name, network in self._networks.items():
            features = torch.stack([network.look(draw, (FEATURES,)).rows[FEATURES] for draw in draws])
            put(self._rows, name, chunk, spread(features, angle), inputs)

    def _find_truths(self, index: int, draws: Tensor) -> None:
        """How near the draws of one input, `[K,C,H,W]`, come to each of its truths."""
        if index in self._truths:
            truths, place = self._truths[index], self._place[index]
            values = nearest(draws, self._viewer.read("b", truths))
            self._rows.put("nearest_truth", range(place, place + len(truths)), values)

    def totals(self) -> dict[str, float]:
        return {}


class Own:
    """The system's own scores, of the samples whose classes it is told."""

    def __init__(self, viewer: Viewer, rows: Rows) -> None:
        self._viewer, self._rows = viewer, rows
        for score in viewer.system.judges:
            rows.reserve(score.name, viewer.longest, viewer.system.tables.get(score.name, 1))

    def look(self, chunk: Chunk) -> None:
        system, engine = self._viewer.system, self._viewer.engine
        if not system.judges or len(chunk.images) < len(self._viewer.domains):
            return
        with engine.watching():
            labels = {d: of.to(engine.device) for d, of in chunk.labels.items()}
            told = system.verdicts({**chunk.images, **chunk.shown}, labels)
        classes = [chunk.labels[domain].tolist() for domain in system.reads.labelled]
        for score in system.judges:
            values = told[score.name]
            known = [i for i in range(len(values)) if all(of[i] >= 0 for of in classes)]
            put(self._rows, score.name, chunk, values[known], known)

    def totals(self) -> dict[str, float]:
        tables = {name: self._rows.filled(name) for name in self._viewer.system.tables}
        return {name: self._viewer.system.total(name, rows) for name, rows in tables.items() if len(rows)}
