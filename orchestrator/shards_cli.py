"""`i2i-cluster shards`: make data sets out of pictures, and say what is in one.

The builders bring numpy, Pillow and Parquet with them, which a command line must not wait for to print its help: they
are imported by the command that needs them, and nothing else of weight is imported here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from data_shards.writer import BuildReport, Description

app = typer.Typer(help="Make data sets (shards of pictures) and look into them.", no_args_is_help=True)
build_app = typer.Typer(help="Make shards and their manifest in a new folder.", no_args_is_help=True)
app.add_typer(build_app, name="build")


class Output(StrEnum):
    """How to print: for people or for programs."""

    table = "table"
    json = "json"


Out = Annotated[str, typer.Argument(help="Folder to make; it must not exist yet, or be empty.", show_default=False)]
Share = Annotated[float, typer.Option(help="Share of the pictures to hold back for validation, 0 to below 1.")]
OutputOption = Annotated[Output, typer.Option("-o", "--output", help="Print a table or JSON.")]


@build_app.command()
def openmoji(
    out: Out,
    size: Annotated[int, typer.Option(help="Side in pixels. 72 leaves room to crop 64.")] = 72,
    validation: Share = 0.1,
    limit: Annotated[
        int | None, typer.Option(help="At most so many pairs, for a quick try.", show_default="all")
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Line drawings (a) and colour pictures (b) of the OpenMoji emojis: about 4,000 true pairs."""
    with _progress("openmoji") as progress:
        from data_shards.openmoji import build_openmoji

        report = build_openmoji(out, size=size, validation=validation, limit=limit, progress=progress)
    _print_built(report, output)


@build_app.command()
def digits(
    out: Out,
    size: Annotated[int | None, typer.Option(help="Side in pixels.", show_default="28 for a, 8 for b")] = None,
    validation: Share = 0.1,
    output: OutputOption = Output.table,
) -> None:
    """Handwritten digits, unpaired: 5,000 of MNIST (a) and 1,797 of optdigits (b)."""
    with _progress("digits") as progress:
        from data_shards.digits import build_digits

        report = build_digits(out, size=size, validation=validation, progress=progress)
    _print_built(report, output)


@build_app.command()
def folder(
    out: Out,
    source: Annotated[str, typer.Option("--from", help="Folder with the pictures.", show_default=False)],
    layout: Annotated[
        str,
        typer.Option(
            help="folders: a/ and b/. train-test: trainA/, trainB/, testA/, testB/. side-by-side: A|B in one picture, "
            "in train/, val/, test/ or directly. auto: one of the first two."
        ),
    ] = "auto",
    paired: Annotated[bool, typer.Option("--paired", help="Join the two folders' pictures by file name.")] = False,
    size: Annotated[
        int | None, typer.Option(help="Side in pixels: the middle square, scaled.", show_default="as they are")
    ] = None,
    validation: Share = 0.1,
    output: OutputOption = Output.table,
) -> None:
    """Your own pictures. A file labels.csv in the folder may give columns file,class,text."""
    with _progress("folder") as progress:
        from data_shards.folder import build_folder

        report = build_folder(
            out, source=source, layout=layout, paired=paired, size=size, validation=validation, progress=progress
        )
    _print_built(report, output)


@app.command()
def stat(
    uri: Annotated[str, typer.Argument(help="Folder with shards.", show_default=False)],
    output: OutputOption = Output.table,
) -> None:
    """What a data set holds: pictures per domain and split, pairs, sizes, hash, licence."""
    from data_shards.manifest import Manifest
    from data_shards.writer import describe

    _print(describe(Manifest.open(uri)), output)


def _print_built(report: "BuildReport", output: Output) -> None:
    if output is Output.table:
        typer.echo(f"{report.uri} is up to date, nothing was done" if report.up_to_date else f"made {report.uri}")
    _print(report, output)


def _print(description: "Description", output: Output) -> None:
    """Everything a description says, as one JSON object or as a small table with notes under it."""
    from dataclasses import asdict

    if output is Output.json:
        import json

        typer.echo(json.dumps(asdict(description), indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("domain", "stored", "train", "validation", box=None, pad_edge=False)
    for domain, counts in description.pictures.items():
        table.add_row(domain, description.shapes[domain], f"{counts['train']:,}", f"{counts['validation']:,}")
    table.add_row("pairs", "", *(f"{count:,}" for count in description.pairs.values()))
    console = Console()
    console.print(table, highlight=False)
    typer.echo(
        f"{description.name}: {description.shards} shards, {description.bytes / 1e6:,.1f} MB, "
        f"{description.classes:,} classes, sha256 {description.sha256}"
    )
    for note in (*description.notes, description.license):
        if note:
            typer.echo(note)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A place to report (done, total) to: a bar with the time left on a terminal, else a line per tenth."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total: _say_tenths(what, done, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _say_tenths(what: str, done: int, total: int) -> None:
    """Write a plain line where `done` passes another tenth of `total`."""
    if done * 10 // total > (done - 1) * 10 // total:
        typer.echo(f"{what}: {done:,} of {total:,}", err=True)
