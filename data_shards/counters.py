"""What reading data has cost this process so far: requests, bytes, retries by cause, cache hits, bad samples, waiting.

One set of numbers per process, because a process has one bill. They only grow; whoever wants a rate takes two
snapshots. Adding a counter is adding a line to `NAMES`.
"""

import threading
from collections.abc import Mapping

# Name -> meaning, in the order in which people read them.
NAMES: Mapping[str, str] = {
    "requests": "requests sent to a store, retries included",
    "bytes": "bytes of content received from a store",
    "bytes_sent": "bytes of content sent to a store",
    "retries_status_5xx": "tries that ended in an error of the server",
    "retries_throttled": "tries that the server refused because there are too many",
    "retries_refused": "tries that found no server: connection refused, name not known",
    "retries_reset": "tries that lost the connection",
    "retries_timeout": "tries without an answer in time",
    "retries_truncated": "tries whose content broke off",
    "retries_conflict": "tries that met another writer of the same object",
    "retries_slow": "tries given up because content came too slowly",
    "retries_corrupt": "contents that did not fit their checksum",
    "retry_wait_seconds": "time between tries",
    "given_up": "calls that did not succeed within their time",
    "cache_hits": "shards that were in the cache when they were opened",
    "cache_misses": "shards that were downloaded when they were opened",
    "cache_waits": "shards that another thread or process was downloading when they were opened",
    "cache_ahead": "shards downloaded before they were opened",
    "cache_bytes": "bytes downloaded into the cache",
    "cache_evictions": "shards removed from the cache to make room",
    "cache_corrupt": "shards whose content was not the manifest's: found in the cache, or just downloaded",
    "cache_overruns": "shards taken beyond the limit of the cache, because all the room was in use",
    "samples_quarantined": "samples that could not be read and were replaced",
    "wait_seconds": "time the training waited for data",
}


class Counters:
    """Numbers by name, safe to add to from any thread. A name that is not declared is a KeyError."""

    def __init__(self) -> None:
        self._values = dict.fromkeys(NAMES, 0.0)
        self._lock = threading.Lock()

    def add(self, name: str, amount: float = 1) -> None:
        with self._lock:
            self._values[name] += amount

    def snapshot(self) -> dict[str, float]:
        """All numbers at one moment."""
        with self._lock:
            return dict(self._values)


COUNTS = Counters()


def since(before: Mapping[str, float]) -> dict[str, float]:
    """What was added since a snapshot, without the zeros."""
    return {name: value - before[name] for name, value in COUNTS.snapshot().items() if value != before[name]}
