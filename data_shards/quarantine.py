"""Samples that cannot be read: set aside, told, and replaced by others without shifting anybody's order.

What stands in for a sample follows from the order and from this list alone. The list is therefore part of a
training's state: it is kept in the checkpoint, and a sample once set aside stays so for the whole run.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

from data_shards.counters import COUNTS
from data_shards.errors import TooManyBadSamples


@dataclass(frozen=True, slots=True, order=True)
class BadSample:
    """Sample number `sample` of a source, and the picture of it that cannot be read: where it lies, and why not."""

    source: str
    sample: int
    domain: str
    shard: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.shard}: {self.key} in domain {self.domain} {self.reason}"


class Unreadable(Exception):
    """A picture that cannot be read, and why."""


class Quarantine:
    """The samples set aside. sizes: samples per source. share: of a source's samples, how many may be bad, in [0, 1].

    Any share above 0 allows at least one. Safe to use from several threads.
    """

    def __init__(self, sizes: Mapping[str, int], share: float) -> None:
        self._allowed = {source: math.ceil(size * share) for source, size in sizes.items()}
        self._sizes = dict(sizes)
        self._bad: dict[tuple[str, int], BadSample] = {}
        self._lock = Lock()

    def __contains__(self, sample: tuple[str, int]) -> bool:
        return sample in self._bad

    def add(self, bad: BadSample) -> None:
        """Set a sample aside. Raises TooManyBadSamples where that is one too many of its source."""
        with self._lock:
            if (bad.source, bad.sample) not in self._bad:
                COUNTS.add("samples_quarantined")
            self._bad.setdefault((bad.source, bad.sample), bad)
            found = [known for known in self._bad.values() if known.source == bad.source]
        allowed = self._allowed[bad.source]
        if len(found) > allowed:
            raise TooManyBadSamples(
                f"{len(found)} of the {self._sizes[bad.source]:,} samples of source {bad.source} cannot be read, "
                f"data.bad_samples allows {allowed}; the last one: {bad}; "
                "`i2i-cluster shards verify` finds them all: restore those shards from a copy, or allow more"
            )

    def rows(self) -> list[dict[str, Any]]:
        """The list as JSON-able rows, sorted."""
        with self._lock:
            return [asdict(bad) for bad in sorted(self._bad.values())]

    def restore(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take over rows that another process found."""
        for row in rows:
            bad = BadSample(**row)
            self._bad[bad.source, bad.sample] = bad
