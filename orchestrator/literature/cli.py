"""`i2i-cluster tables`: comparisons that papers print, made again as sweeps and put beside what was published."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.options import ClusterOption, Output, OutputOption, StorageOption, named_path
from orchestrator.saying import say
from orchestrator.storage import DEFAULT_STORAGE

app = typer.Typer(
    help="Tables of the literature, made again as sweeps: one a row, with the published values beside them.",
    no_args_is_help=True,
)


class Form(StrEnum):
    """How a table is printed."""

    table = "table"
    json = "json"
    markdown = "markdown"


TableName = Annotated[
    str, typer.Argument(metavar="NAME", help="A table of ./examples/tables, or the path of a file like those.")
]
FullOption = Annotated[bool, typer.Option("--full", help="At the paper's size, which wants a GPU and days.")]


@app.command("list")
def list_tables(storage: StorageOption = DEFAULT_STORAGE, output: OutputOption = Output.table) -> None:
    """List the tables of ./examples/tables: where each is from, how long it takes, what of it is done in this storage."""
    from orchestrator.errors import Refusal
    from orchestrator.literature.results import look
    from orchestrator.literature.show import overview
    from orchestrator.literature.table import FOLDER, find_table, table_names
    from orchestrator.tables import console, print_json, table

    found = []
    for name in table_names():
        try:
            found.append(find_table(name))
        except Refusal as refusal:  # of one, and no reason to say nothing of the others
            for line in refusal.lines():
                say(f"left out {name}: {line}", aside=True)
    rows = overview(found, look(found, storage))
    if output is Output.json:
        print_json(rows)
    elif rows:
        console().print(table("Tables", rows))
    else:
        say(f"no tables in {FOLDER}; `tables run` also takes the path of a file", aside=True)


@app.command(epilog="Example: i2i-cluster tables run pix2pix-losses --rows l1,cgan --seeds 3")
def run(
    name: TableName,
    rows: Annotated[
        str | None, typer.Option("--rows", metavar="A,B", help="These rows alone.", show_default="all")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="Trainings of each row.", show_default="the table's")
    ] = None,
    full: FullOption = False,
    storage: StorageOption = DEFAULT_STORAGE,
    cluster: ClusterOption = None,
) -> None:
    """Make a table's data sets and task networks, then train its rows, one after the other.

    The same command again goes on where it stopped; rows that are done cost nothing.
    """
    from orchestrator.literature.table import find_table
    from orchestrator.targets import cluster_in

    table = find_table(name)
    place = cluster_in(cluster)

    from orchestrator.literature.runs import Asked, chosen, run_table
    from orchestrator.tables import console

    code = run_table(Asked(table, chosen(table, rows), full, seeds, storage, place), console())
    if code:
        raise typer.Exit(code)
    say(
        f"`i2i-cluster tables show {name}{' --full' if full else ''}` puts them beside the published values", aside=True
    )


@app.command(epilog="Example: i2i-cluster tables show pix2pix-losses --write docs/tables")
def show(
    name: TableName,
    full: FullOption = False,
    storage: StorageOption = DEFAULT_STORAGE,
    output: Annotated[
        Form, typer.Option("--output", "-o", help="A table for people, JSON for programs, or Markdown.")
    ] = Form.table,
    write: Annotated[
        Path | None,
        typer.Option(metavar="DIR", parser=named_path, help="Write the table's page and the index into this folder."),
    ] = None,
) -> None:
    """Show a table's rows beside the published values, and where their order agrees with the published one."""
    from orchestrator.literature.results import look
    from orchestrator.literature.show import as_markdown, describe, show
    from orchestrator.literature.table import find_table
    from orchestrator.tables import console, print_json

    table = find_table(name)
    (results,) = look([table], storage, full)
    if write is not None:
        from orchestrator.literature.pages import write_pages

        for file in write_pages(write, table, results, full):
            say(f"wrote {file}", aside=output is not Form.table)
    if output is Form.json:
        print_json(describe(table, results, full))
    elif output is Form.markdown:
        print(as_markdown(table, results))
    elif write is None:
        show(table, results, console(), full)
