"""Attributes: what several pictures may have in common, any number of them each, where a class is one for each.

As text they are names with spaces between: in labels.csv, in a shard's `.attrs` and in a manifest. A picture without any
has an empty text, and one of which nobody told has none: the two are not the same. Many pictures have the same ones, so
each set is kept once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


def spelled(names: Iterable[str]) -> str:
    """One picture's attributes as text: sorted, each once."""
    return " ".join(sorted(set(names)))


def all_names(texts: Iterable[str | None]) -> tuple[str, ...]:
    """The names in the texts of all pictures, sorted."""
    return tuple(sorted({name for text in set(texts) if text for name in text.split()}))


@dataclass(frozen=True)
class Attributes:
    """Those of a manifest's pictures. names: all there are. sets: the different texts. codes: row -> place in `sets`, -1
    where nobody told. KeyError for a name that is not one of `names`."""

    names: Sequence[str]
    sets: Sequence[str]
    codes: NDArray[np.int32]

    def __post_init__(self) -> None:
        unknown = sorted(set(all_names(self.sets)).difference(self.names))
        if unknown:
            raise KeyError(unknown[0])

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """rows: [n] -> [n, names], which of them each picture has; none where nobody told."""
        found: NDArray[np.bool_] = self._table[self.codes[rows]]
        return found

    def text(self, row: int) -> str | None:
        """Those of one picture."""
        code = int(self.codes[row])
        return self.sets[code] if code >= 0 else None

    @cached_property
    def _table(self) -> NDArray[np.bool_]:
        """[sets + 1, names]: the last one, which a code of -1 finds, is empty."""
        places = {name: place for place, name in enumerate(self.names)}
        table = np.zeros((len(self.sets) + 1, len(places)), np.bool_)
        for row, text in zip(table, self.sets, strict=False):
            row[[places[name] for name in text.split()]] = True
        return table
