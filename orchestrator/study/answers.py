"""The files of participants, read and checked: a row that says something impossible is refused with its file and line.

The page's script writes them, people send them on, spreadsheets save them again: so a row's `correct` is compared with its answer,
and a participant's trials have to be all there. Files may be joined; their heads then stand in between.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import Refusal, refuse, show
from orchestrator.study.rows import COLUMNS, Row, read_row

MARK = "\ufeff"  # at the beginning of a file
MOST_TOLD = 20  # mistakes; a file of something else has one in each line


@dataclass(frozen=True)
class Session:
    """A participant's answers, by trial; at least one of them is scored."""

    participant: str
    rows: tuple[Row, ...]

    @property
    def scored(self) -> list[Row]:
        """Without practice."""
        return [row for row in self.rows if row.part == "scored"]


def read_answers(files: Sequence[Path], study: str | None = None) -> dict[str, list[Session]]:
    """Study -> its participants' answers, both in the order of their names. study: refuse rows of any other. Raises Refusal."""
    found: list[Refusal] = []
    rows = [row for file in files for row in _rows(file, found)]
    if study is not None:
        found += [
            row.refusal(f"is of study {row.study}, not of {study}", "study") for row in rows if row.study != study
        ]
    rows = _agreeing(_once(rows, found), found)
    sessions = _sessions(rows, found) if not found else {}
    refuse(found[:MOST_TOLD])
    return sessions


def _rows(file: Path, found: list[Refusal]) -> Iterator[Row]:
    """The rows of a file; what is wrong with others is added to `found`."""
    name, count = str(file), 0
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            for cells in reader:
                values = _unjoined(cells)
                line = f"line {reader.line_num}"
                if not count and values != list(COLUMNS):
                    problem = f"is no head of a study's answers: {show(','.join(values))}"
                    found.append(Refusal(problem, file=name, path=line, has=COLUMNS))
                    return
                count += 1
                if not values or values == list(COLUMNS):
                    continue
                try:
                    yield read_row(values, name, reader.line_num)
                except Refusal as mistake:
                    found.append(mistake)
    except UnicodeDecodeError:
        found.append(Refusal("is no text in UTF-8", file=name))
    except csv.Error as error:
        found.append(Refusal(f"is damaged: {error}", file=name, path=f"line {reader.line_num}"))
    except OSError as error:
        found.append(Refusal(f"cannot be read: {(error.strerror or 'error').lower()}", file=name))
    else:
        if count == 0:
            found.append(Refusal("is empty", file=name))


def _unjoined(cells: list[str]) -> list[str]:
    """A line without what joining files leaves in it: the mark that a file of UTF-8 may begin with, and where a file ended
    without a new line, the next one's head behind its last row."""
    values = [cells[0].removeprefix(MARK), *cells[1:]] if cells else cells
    last = len(COLUMNS) - 1
    if values[last + 1 :] == list(COLUMNS[1:]) and values[last].endswith(COLUMNS[0]):
        values = [*values[:last], values[last].removesuffix(COLUMNS[0]).removesuffix(MARK)]
    return values


def _once(rows: Sequence[Row], found: list[Refusal]) -> list[Row]:
    """The rows whose trial stands once; of a participant who stands twice the first such row is told."""
    seen: dict[tuple[str, str, int], Row] = {}
    told: set[str] = set()
    for row in rows:
        first = seen.setdefault((row.study, row.participant, row.trial), row)
        if first is not row and row.participant not in told:
            told.add(row.participant)
            where = f"{first.file} line {first.line}"
            problem = f"{row.participant} answered trial {row.trial} in {where} already; give each answer once"
            found.append(row.refusal(problem, "participant"))
    return list(seen.values())


def _agreeing(rows: Sequence[Row], found: list[Refusal]) -> list[Row]:
    """The rows that say the same of their study as its first one, each participant in one study; the others are told once each."""
    heads: dict[str, Row] = {}
    homes: dict[str, Row] = {}
    agree, odd = [], set[str]()
    for row in rows:
        problem = _contrary(row, heads.setdefault(row.study, row), homes.setdefault(row.participant, row))
        if problem is None:
            agree.append(row)
        elif row.participant not in odd:
            odd.add(row.participant)
            found.append(problem)
    return agree


def _contrary(row: Row, head: Row, home: Row) -> Refusal | None:
    """What a row says otherwise than the first one of its study, or of its participant."""
    if home.study != row.study:
        where = f"{home.file} line {home.line}"
        return row.refusal(f"{row.participant} is of study {home.study} in {where}", "study")
    where = f"{head.file} line {head.line}, of the same study"
    for column, mine, theirs in (
        ("name", row.name, head.name),
        ("trials", row.trials, head.trials),
        ("exposure_ms", row.exposure, head.exposure),
    ):
        if mine != theirs:
            return row.refusal(f"is {show(mine)}, and {show(theirs)} in {where}", column)
    return None


def _sessions(rows: Sequence[Row], found: list[Refusal]) -> dict[str, list[Session]]:
    """Study -> sessions. Those that lack a trial are added to `found`."""
    of: dict[tuple[str, str], dict[int, Row]] = {}
    for row in rows:
        of.setdefault((row.study, row.participant), {})[row.trial] = row
    studies: dict[str, list[Session]] = {}
    for (study, participant), by_trial in sorted(of.items()):
        first = next(iter(by_trial.values()))
        missing = [trial for trial in range(1, first.trials + 1) if trial not in by_trial]
        session = Session(participant, tuple(by_trial[trial] for trial in sorted(by_trial)))
        if missing:
            numbers = f"{', '.join(map(str, missing[:3]))}{', ...' if len(missing) > 3 else ''}"
            problem = f"{participant} has {len(by_trial)} of {first.trials} trials; missing: {numbers}"
            found.append(Refusal(problem, file=first.file, path="participant"))
        elif not session.scored:
            found.append(Refusal(f"{participant} has no scored trial", file=first.file, path="participant"))
        studies.setdefault(study, []).append(session)
    if not studies and not found:
        found.append(Refusal("no answers: the files hold heads alone", path="ANSWERS.CSV"))
    return studies
