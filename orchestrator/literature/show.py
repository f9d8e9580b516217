"""What a table came to, for people and programs: its rows beside the published values, and what can be said of their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.literature.order import order_of, told
from orchestrator.literature.results import Result, differing
from orchestrator.literature.table import Table
from orchestrator.results.results import plain
from orchestrator.results.wording import value_cell
from orchestrator.saying import visible
from orchestrator.sweep_file.quantities import duration_text
from orchestrator.tables import print_parts, table, words

Results = Mapping[str, Result]


def titles(which: Table) -> dict[str, str]:
    """Row -> what it is called."""
    return {name: row.title or name for name, row in which.rows.items()}


def source(which: Table) -> str:
    """Where it is from, in few words."""
    return f"{which.source.paper.partition(':')[0]}, {which.source.table.partition(' (')[0]}"


def rows_of(which: Table, results: Results) -> list[dict[str, Any]]:
    """A row for people: its name, how far it is, and each score measured and published."""
    rows = []
    for name, row in which.rows.items():
        result = results[name]
        cells: dict[str, Any] = {"row": row.title or name, "state": result.state}
        for score in which.scores:
            cells[score] = value_cell(result.mean(score), result.spread(score))
            if any(score in other.published for other in which.rows.values()):
                cells[f"{score}, published"] = row.published.get(score)
        rows.append(cells)
    if all(result.is_whole for result in results.values()):
        rows = [{key: cell for key, cell in cells.items() if key != "state"} for cells in rows]
    return rows


def remarks(which: Table, results: Results) -> list[str]:
    """The order of the rows in words, and what keeps them from being compared."""
    lines = []
    for name, score in which.scores.items():
        published = {row: one.published[name] for row, one in which.rows.items() if name in one.published}
        if not published:
            lines.append(f"{name} ({score.metric}): no numbers are published, so there is no order to hold it against.")
            continue
        measured = {row: result.values.get(name, ()) for row, result in results.items()}
        lines += told(name, score, order_of(score, published, measured), titles(which))
    left = [titles(which)[row] for row, result in results.items() if not result.is_whole]
    if left:
        lines.append(f"not run to the end: {', '.join(left)}")
    return [*lines, *differing(results)]


def describe(which: Table, results: Results, full: bool) -> dict[str, Any]:
    """All of it as JSON-able values."""
    return {
        "name": which.name,
        "title": which.title,
        "source": which.source.model_dump(),
        "full": full,
        "scores": {name: score.model_dump() for name, score in which.scores.items()},
        "rows": [_describe_row(which, row, results[row], full) for row in which.rows],
        "order": {name: _describe_order(which, results, name) for name in which.scores},
        "remarks": remarks(which, results),
        "train_seconds": seconds(results),
    }


def show(which: Table, results: Results, console: Console, full: bool) -> None:
    """Print it for people."""
    size = ", at the paper's size" if full else ""
    title = f"{which.title}{size} ({which.source.paper}, {which.source.table})"
    said = Text(visible("\n".join(remarks(which, results))))
    print_parts(console, table(title, rows_of(which, results)), said)


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of Markdown; the columns are the first row's keys."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([words(row.get(column)) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def as_markdown(which: Table, results: Results) -> str:
    """The rows and what is said of them, as a part of a page."""
    said = [f"  - {line.strip()}" if line.startswith(" ") else f"- {line}" for line in remarks(which, results)]
    return f"{markdown(rows_of(which, results))}\n\n" + "\n".join(said)


def seconds(results: Results) -> float:
    """Of training, in all rows."""
    return sum(result.seconds for result in results.values())


def overview(tables: Sequence[Table], found: Sequence[Results]) -> list[dict[str, Any]]:
    """A row for each table: where it is from, how long it takes, what of it is done."""
    return [
        {
            "name": which.name,
            "source": source(which),
            "rows": len(which.rows),
            "seeds": which.seeds,
            "takes about": duration_text(60 * which.minutes),
            "done": f"{sum(result.is_whole for result in results.values())} of {len(results)} rows",
            "compares": which.title,
        }
        for which, results in zip(tables, found, strict=True)
    ]


def _describe_row(which: Table, row: str, result: Result, full: bool) -> dict[str, Any]:
    return {
        "row": row,
        "title": titles(which)[row],
        "sweep": result.sweep.state.id if result.sweep else None,
        "name": which.sweep_of(row, full),
        "state": result.state,
        "seeds": result.done,
        "of": result.of,
        "published": which.rows[row].published,
        "measured": {
            score: {"mean": plain(result.mean(score)), "spread": plain(result.spread(score)), "values": list(values)}
            for score, values in result.values.items()
        },
        "train_seconds": result.seconds,
    }


def _describe_order(which: Table, results: Results, name: str) -> dict[str, Any]:
    published = {row: one.published[name] for row, one in which.rows.items() if name in one.published}
    measured = {row: result.values.get(name, ()) for row, result in results.items()}
    order = order_of(which.scores[name], published, measured)
    pairs = [
        {
            "better": pair.better,
            "worse": pair.worse,
            "difference": pair.difference,
            "margin": plain(pair.margin),
            "verdict": pair.verdict,
        }
        for pair in order.pairs
    ]
    return {"tau": plain(order.tau), "pairs": pairs}
