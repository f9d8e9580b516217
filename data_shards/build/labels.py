"""Reads labels.csv, what a user tells about the pictures of a folder: a table with a line for each picture.

| column | |
| --- | --- |
| `file` | its path below the folder, or its name where only one picture has that name |
| `class` | the one class that it is of; may be left out as a whole where there are texts or attributes |
| `text` | what it shows, in words; a cell may be empty |
| `attributes` | any number of names with spaces between (`Smiling Wavy_Hair`); an empty cell says that it has none |

A picture with no line has no attributes that are known, which is not the same as none.
"""

import csv
import difflib
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data_shards.attributes import spelled
from data_shards.errors import DataError, has

LABELS = "labels.csv"
_TEXT, _ATTRIBUTES = "text", "attributes"
_COLUMNS = ("file", "class", _TEXT, _ATTRIBUTES)
_SEPARATORS = ";,|"  # of others: a name that holds one was meant to be several


class Label(NamedTuple):
    """What is told of a picture. attributes: as `spelled` puts them together, "" for none."""

    cls: str | None = None
    text: str | None = None
    attributes: str | None = None


def read_labels(root: Path, files: Sequence[Path]) -> dict[Path, Label]:
    """What labels.csv in the folder `root` says, by file; empty where there is none. DataError for what cannot be right."""
    path = root / LABELS
    if not path.exists():
        return {}
    if not path.is_file():
        raise DataError(f"{path} is a folder, and should be a table; rename it if it is something else")
    names: dict[str, list[Path]] = {}
    for file in files:
        for name in dict.fromkeys((file.name, file.relative_to(root).as_posix())):
            names.setdefault(name, []).append(file)
    labels: dict[Path, Label] = {}
    for line, row in _rows(path):
        name, where = row["file"] or "", f"{path}, line {line}"
        matches = names.get(name, [])
        if len(matches) != 1:
            problem = (
                "names several pictures; give its path" if matches else f"is not a picture here{_hint(name, names)}"
            )
            raise DataError(f"{where}: {name} {problem}")
        label = _label(row, f"{where}: {name}")
        other = labels.setdefault(matches[0], label)
        if other.cls != label.cls:
            raise DataError(f"{where}: {name} has the class {other.cls} in an earlier line; keep one of the two")
        if other.attributes != label.attributes:
            told = other.attributes or "none"
            raise DataError(f"{where}: {name} has the attributes {told} in an earlier line; keep one of the two")
    if labels and all(label.attributes == "" for label in labels.values()):
        raise DataError(f"{path} has a column {_ATTRIBUTES} in which no line names one; fill it in or drop the column")
    return labels


def unread_columns(root: Path) -> list[str]:
    """The columns of labels.csv in the folder `root` that nobody reads; none where there is no such table."""
    path = root / LABELS
    if not path.is_file():
        return []
    table = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))
    return [column for column in table.fieldnames or () if column not in _COLUMNS]


def read_texts(files: Iterable[Path]) -> dict[Path, str]:
    """What the files `name.txt` beside pictures say, by picture; those that say nothing are left out."""
    beside = {file: text_beside(file) for file in files}
    found = {}
    for file, text in beside.items():
        if text.is_file():
            try:
                found[file] = " ".join(text.read_text("utf-8-sig").split())
            except UnicodeDecodeError as error:
                raise DataError(f"{text} is not UTF-8 text; save it as UTF-8") from error
    return {file: text for file, text in found.items() if text}


def text_beside(file: Path) -> Path:
    """Where the text of a picture may be."""
    return file.with_suffix(".txt")


def _hint(name: str, names: Iterable[str]) -> str:
    """What may have been meant by a name that no picture has."""
    if "\\" in name:
        return f"{has(name, names)}; the parts of a path are joined by /"
    composed = unicodedata.normalize("NFC", name)
    same = next((other for other in names if unicodedata.normalize("NFC", other) == composed), None)
    if same is None:
        return has(name, names)
    forms = ["composed" if unicodedata.is_normalized("NFC", one) else "decomposed" for one in (name, same)]
    return (
        f"; {same} is, which looks the same: its accents are {forms[1]} and those of this line are {forms[0]} (Unicode)"
    )


def _label(row: dict[str, str | None], where: str) -> Label:
    """One line. where: how an error about it begins."""
    cls = row.get("class")
    if "class" in row and not cls:
        raise DataError(f"{where} has no class; fill it in or drop the line")
    if _ATTRIBUTES not in row:
        return Label(cls, row.get(_TEXT) or None)
    told = row[_ATTRIBUTES]
    if told is None:
        raise DataError(f"{where} has no cell of attributes; end the line with a comma where it has none")
    names = told.split()
    for name in names:
        for separator in _SEPARATORS:
            if separator in name:
                raise DataError(f"{where} has the attribute {name!r}; put spaces between names, not {separator!r}")
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise DataError(f"{where} has the attribute {name} {times} times; keep one of them")
    return Label(cls, row.get(_TEXT) or None, spelled(names))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The lines below the first, with their numbers; DataError for what is no such table."""
    try:
        table = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))
        columns = list(table.fieldnames or ())
        _check_columns(path, columns)
        for row in table:
            if None in row:
                problem = f"has more cells than the first line has columns ({len(columns)}); quote a text with commas"
                raise DataError(f"{path}, line {table.line_num}: {row['file']} {problem}")
            yield table.line_num, row
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    """DataError where one is missing, stands there twice or is all but called as one that is read: others are not."""
    for separator in _SEPARATORS + "\t":
        if len(columns) == 1 and separator in columns[0]:
            raise DataError(
                f"{path} has {separator!r} between its columns; put commas there, as in {_COLUMNS[0]},{_COLUMNS[1]}"
            )
    for column in columns:
        if column in _COLUMNS and columns.count(column) > 1:
            raise DataError(f"{path} has {columns.count(column)} columns {column}; make one of them")
        close = difflib.get_close_matches(column.strip().lower(), _COLUMNS, n=1, cutoff=0.75)
        if column not in _COLUMNS and close and close[0] not in columns:
            raise DataError(f"{path} has a column {column!r}, which is not read; nearest: {close[0]}")
    missing = {"file", *(() if {_ATTRIBUTES, _TEXT} & set(columns) else ("class",))} - set(columns)
    if missing:
        raise DataError(
            f"{path} has no column {min(missing)}; its first line must be file and one or more of {', '.join(_COLUMNS[1:])}"
        )
