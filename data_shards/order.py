"""The order in which samples are drawn: an endless sequence of indices that anyone can look up at any place.

There is no state and no worker in it. A training resumes by asking for the next slot, on any number of workers. The
permutation is the order of raw Philox numbers, not numpy's shuffle: numpy guarantees the former across its versions
only.
"""

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EPOCHS_KEPT = 3  # prefetching straddles two epochs; one more for a reader that looks back


class Order:
    """The endless order of a source of `size` samples: each epoch is a fresh permutation of all of them.

    seed: any integer. source: the source's name, so that two sources under one seed are shuffled independently. Safe
    to use from several threads.
    """

    def __init__(self, seed: int, source: str, size: int) -> None:
        assert size > 0, f"source {source!r} is empty"
        self.seed, self.source, self.size = seed, source, size
        self._epochs: OrderedDict[int, NDArray[np.int64]] = OrderedDict()
        self._lock = Lock()

    def index(self, slot: int) -> int:
        """The sample, in [0, size), drawn at `slot`; slots count from 0 over all that was ever drawn of this source."""
        return int(self._permutation(slot // self.size)[slot % self.size])

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        with self._lock:
            if epoch not in self._epochs:
                numbers = random_numbers(self.size, "order", self.seed, self.source, epoch)
                self._epochs[epoch] = np.argsort(numbers, kind="stable")
                if len(self._epochs) > _EPOCHS_KEPT:
                    self._epochs.popitem(last=False)
            self._epochs.move_to_end(epoch)
            return self._epochs[epoch]


def random_numbers(count: int, *address: Any) -> NDArray[np.uint64]:
    """[count] uniform 64-bit numbers that depend on `address` (integers, strings) alone, in every numpy version."""
    key = hashlib.blake2b(repr(address).encode(), digest_size=16).digest()
    return np.random.Philox(key=int.from_bytes(key, "big")).random_raw(count)
