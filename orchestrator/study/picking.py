"""Which pictures a study is made of: as many as its trials need, and the same ones for the same seed.

A picture's place is a hash of the seed and its name, so that one more picture in a folder exchanges at most one of those picked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from orchestrator.errors import Refusal, refuse
from orchestrator.evaluate.files import Names

REAL, FAKE = "--real", "--fake"  # the options
PAIR = "pair"


@dataclass(frozen=True)
class Trials:
    """How many trials a participant sees, and how many pictures of each folder they are drawn from; None: one for each trial."""

    practice: int
    scored: int
    pictures: int | None = None

    @property
    def count(self) -> int:
        """All of them."""
        return self.practice + self.scored

    @property
    def most(self) -> int:
        """Of pictures of a folder."""
        return self.count if self.pictures is None else self.pictures

    def __str__(self) -> str:
        return f"{self.count} trials ({self.practice} practice, {self.scored} scored)"


def pick(real: Names, fake: Names, trials: Trials, *, paired: bool, seed: int) -> tuple[list[str], list[str]]:
    """The names of the real and of the fake pictures, in an order that says nothing of where they stood; pairs in the same places.

    Raises Refusal where they are too few for the trials.
    """
    check_enough(len(real), len(fake), trials, paired=paired)
    if paired:
        names = _first(real, trials.most, seed, PAIR)
        return names, names
    return _first(real, trials.most, seed, REAL), _first(fake, trials.most, seed, FAKE)


def check_enough(real: int, fake: int, trials: Trials, *, paired: bool) -> None:
    """Raise Refusal unless so many pictures of each kind last for the trials: nobody sees the same two together twice."""
    if paired:
        if real < trials.count:
            raise Refusal(f"{_count(real, 'pair')} too few for {trials}; {_fewer(real, trials)}", path=REAL)
        if trials.most < trials.count:
            problem = f"{_count(trials.most, 'pair')} too few for {trials}: no pair is shown twice; leave it out"
            raise Refusal(problem, path="--pictures", value=trials.most)
    elif trials.pictures is None:
        refuse([_too_few(count, trials, side) for side, count in ((REAL, real), (FAKE, fake)) if count < trials.count])
    else:
        shown = min(real, trials.most), min(fake, trials.most)
        if shown[0] * shown[1] < trials.count:
            of = f"{shown[0]} real and {shown[1]} fake pictures make {shown[0] * shown[1]:,} different pairs"
            raise Refusal(f"{of}, too few for {trials}", path="--pictures", value=trials.most)


def _too_few(count: int, trials: Trials, side: str) -> Refusal:
    advice = _fewer(count, trials)
    if count * count >= trials.count:
        advice += f", or --pictures {count} shows some more than once"
    return Refusal(f"{_count(count, 'picture')} too few for {trials}; {advice}", path=side)


def _fewer(count: int, trials: Trials) -> str:
    """What asks for no more than there is."""
    left = count - trials.practice
    return f"--scored {left} takes what there is" if left > 0 else "lower --practice and --scored"


def _count(count: int, thing: str) -> str:
    """Such as "1 picture is" or "30 pictures are"."""
    return f"{count:,} {thing} is" if count == 1 else f"{count:,} {thing}s are"


def _first(names: Names, count: int, seed: int, side: str) -> list[str]:
    def place(name: str) -> bytes:
        return hashlib.sha256(f"{seed}/{side}/{name}".encode(errors="surrogateescape")).digest()

    return sorted(names, key=place)[:count]
