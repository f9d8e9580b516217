"""Decodes samples of which nobody has said that they can be decoded, and counts those that cannot.

Without a manifest a sample has no number that would last, so none is set aside: a bad one is passed over whenever it is
met, and how many there may be is a share of those that were seen.
"""

import math
from collections import Counter
from collections.abc import Mapping
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from data_shards.counters import COUNTS
from data_shards.decode import decode
from data_shards.errors import TooManyBadSamples
from data_shards.plain.data import INDEX, Sample

LEAST_SEEN = 1000  # samples: a bad one among the first few is no sign yet
Batch = dict[str, NDArray[np.uint8]]


class Pictures:
    """channels: by domain. share: how many of the samples seen may be bad, in [0, 1]; above 0 one is always allowed.

    Safe to use from several threads.
    """

    def __init__(self, channels: Mapping[str, int], share: float) -> None:
        self.channels, self._share = dict(channels), share
        self._seen: Counter[str] = Counter()
        self._bad: Counter[str] = Counter()
        self._lock = Lock()

    def decode(self, source: str, sample: Sample, side: int, room: Batch | None = None) -> Batch | None:
        """domain -> [side, side, C], 0..255, in `room` or elsewhere; None where a picture of the sample is bad.

        Raises TooManyBadSamples where that is one too many of its source.
        """
        pictures = {}
        for domain, data in sample.pictures.items():
            try:
                pictures[domain] = decode(data, self.channels[domain], side, out=room[domain] if room else None)
            except (OSError, ValueError) as failure:
                COUNTS.add("samples_quarantined")
                self.count(source, 1, 1, f"{sample} in domain {domain} cannot be decoded: {failure}")
                return None
        self.count(source, 1, 0)
        return pictures

    def count(self, source: str, seen: int, bad: int, last: str = "") -> None:
        """Add to what was seen of a source. Raises TooManyBadSamples with the `last` one, unless it is empty."""
        with self._lock:
            self._seen[source] += seen
            self._bad[source] += bad
            seen, bad = self._seen[source], self._bad[source]
        allowed = math.ceil(self._share * max(seen, LEAST_SEEN))
        if last and bad > allowed:
            raise TooManyBadSamples(
                f"{bad:,} of {seen:,} samples of {source} cannot be read, data.bad_samples allows {allowed:,}; the last "
                f"one: {last}; restore those shards from a copy, allow more, or find them all with {INDEX}"
            )
