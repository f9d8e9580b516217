"""What a trial's worker processes printed, as it lies in the storage: segments, by the trial's start, the rank and a number.

A segment is written anew until it is full, so a reader may see one grow; those in the middle of a long output are taken away.
Lines that begin with MARK say in which step the process was when it was looked at what it had printed, and are for readers alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from data_shards.store import Store

SEGMENT_BYTES = 128 * 1024
FIRST, LAST = 16, 48  # segments of one start and rank that are kept: 8 MiB in all
MARK = "\x1e"  # a separator of records, which nobody prints
MARKED = re.compile(MARK + r"step (\d{1,10})\Z")
NAME = re.compile(r"start-(\d+)-rank-(\d+)-(\d{4,})\.log")


@dataclass(frozen=True, order=True)
class Segment:
    """A piece of what one worker process printed for one start of a trial; numbers from 0 on."""

    start: int
    rank: int
    number: int

    @property
    def name(self) -> str:
        """Within the folder of the trial's output."""
        return f"start-{self.start}-rank-{self.rank}-{self.number:04d}.log"

    @property
    def superseded(self) -> Segment | None:
        """The one that is taken away when this one is begun."""
        old = self.number - LAST
        return Segment(self.start, self.rank, old) if old >= FIRST else None


def mark(step: int) -> bytes:
    """The line that says that what follows was printed up to this step."""
    return f"{MARK}step {step}\n".encode()


class Printed(NamedTuple):
    """A line, and where it stands. step: in which the process was when the line was found, some seconds later at most; None where
    nobody said."""

    segment: Segment
    step: int | None
    text: str


def segments(store: Store, folder: str) -> dict[Segment, int]:
    """What is there of a trial's output, in its order: segment -> bytes. Raises what the store does."""
    found = {}
    for path, entry in store.entries(f"{folder}/").items():
        if match := NAME.fullmatch(path.removeprefix(f"{folder}/")):
            found[Segment(*(int(part) for part in match.groups()))] = entry.size
    return dict(sorted(found.items()))


class Reader:
    """Reads a trial's output as it grows. rank: of one worker; None: of all."""

    def __init__(self, store: Store, folder: str, rank: int | None = None) -> None:
        self._store, self._folder, self._rank = store, folder, rank
        self._read: dict[Segment, int] = {}  # bytes
        self._rests: dict[tuple[int, int], bytes] = {}  # of each start and rank: a line that is not whole yet
        self._steps: dict[tuple[int, int], int] = {}  # of each start and rank: the last that was marked

    def lines(self) -> Iterator[Printed]:
        """The whole lines that are new. Raises what the store does."""
        for segment, size in segments(self._store, self._folder).items():
            before = self._read.get(segment, 0)
            if self._rank not in (None, segment.rank) or size <= before:
                continue
            try:
                content = self._store.read(f"{self._folder}/{segment.name}")
            except FileNotFoundError:
                continue  # taken away since it was listed
            self._read[segment] = len(content)
            whose = (segment.start, segment.rank)
            if not before and segment.number and Segment(*whose, segment.number - 1) not in self._read:
                self._rests[whose] = b""
                yield Printed(segment, self._steps.pop(whose, None), "[what was printed here was too much to be kept]")
            *whole, rest = (self._rests.get(whose, b"") + content[before:]).split(b"\n")
            self._rests[whose] = rest
            for line in whole:
                text = line.decode(errors="replace").rstrip("\r")
                if marked := MARKED.match(text):
                    self._steps[whose] = int(marked[1])
                else:
                    yield Printed(segment, self._steps.get(whose), text)

    def rests(self) -> Iterator[Printed]:
        """The lines that were never ended, once nothing more is to come."""
        for (start, rank), rest in sorted(self._rests.items()):
            if rest:
                step = self._steps.get((start, rank))
                yield Printed(Segment(start, rank, 0), step, rest.decode(errors="replace"))
