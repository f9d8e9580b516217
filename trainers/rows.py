"""Tables that several workers fill: each its own rows, and the sum over the workers is the whole table, to the bit.

A number is added to zeros alone, so no sum rounds, and what is computed of a table is the same for any number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainers.tree import Tree


class Rows:
    """Named tables in float64 on the CPU. Rows that nobody fills are not there in the end."""

    def __init__(self) -> None:
        self._tables: dict[str, Tensor] = {}

    def reserve(self, name: str, rows: int, width: int = 1) -> None:
        """A table of at most `rows` rows: the same call on every worker."""
        self._tables[name] = torch.zeros(
            (rows, width + 1), dtype=torch.float64
        )  # the last column: 1 where it is filled

    def put(self, name: str, rows: Sequence[int], values: Tensor) -> None:
        """Fill some rows, each once and on one worker. values: `[N]` or `[N,width]`."""
        table = self._tables[name]
        places = torch.tensor(rows, dtype=torch.int64)
        table[places, :-1] += (
            values.double().cpu().reshape(len(rows), table.shape[1] - 1)
        )  # -0.0 becomes 0.0, as in a sum
        table[places, -1] = 1.0

    def add(self, name: str, row: int, values: Tensor) -> None:
        """Add `[width]` to a row, which must be of one worker alone: sums of numbers in an order of their own, not of workers."""
        table = self._tables[name]
        table[row, :-1] += values.double().cpu()
        table[row, -1] = 1.0

    def add_up(self, tree: Tree, device: torch.device) -> None:
        """Every worker's rows on every worker. `device`: what the workers' group sends from. Raises PeerLost."""
        for name, table in self._tables.items():
            whole = table.to(device)
            tree.sum_across_workers(whole)
            self._tables[name] = whole.cpu()

    def filled(self, name: str) -> Tensor:
        """The rows that were filled, in order: `[n,width]`."""
        table = self._tables[name]
        return table[table[:, -1] > 0.0, :-1]

    def both(self, name: str, other: str) -> tuple[Tensor, Tensor]:
        """Two tables of width 1, in the rows that are filled in both: `[n]` twice."""
        one, two = self._tables[name], self._tables[other]
        rows = (one[:, -1] > 0.0) & (two[:, -1] > 0.0)
        return one[rows, 0], two[rows, 0]

    def mean(self, name: str) -> float | None:
        """Of a table of width 1; None where it has no rows, or is not there: 0 might be a perfect score."""
        values = self.filled(name) if name in self._tables else torch.empty(0)
        return float(values.sum() / len(values)) if len(values) else None
