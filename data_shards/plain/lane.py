"""What one replica reads of a data set without a manifest: an endless sequence of samples, shuffled block by block.

The shards of an epoch are permuted, epochs are laid end to end, and lanes take shards from that sequence in turn: so
every shard is read once an epoch, by one lane, and where there are more lanes than shards the next epochs are begun at
the same time. A block is a run of samples of one epoch that is in memory and shuffled as a whole. The surprise is that a block has
two ends: where a lane stands is told by three numbers, and nothing is drawn twice or left out when it starts there.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from data_shards.errors import DataError
from data_shards.order import random_numbers
from data_shards.plain.data import PlainData, Sample
from data_shards.split import TRAIN

BLOCK_SAMPLES = 1000
BLOCK_BYTES = 64 << 20  # of encoded pictures; what comes first ends the block


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lane stands: its block begins at sample `sample` of its shard number `shard`, counted from the start of
    the training, and `taken` samples of the block are given out."""

    shard: int = 0
    sample: int = 0
    taken: int = 0


class Lane:
    """Training samples of `domains` for lane `lane` of `lanes`, from `place` on. For one thread at a time.

    source: its name, so that two sources under one seed are shuffled independently. fetch: opens a shard, in the
    background: the next one is asked for while one is being read.
    """

    def __init__(
        self,
        data: PlainData,
        source: str,
        domains: tuple[str, ...],
        lane: int,
        lanes: int,
        seed: int,
        fetch: Callable[[str], Future[BinaryIO]],
        place: Place,
    ) -> None:
        self._data, self._source, self._domains, self._fetch = data, source, domains, fetch
        self._shards = data.shards(domains, TRAIN, paired=len(domains) > 1)
        self._lane, self._lanes, self._seed = lane, lanes, seed
        self._at = self._begin = (place.shard, place.sample)  # where reading stands, and where the block begins
        self._taken = place.taken
        self._block: list[Sample | None] | None = None  # None once it is given out: its pictures are not needed
        self._file: BinaryIO | None = None
        self._coming: tuple[int, Future[BinaryIO]] | None = None
        self._samples: Iterator[Sample] = iter(())
        self._gave = False  # whether the shard being read had a training sample
        self._barren: set[str] = set()  # shards without any, since the last one that had some

    @property
    def place(self) -> Place:
        """From where the samples that are still to come can be had again."""
        return Place(*self._begin, self._taken)

    def take(self) -> Sample:
        """The next sample. DataError where a shard is damaged, or none of them has a training sample."""
        if self._block is None:
            self._block = self._next_block()
        while self._taken >= len(self._block):
            self._begin, self._taken = self._at, 0
            self._block = self._next_block()
        sample = self._block[self._taken]
        assert sample is not None
        self._block[self._taken] = None
        self._taken += 1
        return sample

    def close(self) -> None:
        """Let go of the shards."""
        if self._file:
            self._file.close()
        if self._coming:
            with suppress(OSError, ValueError, CancelledError):  # it would be told when the shard is needed
                self._coming[1].result().close()

    def shard(self, number: int) -> str:
        """The name of this lane's shard `number`."""
        epoch, place = self._epoch(number), (number * self._lanes + self._lane) % len(self._shards)
        numbers = random_numbers(len(self._shards), "plain shards", self._seed, self._source, epoch)
        return self._shards[int(np.argsort(numbers, kind="stable")[place])]

    def _epoch(self, number: int) -> int:
        return (number * self._lanes + self._lane) // len(self._shards)

    def _next_block(self) -> list[Sample | None]:
        """The samples of one epoch from `_begin` on, as many as a block may have, shuffled."""
        block: list[Sample | None] = []
        size, epoch = 0, 0
        while len(block) < BLOCK_SAMPLES and size < BLOCK_BYTES:
            sample = self._next_of_shard()
            if sample is None:
                if block and self._epoch(self._at[0]) != epoch:
                    break
                continue
            epoch = self._epoch(self._at[0])
            block.append(sample)
            size += sum(map(len, sample.pictures.values()))
        numbers = random_numbers(len(block), "plain block", self._seed, self._source, self._lane, *self._begin)
        return [block[place] for place in np.argsort(numbers, kind="stable").tolist()]

    def _next_of_shard(self) -> Sample | None:
        """The next training sample of the shard being read; None at its end, after which the next one is read."""
        number, first = self._at
        if self._file is None:
            self._file = self._fetched(number)
            self._coming = (number + 1, self._fetch(self.shard(number + 1)))
            self._gave = first > 0
            self._samples = self._data.samples(
                self.shard(number), self._file, self._domains, paired=len(self._domains) > 1, first=first
            )
        for sample in self._samples:
            self._at = (number, sample.number + 1)
            if not self._data.is_held_back(sample):
                self._gave = True
                return sample
        self._file.close()
        self._file = None
        self._at = (number + 1, 0)
        self._check_barren(self.shard(number))
        return None

    def _check_barren(self, shard: str) -> None:
        """DataError where every shard was read and none had a training sample: it would go on for ever."""
        self._barren = set() if self._gave else self._barren | {shard}
        if len(self._barren) == len(self._shards):
            what = f"pictures of domain {self._domains[0]}" if len(self._domains) == 1 else "pairs"
            raise DataError(f"{self._data.uri} has no {what} to train on in {len(self._shards):,} shards")

    def _fetched(self, number: int) -> BinaryIO:
        if self._coming is None or self._coming[0] != number:
            self._coming = (number, self._fetch(self.shard(number)))
        coming, self._coming = self._coming[1], None
        return coming.result()
