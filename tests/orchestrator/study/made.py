"""Folders of pictures that a program tells apart, and files of participants."""

from pathlib import Path

import numpy as np
from PIL import Image

from orchestrator.study.rows import COLUMNS

RED = {"real": 200, "fake": 40}  # of every pixel
STUDY, OTHER = "0123456789ab", "ba9876543210"  # pragma: allowlist secret


def folder(root: Path, kind: str, count: int, *, side: int = 32, name: str = "{:02d}.png") -> Path:
    """Pictures of a kind, each with a level of green of its own."""
    made = root / kind
    made.mkdir(exist_ok=True)
    for number in range(count):
        pixels = np.full((side, side, 3), (RED[kind], number, 0), np.uint8)
        Image.fromarray(pixels).save(made / name.format(number))
    return made


def row(**changed: object) -> dict[str, object]:
    """The cells of a right row, with some changed."""
    cells = {
        "format": 1,
        "study": STUDY,
        "name": "cyclegan",
        "participant": "aaaaaaaa",
        "trial": 1,
        "trials": 1,
        "part": "scored",
        "real": "r.png",
        "fake": "f.png",
        "first": "real",
        "answer": "second",
        "correct": "yes",
        "reaction_ms": "812.5",
        "exposure_ms": 1000,
        "first_ms": "1000.1",
        "second_ms": "1016.7",
    }
    return {**cells, **changed}


def session(participant: str, fooled: str, *, practice: int = 0, **changed: object) -> list[dict[str, object]]:
    """A participant's rows: `fooled` has an x for each scored trial whose fake was taken for real, and a point for the others.

    The answers are first and second in turn; in practice the fake is never found.
    """
    rows = []
    for place, sign in enumerate("x" * practice + fooled):
        answer, wrong = ("first", "second")[place % 2], sign == "x"
        first = "fake" if (answer == "first") != wrong else "real"
        part = "practice" if place < practice else "scored"
        told = {"trial": place + 1, "trials": practice + len(fooled), "part": part, "first": first, "answer": answer}
        rows.append(row(participant=participant, correct="no" if wrong else "yes", **{**told, **changed}))
    return rows


def text(*rows: dict[str, object]) -> str:
    """Rows as a file has them."""
    lines = [",".join(COLUMNS), *(",".join(map(str, one.values())) for one in rows)]
    return "".join(f"{line}\n" for line in lines)
