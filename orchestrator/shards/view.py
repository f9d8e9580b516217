"""How `i2i-cluster shards` shows its work and what came of it: progress with the time left, tables, JSON."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from orchestrator.options import Output

if TYPE_CHECKING:
    from rich.progress import TaskID

    from data_shards.build.writer import BuildReport, Description
    from data_shards.check.stat import ClassCount, Spread, Statistics
    from data_shards.check.verify import ShardReport, VerifyReport

_SHOWN = 20  # bad samples of one shard
_CLASSES = 5  # most and least frequent
_BAR = 30  # letters
_SOON = 1.0  # seconds; of work that is done sooner nothing is told


Progress = Callable[[int, int], None]


def print_built(report: "BuildReport", output: Output) -> None:
    """What a build or an index made, or found there."""
    if output is Output.table:
        typer.echo(f"{report.uri} is up to date, nothing was done" if report.up_to_date else f"made {report.uri}")
    _print_description(report, output)


def print_statistics(found: "Statistics", output: Output) -> None:
    """Everything that `stat` tells."""
    _print_description(found, output)
    if output is Output.json:
        return
    if found.home != found.uri:
        typer.echo(f"shards at {found.home}")
    if found.shard_bytes is not None:
        typer.echo(f"shards: {_spread(found.shard_bytes)}")
    for domain, spread in found.picture_bytes.items():
        typer.echo(f"pictures of {domain}: {_spread(spread)}")
    if any(found.texts.values()):
        counts = (
            f"{texts:,} of {sum(found.pictures[domain].values()):,} of {domain}"
            for domain, texts in found.texts.items()
        )
        typer.echo(f"pictures with a text: {', '.join(counts)}")
    for domain, names in found.labels.items():
        typer.echo(f"grey levels of {domain}, darkest first: {', '.join(names)}")
    if found.balance:
        _print_counts("class", found.balance, found.unlabelled)
    if found.attributes:
        _print_counts("attribute", found.attributes, {})


def print_verified(report: "VerifyReport", output: Output) -> None:
    """The bad shards with their bad samples, and how many are good."""
    from orchestrator.tables import console, print_json, table

    if output is Output.json:
        shards = [{**asdict(shard), "good": shard.good} for shard in report.shards]
        print_json({**asdict(report), "good": report.good, "shards": shards})
        return
    bad = [shard for shard in report.shards if not shard.good]
    if bad:
        console().print(table("Damaged shards", [_shard_row(shard) for shard in bad]))
    for shard in bad:
        for sample in shard.samples[:_SHOWN]:
            typer.echo(f"{shard.name}: {sample.key} in domain {sample.domain} {sample.problem}")
        if len(shard.samples) > _SHOWN:
            typer.echo(f"{shard.name}: {len(shard.samples) - _SHOWN:,} more (-o json lists them all)")
    for name in report.extra:
        typer.echo(f"note: {name} is not in the manifest; no training reads it")
    pictures = sum(shard.pictures for shard in report.shards)
    what = "checksums and decoding" if report.decoded else "checksums"
    typer.echo(
        f"{len(report.shards) - len(bad):,} of {len(report.shards):,} shards are good "
        f"({pictures:,} pictures, {what}, sha256 {report.sha256})"
    )
    if bad:
        typer.echo("restore the damaged shards from a copy, or make the data set again")


def _shard_row(shard: "ShardReport") -> dict[str, object]:
    samples = f"{len(shard.samples):,} of {shard.pictures:,}"
    return {"shard": shard.name, "bad pictures": samples, "the file": "; ".join(shard.problems)}


def _print_description(description: "Description", output: Output) -> None:
    """Everything a description says, as one JSON object or as a small table with notes under it."""
    from orchestrator.tables import Columns, console, print_json

    if output is Output.json:
        print_json(asdict(description))
        return
    rows: list[tuple[str, ...]] = []
    for domain, counts in description.pictures.items():
        stored = f"{'at least ' if domain in description.differing else ''}{description.shapes[domain]}"
        rows.append((domain, stored, f"{counts['train']:,}", f"{counts['validation']:,}"))
    rows.append(("pairs", "", *(f"{count:,}" for count in description.pairs.values())))
    console().print(Columns(("domain", "stored", "train", "validation"), rows, framed=False))
    classes = f"{description.classes:,} classes, " if description.classes else ""
    typer.echo(
        f"{description.name}: {description.shards:,} shards, {description.bytes / 1e6:,.1f} MB, "
        f"{classes}sha256 {description.sha256}"
    )
    for note in (*description.notes, description.license):
        if note:
            typer.echo(note)


def _print_counts(what: str, counts: Sequence["ClassCount"], without: Mapping[str, int]) -> None:
    """The most and the least frequent, with bars as long as their share of the most frequent one. without: those that have
    none, by domain."""
    from orchestrator.tables import Columns, console

    most = max(1, counts[0].total)

    def row(count: "ClassCount") -> tuple[str, ...]:
        bar = "#" * max(1, round(_BAR * count.total / most)) if count.total else ""
        return (count.name, *(f"{pictures:,}" for pictures in count.pictures.values()), bar)

    rows = [row(count) for count in counts[:_CLASSES]]
    if len(counts) > 2 * _CLASSES:
        rows.append((f"... {len(counts) - 2 * _CLASSES:,} more",))
    rows += [row(count) for count in counts[_CLASSES:][-_CLASSES:]]
    if any(without.values()):
        rows.append((f"no {what}", *(f"{count:,}" for count in without.values())))
    console().print(Columns((what, *counts[0].pictures, ""), rows, f"Training pictures by {what}", framed=False))


def _spread(spread: "Spread") -> str:
    return f"{spread.least:,} to {spread.most:,} bytes, median {spread.median:,}"


@contextmanager
def watched(*names: str) -> Iterator[list[Progress]]:
    """Places to report (done, total) to, one per kind of work: bars with the time left on a terminal, else lines.

    Both appear when the work has taken a second. Enter it when everything is imported, which is no part of the work.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield [_Lines(name) for name in names]
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks = [bars.add_task(name, total=None, visible=False) for name in names]

        start = time.monotonic()

        def report(task: "TaskID") -> Progress:
            def told(done: int, total: int) -> None:
                bars.update(task, completed=done, total=total, visible=time.monotonic() - start >= _SOON)

            return told

        yield [report(task) for task in tasks]


class _Lines:
    """Writes a plain line where the work passes another tenth, with the time left. clock: seconds."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._clock = name, clock
        self._start = clock()

    def __call__(self, done: int, total: int) -> None:
        spent = self._clock() - self._start
        if spent >= _SOON and done * 10 // total > (done - 1) * 10 // total:
            left = spent / done * (total - done)
            soon = f", about {left:,.0f} s left" if left > _SOON else ""
            typer.echo(f"{self._name}: {done:,} of {total:,}{soon}", err=True)
