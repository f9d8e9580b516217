"""How large a study's page may become, and what would make it smaller where it becomes larger."""

from __future__ import annotations

import math

from orchestrator.errors import Refusal
from orchestrator.report.report import LARGEST
from orchestrator.study.picking import Trials
from orchestrator.study.pictures import Shown
from orchestrator.sweep_file.quantities import size_text

SPARE = 300_000  # bytes of a page that are no pictures: its text, its scripts, names of files
LONGEST_SIGN = 6  # bytes of a file's name in JSON, for each character
SIDES = 16  # a suggested side is a multiple of it


class Room:
    """What the pictures of a page take so far."""

    def __init__(self, most: int = LARGEST) -> None:
        self._left = most - SPARE
        self._most, self._taken, self._count = most, 0, 0

    def take(self, one: Shown, total: int, trials: Trials, *, paired: bool) -> None:
        """Put in a picture, one of `total`. Raises Refusal, with what would mend it, where it does not fit."""
        self._taken += len(one.uri) + LONGEST_SIGN * len(one.file)
        self._count += 1
        if self._taken <= self._left:
            return
        each = self._taken / self._count
        size = math.ceil((each * total + SPARE) / 1e5) * 10**5
        raise Refusal(
            f"{total} pictures of {one.width} x {one.height} make a page of about {size_text(size)}, more than the "
            f"{size_text(self._most)} that a mail and a phone take: "
            + ", ".join(
                [*_smaller(one, self._left / (each * total)), *_fewer(int(self._left / (2 * each)), trials, paired)]
            )
        )


def _smaller(one: Shown, share: float) -> list[str]:
    """The option that leaves about this share of a picture's pixels."""
    side = int(min(one.width, one.height, math.sqrt(share * one.width * one.height))) // SIDES * SIDES
    return [f"--size {side} makes them smaller"] if side >= SIDES else []


def _fewer(fit: int, trials: Trials, paired: bool) -> list[str]:
    """The options that ask for no more than `fit` pictures of each folder."""
    told = []
    if fit >= trials.count:
        told.append(f"--pictures {fit} takes fewer")
    elif not paired and fit * fit >= trials.count:
        told.append(f"--pictures {fit} takes fewer and shows some more than once")
    if fit < trials.count and fit > trials.practice:
        told.append(
            f"--scored {fit - trials.practice}{'' if trials.pictures is None else ' without --pictures'} takes fewer"
        )
    return told or ["lower --practice and --scored"]
