"""One row of a participant's file: a trial and its answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.errors import Refusal, show

FORMAT = 1  # of the answers; a newer one is refused
COLUMNS = (
    "format", "study", "name", "participant", "trial", "trials", "part", "real", "fake", "first", "answer", "correct",
    "reaction_ms", "exposure_ms", "first_ms", "second_ms",
)  # fmt: skip
CHOICES = {
    "part": ("practice", "scored"),
    "first": ("real", "fake"),
    "answer": ("first", "second"),
    "correct": ("yes", "no"),
}
PATTERNS = {"study": re.compile(r"[0-9a-f]{12}"), "participant": re.compile(r"[a-z2-9]{8}")}
COUNTS = ("format", "trial", "trials")
TIMES = ("reaction_ms", "exposure_ms", "first_ms", "second_ms")


@dataclass(frozen=True)
class Row:
    """A trial. first: which picture came first. answer: which one was said to be the fake, the first or the second.

    reaction: ms from the end of the second picture. exposure: ms that were wanted. seen: ms that each picture was on the screen.
    """

    file: str
    line: int
    study: str
    name: str
    participant: str
    trial: int
    trials: int
    part: str
    real: str
    fake: str
    first: str
    answer: str
    reaction: float
    exposure: float
    seen: tuple[float, float]

    @property
    def is_correct(self) -> bool:
        """Whether the fake was found."""
        return is_correct(self.first, self.answer)

    def refusal(self, problem: str, column: str) -> Refusal:
        """A mistake of this row."""
        return _refusal(self.file, self.line, column, problem)


def is_correct(first: str, answer: str) -> bool:
    """Whether this answer names the fake, where this kind came first."""
    return (first == "fake") == (answer == "first")


def read_row(values: Sequence[str], file: str, line: int) -> Row:
    """The row that these cells are. Raises Refusal with file, line and column."""
    if len(values) != len(COLUMNS):
        raise Refusal(f"has {len(values)} columns, not {len(COLUMNS)}", file=file, path=f"line {line}")
    cells = dict(zip(COLUMNS, values, strict=True))
    counts = {column: _count(cells, column, file, line) for column in COUNTS}
    if counts["format"] > FORMAT:
        problem = f"format {counts['format']} is newer than this program, which reads up to {FORMAT}"
        raise _refusal(file, line, "format", problem)
    for column, choices in CHOICES.items():
        if cells[column] not in choices:
            raise _refusal(file, line, column, f"must be {' or '.join(choices)}, not {show(cells[column])}")
    for column, pattern in PATTERNS.items():
        if not pattern.fullmatch(cells[column]):
            raise _refusal(file, line, column, f"is none: {show(cells[column])}")
    if counts["trial"] > counts["trials"]:
        raise _refusal(file, line, "trial", f"is {counts['trial']} of {counts['trials']}")
    right = is_correct(cells["first"], cells["answer"])
    if (cells["correct"] == "yes") != right:
        problem = (
            f"is {cells['correct']}, but the {cells['first']} picture came first and the answer is {cells['answer']}"
        )
        raise _refusal(file, line, "correct", problem)
    reaction, exposure, *seen = (_time(cells, column, file, line) for column in TIMES)
    return Row(
        file, line, cells["study"], cells["name"], cells["participant"], counts["trial"], counts["trials"], cells["part"],
        cells["real"], cells["fake"], cells["first"], cells["answer"], reaction, exposure, (seen[0], seen[1]),
    )  # fmt: skip


def _refusal(file: str, line: int, column: str, problem: str) -> Refusal:
    return Refusal(problem, file=file, path=f"line {line}: {column}")


def _count(cells: Mapping[str, str], column: str, file: str, line: int) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", cells[column]):
        raise _refusal(file, line, column, f"must be a whole number of at least 1, not {show(cells[column])}")
    return int(cells[column])


def _time(cells: Mapping[str, str], column: str, file: str, line: int) -> float:
    try:
        number = float(cells[column])
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise _refusal(file, line, column, f"must be a time in ms, not {show(cells[column])}")
    return number
