"""Scores in the features of a network that looks at pictures: it fills tables of what it says of them, and of those come distances.

Every picture passes it once. A score is a function of whole tables, and those are the same on any number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.descriptors import cosine, mode_coverage, mode_kl, retrieval, separation, squared_distance
from trainers.features import Network
from trainers.fid import fid, moments
from trainers.inception import inception_score
from trainers.judges import Scores, put
from trainers.kid import kid, kid_spread
from trainers.outputs import FEATURES, LOGITS, LPIPS, MAPS
from trainers.rows import Rows
from trainers.samples import Chunk, Viewer
from trainers.scores import JUDGED, Given, network_of
from trainers.style import content, gram_sums, style

Tables = list[Tensor]


@dataclass(frozen=True)
class OfTables:
    """A score that is a function of tables: an output, of a picture that is shown or a domain's own. `of` is also told whether
    row i of all of them is of one input."""

    tables: tuple[tuple[str, str], ...]
    of: Callable[[Tables, bool], float | None]


MADE, INPUT = "fake_b", "a"
FAKE, REAL, SOURCE = (FEATURES, MADE), (FEATURES, JUDGED), (FEATURES, INPUT)
CLASSES = (LOGITS, MADE), (LOGITS, JUDGED)
# Score without its brackets -> how it is computed.
DISTRIBUTIONS: Mapping[str, OfTables] = {
    "kid": OfTables((FAKE, REAL), lambda tables, paired: kid(tables[0], tables[1], paired)),
    "kid_spread": OfTables((FAKE, REAL), lambda tables, paired: kid_spread(tables[0], tables[1], paired)),
    "fid": OfTables((FAKE, REAL), lambda tables, paired: fid(*map(moments, tables))),
    "is": OfTables(CLASSES[:1], lambda tables, paired: inception_score(*tables)[0]),
    "cosine": OfTables((SOURCE, FAKE), lambda tables, paired: cosine(*tables)),
    "separation": OfTables((SOURCE, REAL, FAKE), lambda tables, paired: separation(*tables)),
    "retrieval": OfTables((FAKE, REAL), lambda tables, paired: retrieval(*tables)),
    "mode_coverage": OfTables(CLASSES, lambda tables, paired: mode_coverage(*tables)),
    "mode_kl": OfTables(CLASSES, lambda tables, paired: mode_kl(*tables)),
}
CONTENT, STYLE = "content", "style"  # of maps, which are too large for a table of all pictures, like what LPIPS is of


class InNetwork:
    """The scores in one network, of those that there are."""

    def __init__(self, scores: Scores, viewer: Viewer, rows: Rows, network: Network, given: Given) -> None:
        self._viewer, self._rows, self._network = viewer, rows, network
        mine = [score.name for score in scores.values() if score.output and network_of(score, given) == network.name]
        self._totals = {name: DISTRIBUTIONS[base] for name in mine if (base := name.partition("[")[0]) in DISTRIBUTIONS}
        self._tables = dict.fromkeys(table for score in self._totals.values() for table in score.tables)
        self._mapped = {CONTENT: (INPUT, MADE), STYLE: (JUDGED, MADE)}
        self._mapped = {name: pictures for name, pictures in self._mapped.items() if name in mine}
        self._lpips = next((name for name in mine if name.startswith(f"{LPIPS}[")), "")
        self._lanes = viewer.engine.tree.replicas  # a lane's chunks are all of one worker, whatever their number
        self._wanted: dict[str, list[str]] = {}  # picture -> outputs
        mapped = [(MAPS, picture) for both in self._mapped.values() for picture in both]
        learned = [(LPIPS, picture) for picture in (MADE, JUDGED) if self._lpips]
        for output, picture in (*self._tables, *mapped, *learned):
            outputs = self._wanted.setdefault(picture, [])
            outputs += [output] if output not in outputs else []
        if self._wanted:
            self._reserve()

    def _reserve(self) -> None:
        """Tables as wide as what the network says of a picture of nothing."""
        engine, outputs = self._viewer.engine, {output for of in self._wanted.values() for output in of}
        said = self._network.look(torch.zeros(1, *engine.shapes[JUDGED], device=engine.device), outputs)
        for output, picture in self._tables:
            self._rows.reserve(self._table(output, picture), self._viewer.longest, said.rows[output].shape[1])
        if self._lpips:
            self._rows.reserve(self._lpips, self._viewer.longest)
        if CONTENT in self._mapped:
            self._rows.reserve(CONTENT, self._viewer.longest)
        for picture in self._mapped.get(STYLE, ()):
            self._rows.reserve(self._table(STYLE, picture), self._lanes, 1 + len(gram_sums(said.maps)))

    def look(self, chunk: Chunk) -> None:
        pictures = {**chunk.images, **chunk.shown}
        there = {picture: outputs for picture, outputs in self._wanted.items() if picture in pictures}
        said = {picture: self._network.look(pictures[picture], outputs) for picture, outputs in there.items()}
        for output, picture in self._tables:
            if picture in said:
                values = said[picture].rows[output]
                put(self._rows, self._table(output, picture), chunk, values, range(len(values)))
        if self._lpips and MADE in said and JUDGED in said:
            values = squared_distance(said[MADE].rows[LPIPS], said[JUDGED].rows[LPIPS])
            put(self._rows, self._lpips, chunk, values, range(len(values)))
        alike = INPUT in said and MADE in said and pictures[INPUT].shape == pictures[MADE].shape
        if CONTENT in self._mapped and alike:
            values = content(said[INPUT].maps, said[MADE].maps)
            put(self._rows, CONTENT, chunk, values, range(len(values)))
        for picture in self._mapped.get(STYLE, ()):
            if picture in said:
                summed = gram_sums(said[picture].maps)
                summed = torch.cat([torch.full((1,), float(len(pictures[picture]))).to(summed), summed])
                self._rows.add(self._table(STYLE, picture), chunk.number % self._lanes, summed)

    def totals(self) -> dict[str, float]:
        paired = self._viewer.samples.truth
        found = {
            name: score.of([self._rows.filled(self._table(*table)) for table in score.tables], paired)
            for name, score in self._totals.items()
        }
        if STYLE in self._mapped:
            sums = [self._rows.filled(self._table(STYLE, picture)).sum(0) for picture in (MADE, JUDGED)]
            found[STYLE] = style(*(one[1:] / one[0] for one in sums))
        return {name: value for name, value in found.items() if value is not None}

    def _table(self, output: str, picture: str) -> str:
        return f"{output} of {picture} in {self._network.name}"
