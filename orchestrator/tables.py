"""How readers print: tables with frames on a terminal, plain columns in a pipe, or JSON.

In a pipe nothing is as wide as a terminal: a line is as long as what it says, is never broken, and ends where that ends.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table

from orchestrator.saying import visible

PIPE_WIDTH = 1_000_000  # a pipe has no width: nothing that a program is meant to read is broken or cut
GAP = "  "  # between columns
WIDEST = 24  # of a usual cell: one long cell would fill all rows with spaces


@dataclass(frozen=True)
class Columns:
    """Rows of text under one another: framed on a terminal where `framed`, and in a pipe without anything around them.

    heads: the columns' names; empty: without. `bold`: the first column is a name of the rest. widest: of a cell that others
    make room for in a pipe.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    framed: bool = True
    bold: bool = False
    widest: int = WIDEST

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.is_terminal:
            yield self._table()
            return
        for line in self._lines():
            yield Segment(f"{line}\n")

    def _table(self) -> Table:
        made = Table(
            title=escape(visible(self.title)) or None,
            title_justify="left",
            title_style="bold",
            show_header=bool(self.heads),
        )
        if not self.framed:
            made.box, made.pad_edge, made.padding = None, False, (0, len(GAP), 0, 0)
        for index in range(max(map(len, [self.heads, *self.rows]))):
            style = "bold" if self.bold and index == 0 else None
            head = escape(visible(self.heads[index])) if self.heads else ""
            made.add_column(head, style=style, no_wrap=style is not None, overflow="fold" if self.bold else "ellipsis")
        for row in self.rows:
            made.add_row(*(escape(visible(cell)) for cell in row))
        return made

    def _lines(self) -> Iterator[str]:
        """The title, the heads and the rows. A cell of several lines goes on under itself, and a long one pushes those that
        follow it to the right."""
        if self.title:
            yield visible(self.title)
        lines = [list(map(visible, self.heads))] if self.heads else []
        for row in self.rows:
            lines += map(list, zip_longest(*(visible(cell).split("\n") for cell in row), fillvalue=""))
        widths = [
            max([0, *(len(cell) for cell in column if len(cell) <= self.widest)])
            for column in zip_longest(*lines, fillvalue="")
        ]
        starts = [0, *accumulate(width + len(GAP) for width in widths)]
        for line in lines:
            text = ""
            for cell, start in zip(line, starts, strict=False):
                if cell:
                    text = (text and text + GAP).ljust(start) + cell
            yield text.rstrip()


def console() -> Console:
    """The console on standard output; colours only on a terminal (rich also honours NO_COLOR)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an ASCII locale shows ? for Greek letters instead of failing
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def print_json(value: object) -> None:
    """Print `value` as JSON in ASCII, for other programs."""
    print(json.dumps(value, indent=2, allow_nan=False))


def print_parts(console: Console, *parts: RenderableType) -> None:
    """Print the parts of an answer one after another; in a pipe, where nothing frames them, with an empty line between."""
    for number, part in enumerate(parts):
        if number and not console.is_terminal:
            console.print()
        console.print(part)


def table(title: str, rows: Sequence[Mapping[str, Any]], *, framed: bool = True, widest: int = WIDEST) -> Columns:
    """A table of `rows`; the columns are their keys, in order of first appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return Columns(
        columns, [[words(row.get(column)) for column in columns] for row in rows], title, framed, widest=widest
    )


def facts(pairs: Mapping[str, str]) -> Columns:
    """Names and what is said of them, a line each, without a frame."""
    return Columns((), list(pairs.items()), framed=False, bold=True)


def cell(value: object) -> str:
    """`words(value)` as a cell of a table of rich: no bracket in it is taken for markup."""
    return escape(visible(words(value)))


def words(value: object) -> str:
    """`value` in a few words: numbers to 6 digits, nothing for None, `log_uniform 0.1 .. 2` for a distribution."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {words(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(words(part) for part in value)
    return str(value)
