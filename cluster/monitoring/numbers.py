"""The numbers of one training, as its reports tell them: what was said last, and how much of what is counted is new.

A report's number is found in the declaration by its name; what is declared nowhere is passed over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache

from cluster.monitoring.series import ALL, REST, Counted, Kind, Labels, Series

Found = tuple[Series, Labels]


@cache
def series_of(number: str) -> tuple[Found, ...]:
    """The series that a report's number belongs to, with its labels; a whole name goes before a beginning."""
    exact = [(one, one.sources[number]) for one in ALL if number in one.sources]
    return tuple(exact or _by_beginning(number))


def _by_beginning(number: str) -> Iterator[Found]:
    for one in ALL:
        for source, labels in one.sources.items():
            beginning = source.removesuffix(REST)
            if beginning != source and number.startswith(beginning):
                rest = number.removeprefix(beginning)
                yield one, tuple(rest if label == REST else label for label in labels)


class Numbers:
    """Of one trial. It outlives the trial's end: one that is tried again must not be counted twice."""

    def __init__(self) -> None:
        self.last: dict[Found, float] = {}
        self.counts: dict[Found, float] = {}
        self._course: dict[str, float] = {}  # number -> its largest value
        self._attempt: dict[str, float] = {}  # number -> its value in this attempt
        self._given = False

    def give(self) -> None:
        """The trial goes on from another one's checkpoint, and reports where that stood before anything else: none of it is new."""
        self._given = True

    def begin(self) -> None:
        """An attempt begins: what it counts starts at 0."""
        self._attempt = {}

    def forget(self) -> None:
        """The trial has ended: only what is needed to go on counting is kept."""
        self.last = {}

    def take(self, report: Mapping[str, float]) -> Iterator[tuple[Found, float]]:
        """Take in a report; gives what is new in the counters of the whole sweep, with how much."""
        for number, value in report.items():
            for found in series_of(number):
                series, _ = found
                if series.kind is not Kind.counter:
                    self.last[found] = value
                    continue
                increase = self._increase(number, value, series.counted)
                if series.of_trial:
                    self.counts[found] = self.counts.get(found, 0.0) + increase
                elif increase:
                    yield found, increase
            self._remember(number, value)
        self._given = False

    def _increase(self, number: str, value: float, counted: Counted) -> float:
        if not math.isfinite(value):
            return 0.0
        if counted is Counted.course:
            return 0.0 if self._given else max(0.0, value - self._course.get(number, 0.0))
        before = self._attempt.get(number, 0.0)
        return value - before if value >= before else value  # a smaller one was counted anew

    def _remember(self, number: str, value: float) -> None:
        if math.isfinite(value) and any(series.kind is Kind.counter for series, _ in series_of(number)):
            self._course[number] = value if self._given else max(value, self._course.get(number, 0.0))
            self._attempt[number] = value
