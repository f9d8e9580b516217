"""How readers print: a table on a terminal, plain text in a pipe, or JSON."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PIPE_WIDTH = 200  # a pipe has no width; narrow tables would cut what a program is meant to read


def console() -> Console:
    """The console on standard output; colours only on a terminal (rich also honours NO_COLOR)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an ASCII locale shows ? for Greek letters instead of failing
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def print_json(value: object) -> None:
    """Print `value` as JSON in ASCII, for other programs."""
    print(json.dumps(value, indent=2, allow_nan=False))


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """A table of `rows`; the columns are their keys, in order of first appearance."""
    made = Table(title=escape(title), title_justify="left", title_style="bold")
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for column in columns:
        made.add_column(escape(column))
    for row in rows:
        made.add_row(*(cell(row.get(column)) for column in columns))
    return made


def facts(pairs: Mapping[str, str]) -> Table:
    """Names and what is said of them, a line each, without a frame."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, fact in pairs.items():
        made.add_row(escape(name), escape(fact))
    return made


def cell(value: object) -> str:
    """`words(value)` as a cell of a table: no bracket in it is taken for markup."""
    return escape(words(value))


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
