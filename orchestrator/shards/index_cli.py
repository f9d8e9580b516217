"""The commands that work on shards that are there: take those of others over, check them, tell what is in them."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.options import Output, OutputOption
from orchestrator.shards.view import print_built, print_statistics, print_verified, watched

_DAMAGED = 1

Uri = Annotated[str, typer.Argument(help="Folder or s3:// address with the manifest.", show_default=False)]


def index(
    uri: Annotated[str, typer.Argument(help="Folder or s3:// address with the .tar files.", show_default=False)],
    out: Annotated[
        str,
        typer.Option(
            help="Where to put the manifest, for shards that cannot be written to.", show_default="beside the shards"
        ),
    ] = "",
    domain: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PATTERN",
            help="Which pictures are of a domain, by extension (a=edges.jpg), shard (a=horses-*.tar) or both "
            "(a=horses-*.tar:jpg); several times. Extensions tell the sides of pairs; shards are only pairs of one "
            "another with --paired.",
            show_default="the extensions tell: a.png is of a",
        ),
    ] = None,
    validation: Annotated[
        float, typer.Option(help="Share to hold back, 0 to below 1, where no shard's name tells (train, val, test).")
    ] = 0.1,
    paired: Annotated[
        bool,
        typer.Option("--paired", help="Where shards tell the domains: equal keys in different shards are pairs."),
    ] = False,
    name: Annotated[
        str,
        typer.Option(
            help="What to call it.", show_default="as in the manifest that is there, else the last part of the address"
        ),
    ] = "",
    prefix_keys: Annotated[
        bool,
        typer.Option(
            "--prefix-keys",
            help="Put the shard's name before every key, where shards repeat keys; without --paired this "
            "is done anyway where shards tell the domains.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse files that claim to be pictures and are none; else they are left out."),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Replace a manifest that is there.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Make a manifest for WebDataset tar shards that others wrote; the shards stay where and as they are."""
    from data_shards.index.index import IndexRequest, index

    request = IndexRequest(uri, out, tuple(domain or ()), validation, name, prefix_keys, strict, paired)
    with watched("index") as (progress,):
        report = index(request, again=again, progress=progress)
    print_built(report, output)


def verify(
    uri: Uri,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every picture too.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Check every byte against the manifest. Exit code 0: all good, 1: damage was found."""
    from data_shards.check.verify import verify

    with watched("verify") as (progress,):
        report = verify(uri, decode_too=decode, progress=progress)
    print_verified(report, output)
    if not report.good:
        raise typer.Exit(_DAMAGED)


def stat(
    uri: Uri,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw a sheet of samples into this file.")
    ] = None,
    samples: Annotated[int, typer.Option(help="How many samples the sheet shows.")] = 36,
    output: OutputOption = Output.table,
) -> None:
    """Tell what a data set holds: pictures by domain and split, pairs, sizes, classes, texts, hash, licence."""
    from data_shards.check.stat import statistics
    from data_shards.errors import DataError
    from data_shards.manifest import Manifest

    if sheet is not None and sheet.suffix.lower() != ".png":
        raise DataError(f"{sheet}: a sheet is a PNG file; give it a name that ends in .png")
    manifest = Manifest.open(uri)
    print_statistics(statistics(manifest), output)
    if sheet is not None:
        from data_shards.check.sheet import sheet_png

        sheet.write_bytes(sheet_png(manifest, samples))
        typer.echo(f"wrote {sheet}", err=output is Output.json)
