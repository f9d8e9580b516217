"""What `i2i-cluster study make` does: look at the folders, pick, encode, and write one page.

A study's id is a hash of its settings and of what its pictures show. The answers carry it, so that rows of another study, or of
the same one made anew of other pictures, are never counted together.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from data_shards.store import FolderStore
from orchestrator.errors import Refusal, asked, blamed, refuse
from orchestrator.evaluate.files import Names, check_partners, pictures_in, read_heads
from orchestrator.report.report import check_place
from orchestrator.saying import say
from orchestrator.study.picking import FAKE, REAL, Trials, pick
from orchestrator.study.pictures import Shown, check_differ, check_readable, read_all
from orchestrator.study.render import render
from orchestrator.study.room import Room
from orchestrator.study.rows import FORMAT
from orchestrator.study.times import ms_text, read_ms
from orchestrator.sweep_file.quantities import size_text

ID_LENGTH = 12
LONGEST_TEXT = 200  # characters of a title or a name
SHORTEST, LONGEST = 20, 60_000  # ms of an exposure: a frame or two, and a minute
LEAD, GAP = 500, 250  # ms of empty ground before the first picture, and between the two


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for. pictures: of each folder at most; None: one for each trial."""

    real: Path
    fake: Path
    out: Path = Path("study.html")
    paired: bool = False
    practice: int = 10
    scored: int = 40
    exposure: str = "1s"
    pictures: int | None = None
    size: int | None = None
    seed: int = 0
    title: str = "Real or fake?"
    name: str | None = None


def make_study(wanted: Wanted) -> None:
    """Write the page and print what it is. Raises Refusal."""
    with blamed({"--output": "--out"}):
        check_place(wanted.out)
    page, study = make_page(wanted)
    FolderStore(wanted.out.parent).write(wanted.out.name, page)
    pictures = f"{len(study['real'])} real and {len(study['fake'])} fake pictures"
    say(f"study {study['study']} ({study['name']}): {pictures}{', paired by name' if wanted.paired else ''}")
    trials = f"{wanted.practice} trials of practice and {wanted.scored} that count"
    say(f"a participant sees {trials}, each picture for {ms_text(study['exposure'])}")
    say(f"wrote {wanted.out} ({size_text(len(page))})")


def make_page(wanted: Wanted) -> tuple[bytes, dict[str, Any]]:
    """The page, and what its scripts read. Raises Refusal."""
    exposure = read_ms(wanted.exposure, "--exposure", SHORTEST, LONGEST)
    name = wanted.fake.resolve().name if wanted.name is None else wanted.name
    refuse(asked(lambda: _check_text(wanted.title, "--title"), lambda: _check_text(name, "--name")))
    real, fake = _shown(wanted)
    settings = {
        "format": FORMAT,
        "name": name,
        "title": wanted.title,
        "practice": wanted.practice,
        "scored": wanted.scored,
        "paired": wanted.paired,
        "exposure": exposure,
        "lead": LEAD,
        "gap": GAP,
        "width": real[0].width,
        "height": real[0].height,
    }
    sides = {"real": real, "fake": fake}
    digests = {side: [[one.file, one.digest] for one in of] for side, of in sides.items()}
    text = json.dumps({**settings, **digests}, sort_keys=True)
    study = {
        **settings,
        "study": hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH],
        **{side: [[one.file, one.uri] for one in of] for side, of in sides.items()},
    }
    page = render(study, wanted.title)
    return page, study


def _check_text(text: str, option: str) -> None:
    """Raise Refusal for what cannot be a line of a page or of a table."""
    if not text.strip() or not text.isprintable():
        raise Refusal("must be a line of text", path=option, value=text)
    if len(text) > LONGEST_TEXT:
        raise Refusal(f"must be at most {LONGEST_TEXT} characters, not {len(text)}", path=option, value=text)


def _shown(wanted: Wanted) -> tuple[list[Shown], list[Shown]]:
    """The real and the fake pictures of the study. Raises Refusal."""
    folders = _folders(wanted)
    trials = Trials(wanted.practice, wanted.scored, wanted.pictures)
    picked = dict(
        zip(
            (REAL, FAKE),
            pick(folders[REAL], folders[FAKE], trials, paired=wanted.paired, seed=wanted.seed),
            strict=True,
        )
    )
    total, room, shown = sum(map(len, picked.values())), Room(), dict[str, list[Shown]]()
    for option, folder in ((REAL, wanted.real), (FAKE, wanted.fake)):
        files = [folders[option][name] for name in picked[option]]
        shown[option] = []
        for one in read_all(files, folder, wanted.size, option):
            shown[option].append(one)
            room.take(one, total, trials, paired=wanted.paired)
    check_differ(shown[REAL], shown[FAKE])
    return shown[REAL], shown[FAKE]


def _folders(wanted: Wanted) -> dict[str, Names]:
    """The pictures by option, whose heads can all be read. Raises Refusal."""
    _check_apart(wanted.real, wanted.fake)
    found: dict[str, Names] = {}
    looks = [partial(_look, found, option, place) for option, place in ((REAL, wanted.real), (FAKE, wanted.fake))]
    refuse(asked(*looks))
    if wanted.paired:
        sides = (REAL, FAKE), (FAKE, REAL)
        refuse(asked(*(partial(check_partners, found[mine], found[theirs], mine, theirs) for mine, theirs in sides)))
    bad = read_heads(list(found.values()), wanted.size).bad
    unreadable = {
        option: {file: bad[file] for file in names.values() if file in bad} for option, names in found.items()
    }
    refuse(asked(*(partial(check_readable, files, option) for option, files in unreadable.items())))
    return found


def _look(found: dict[str, Names], option: str, place: Path) -> None:
    notes: list[str] = []
    found[option] = pictures_in(place, option, notes)
    for note in notes:
        say(f"note: {note}", aside=True)


def _check_apart(real: Path, fake: Path) -> None:
    """Raise Refusal where one folder is the other, or lies in it: its pictures would be on both sides."""
    mine, theirs = fake.resolve(), real.resolve()
    if mine == theirs:
        raise Refusal(f"{fake} is the folder of {REAL} as well", path=FAKE, value=fake)
    for inner, outer, option, other in ((mine, theirs, FAKE, REAL), (theirs, mine, REAL, FAKE)):
        if inner.is_relative_to(outer):
            raise Refusal(f"{inner} lies in the folder of {other}; give each its own", path=option, value=inner)
