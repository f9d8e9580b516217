"""The order in which samples are drawn: an endless sequence per lane that anyone can look up at any place.

A lane is what one replica reads. An epoch visits every sample once: shards are permuted, laid end to end, cut into one
run per lane, and shuffled within windows of a few shards, so that a worker needs few shards at a time and (but for
those on a cut) no other worker needs the same ones. There is no state and no worker in it: a training resumes by
asking for the next draw, on any number of workers. Permutations are the order of raw Philox numbers, not numpy's
shuffle: numpy guarantees the former across its versions only.
"""

import hashlib
import math
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

WINDOW_SHARDS = 2  # a lane shuffles at least so many shards together,
WINDOW_SAMPLES = 4096  # and at least so many samples: where it has no more than that, all of them
Indices = NDArray[np.int64]
_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class _Window:
    """Samples that one lane shuffles together. start: the lane's position, over all epochs, of its first sample."""

    start: int
    samples: Indices
    shards: tuple[int, ...]


class Order:
    """The endless order of one source's samples, for `lanes` lanes that take `share` samples each at every draw.

    shard_of: [N] the shard that sample i lies in. members: the samples of an epoch, at all epochs equally many, each as
    often as it is to be drawn; without it every epoch has all N once. seed: any integer. source: its name, so that two
    sources under one seed are shuffled independently. Safe to use from several threads.
    """

    def __init__(
        self,
        seed: int,
        source: str,
        shard_of: NDArray[np.integer[Any]],
        lanes: int,
        share: int,
        members: Callable[[int], Indices] | None = None,
    ) -> None:
        assert len(shard_of) > 0, f"source {source!r} is empty"
        self._address = (seed, source)
        self._shard_of = shard_of.astype(np.int64)
        self._all = np.arange(len(shard_of), dtype=np.int64)
        self._members = members or (lambda epoch: self._all)
        self.size = len(self._members(0))
        self.lanes, self.share = lanes, share
        self._batch = lanes * share
        shuffled = 2 * lanes + 2  # the windows of a draw and of those read ahead, where each lane crosses into another
        self._epochs: _Kept[int, _Epoch] = _Kept(4, self._epoch)
        self._uses: _Kept[int, dict[int, list[tuple[int, int]]]] = _Kept(4, self._spans)
        self._windows: _Kept[tuple[int, int, int], _Window] = _Kept(shuffled, self._window)

    def samples(self, draw: int, lane: int) -> Indices:
        """[share] the samples that `lane` takes at `draw`: numbers in [0, N)."""
        return np.concatenate([window.samples[a:b] for window, a, b in self._pieces(draw, lane)])

    def substitutes(self, draw: int, lane: int, slot: int) -> Iterator[int]:
        """What may stand in for the sample at `slot` of a draw, best first: the rest of its window, then all others."""
        position = draw * self.share + slot
        for window, a, b in self._pieces(draw, lane):
            if window.start + a <= position < window.start + b:
                at = position - window.start
                yield from np.concatenate([window.samples[at + 1 :], window.samples[:at]]).tolist()
        yield from range(len(self._shard_of))

    def shards(self, draw: int, lane: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shards of the windows that a lane's draw touches, and those of the window after them."""
        pieces = list(self._pieces(draw, lane))
        after = pieces[-1][0].start + len(pieces[-1][0].samples)
        epoch = self.epoch(draw, lane)
        while self._before((epoch + 1) * self.size, lane) <= after:
            epoch += 1
        ahead = self._window_at(epoch, lane, after).shards
        return tuple(dict.fromkeys(shard for window, _, _ in pieces for shard in window.shards)), ahead

    def next_use(self, shard: int, draw: int) -> float:
        """The first draw, from `draw` on, at which any lane is in a window with this shard; infinity where that is
        not before the end of the next epoch."""
        epoch = self.epoch(draw)
        for spans in (self._uses[epoch], self._uses[epoch + 1]):
            due = [max(first, draw) for first, last in spans.get(shard, ()) if last >= draw]
            if due:
                return min(due)
        return math.inf

    def _spans(self, epoch: int) -> dict[int, list[tuple[int, int]]]:
        """shard -> the first and the last draw of each window of the epoch that it is in."""
        spans: dict[int, list[tuple[int, int]]] = {}
        for lane in range(self.lanes):
            start = self._before(epoch * self.size, lane)
            for segments in self._epochs[epoch].windows(lane):
                end = start + sum(size for _, _, size in segments)
                for shard, _, _ in segments:
                    spans.setdefault(shard, []).append((start // self.share, (end - 1) // self.share))
                start = end
        return spans

    def epoch(self, draw: int, lane: int = 0) -> int:
        """The epoch of a lane's first sample at `draw`."""
        return (draw * self._batch + lane * self.share) // self.size

    def _pieces(self, draw: int, lane: int) -> Iterator[tuple[_Window, int, int]]:
        """The windows that a lane's draw touches, each with the range of its samples that the draw takes."""
        slot = draw * self._batch + lane * self.share  # over all lanes and draws; consecutive within a lane's draw
        position, end = draw * self.share, (draw + 1) * self.share
        while position < end:
            epoch = slot // self.size
            window = self._window_at(epoch, lane, position)
            taken = min(end - position, window.start + len(window.samples) - position)
            yield window, position - window.start, position - window.start + taken
            position, slot = position + taken, slot + taken

    def _window_at(self, epoch: int, lane: int, position: int) -> _Window:
        within = position - self._before(epoch * self.size, lane)
        starts = self._epochs[epoch].window_starts(lane)
        return self._windows[epoch, lane, bisect_right(starts, within) - 1]

    def _before(self, slot: int, lane: int) -> int:
        """How many of the slots below `slot` are the lane's: an epoch ends in the middle of a batch, as it comes."""
        batches, rest = divmod(slot, self._batch)
        return batches * self.share + min(max(rest - lane * self.share, 0), self.share)

    def _epoch(self, epoch: int) -> "_Epoch":
        members = self._members(epoch)
        assert len(members) == self.size, f"epoch {epoch} has {len(members)} samples, not {self.size}"
        ends = [epoch * self.size, (epoch + 1) * self.size]
        counts = [self._before(ends[1], lane) - self._before(ends[0], lane) for lane in range(self.lanes)]
        return _Epoch(members, self._shard_of[members], counts, (*self._address, epoch))

    def _window(self, place: tuple[int, int, int]) -> _Window:
        epoch, lane, number = place
        plan = self._epochs[epoch]
        segments = plan.windows(lane)[number]
        laid = np.concatenate([plan.members[start : start + size] for _, start, size in segments])
        numbers = random_numbers(len(laid), "window", *self._address, epoch, lane, number)
        start = self._before(epoch * self.size, lane) + int(plan.window_starts(lane)[number])
        shards = tuple(dict.fromkeys(shard for shard, _, _ in segments))
        return _Window(start, laid[np.argsort(numbers, kind="stable")], shards)


class _Epoch:
    """One epoch's plan: the members shard by shard in the order of the shards' permutation, cut into lanes.

    counts: samples per lane. A segment is (shard, first member, how many): what a lane takes of a shard.
    """

    def __init__(self, members: Indices, shard_of: Indices, counts: list[int], address: tuple[Any, ...]) -> None:
        present = np.unique(shard_of)
        self._shards = present[np.argsort(random_numbers(len(present), "shards", *address), kind="stable")]
        rank = np.zeros(int(present[-1]) + 1, np.int64)
        rank[self._shards] = np.arange(len(present))
        places = rank[shard_of]
        self.members = members[np.argsort(places, kind="stable")]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(places))])
        self._cuts = np.concatenate([[0], np.cumsum(counts)])
        self._shuffle_what_is_cut(address)
        self._lanes: dict[int, list[list[tuple[int, int, int]]]] = {}
        self._window_starts: dict[int, list[int]] = {}

    def windows(self, lane: int) -> list[list[tuple[int, int, int]]]:
        """The lane's segments, grouped into windows of about equally many shards."""
        if lane not in self._lanes:
            first, last = int(self._cuts[lane]), int(self._cuts[lane + 1])
            segments = []
            at = int(np.searchsorted(self._starts, first, side="right")) - 1
            while first < last:
                end = min(last, int(self._starts[at + 1]))
                segments.append((int(self._shards[at]), first, end - first))
                first, at = end, at + 1
            samples = sum(size for _, _, size in segments)
            count = max(1, min(len(segments) // WINDOW_SHARDS, samples // WINDOW_SAMPLES))
            edges = [len(segments) * i // count for i in range(count + 1)]
            self._lanes[lane] = [segments[a:b] for a, b in pairwise(edges) if b > a]
        return self._lanes[lane]

    def _shuffle_what_is_cut(self, address: tuple[Any, ...]) -> None:
        """A shard that several lanes share is dealt to them anew in every epoch: a window shuffles only within a lane."""
        inside = np.setdiff1d(self._cuts, self._starts)
        for at in np.unique(np.searchsorted(self._starts, inside) - 1).tolist():
            first, last = self._starts[at : at + 2].tolist()
            numbers = random_numbers(last - first, "cut", *address, int(self._shards[at]))
            self.members[first:last] = self.members[first:last][np.argsort(numbers, kind="stable")]

    def window_starts(self, lane: int) -> list[int]:
        """The position of each window's first sample in the lane's part of this epoch."""
        if lane not in self._window_starts:  # asked for at every draw
            sizes = [sum(size for _, _, size in segments) for segments in self.windows(lane)]
            self._window_starts[lane] = list(accumulate(sizes, initial=0))[:-1]
        return self._window_starts[lane]


class _Kept(Generic[_K, _V]):
    """The values of a function at the arguments asked for last. A value is computed once even where threads race."""

    def __init__(self, count: int, function: Callable[[_K], _V]) -> None:
        self._count, self._function = count, function
        self._values: OrderedDict[_K, _V] = OrderedDict()
        self._lock = Lock()

    def __getitem__(self, key: _K) -> _V:
        with self._lock:
            if key not in self._values:
                self._values[key] = self._function(key)
                if len(self._values) > self._count:
                    self._values.popitem(last=False)
            self._values.move_to_end(key)
            return self._values[key]


def random_numbers(count: int, *address: Any) -> NDArray[np.uint64]:
    """[count] uniform 64-bit numbers that depend on `address` (integers, strings) alone, in every numpy version."""
    key = hashlib.blake2b(repr(address).encode(), digest_size=16).digest()
    return np.random.Philox(key=int.from_bytes(key, "big")).random_raw(count)


def balanced(classes: NDArray[np.integer[Any]], seed: int, source: str) -> Callable[[int], Indices]:
    """The members of epochs in which every class comes equally often: ceil(N / classes) samples of each.

    classes: [N] the class of sample i; unknown ones (-1) count as one class. A class goes through all of its samples,
    in a fresh permutation each time, before any of them comes again; epochs take turns at it.
    """
    names = np.unique(classes)
    groups = [np.flatnonzero(classes == name) for name in names]
    each = math.ceil(len(classes) / len(names))

    def members(epoch: int) -> Indices:
        chosen = []
        for name, group in zip(names.tolist(), groups, strict=True):
            wanted = np.arange(epoch * each, (epoch + 1) * each)
            for turn in range(int(wanted[0]) // len(group), int(wanted[-1]) // len(group) + 1):
                numbers = random_numbers(len(group), "class", seed, source, name, turn)
                places = wanted[wanted // len(group) == turn] % len(group)
                chosen.append(group[np.argsort(numbers, kind="stable")[places]])
        return np.sort(np.concatenate(chosen)).astype(np.int64)

    return members
