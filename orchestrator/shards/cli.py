"""`i2i-cluster shards`: make data sets out of pictures, take over those of others, and look after both.

The builders bring numpy, Pillow and Parquet with them, which a command line must not wait for to print its help: they
are imported by the command that needs them, and nothing else of weight is imported here.
"""

from typing import Annotated

import typer

from orchestrator.options import Output, OutputOption
from orchestrator.shards.index_cli import index, stat, verify
from orchestrator.shards.view import print_built, watched

app = typer.Typer(
    help="Make data sets (shards of pictures), index those of others, and check them.", no_args_is_help=True
)
build_app = typer.Typer(
    help="Make shards and their manifest in a new folder or at an s3:// address.", no_args_is_help=True
)
app.add_typer(build_app, name="build")

Out = Annotated[
    str,
    typer.Argument(help="Folder or s3:// address to make; nothing may be there yet.", show_default=False),
]
Share = Annotated[float, typer.Option(help="Share of the pictures to hold back for validation, 0 to below 1.")]


@build_app.command(
    epilog="Example: i2i-cluster shards build openmoji 's3://bucket/openmoji?endpoint=http://127.0.0.1:8333' --labels"
)
def openmoji(
    out: Out,
    size: Annotated[int, typer.Option(help="Side in pixels. 72 leaves room to crop 64.")] = 72,
    validation: Share = 0.1,
    limit: Annotated[
        int | None, typer.Option(help="At most so many pairs, for a quick try.", show_default="all")
    ] = None,
    labels: Annotated[
        bool,
        typer.Option("--labels", help="Also a domain `labels`: what each pixel shows, as grey levels."),
    ] = False,
    classes: Annotated[
        str,
        typer.Option(
            help="base: the emoji without its variants. skin-tone: none, light, ... dark. five-tones: those with one tone alone."
        ),
    ] = "base",
    attributes: Annotated[
        bool, typer.Option("--attributes", help="Also attributes: skin tones, hair and genders, any number for each.")
    ] = False,
    texts: Annotated[
        bool, typer.Option("--texts", help="Only pictures that Unicode has names for, so that each has a text.")
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """Line drawings (a) and colour pictures (b) of the OpenMoji emojis: about 4,000 true pairs with their names."""
    from data_shards.build.openmoji import build_openmoji

    with watched("openmoji", "upload") as (progress, upload):
        report = build_openmoji(
            out,
            size=size,
            validation=validation,
            limit=limit,
            labels=labels,
            classes=classes,
            attributes=attributes,
            texts=texts,
            progress=progress,
            upload=upload,
        )
    print_built(report, output)


@build_app.command(epilog="Example: i2i-cluster shards build digits shards/digits --size 32")
def digits(
    out: Out,
    size: Annotated[int | None, typer.Option(help="Side in pixels.", show_default="28 for a, 8 for b")] = None,
    validation: Share = 0.1,
    output: OutputOption = Output.table,
) -> None:
    """Handwritten digits, unpaired: 5,000 of MNIST (a) and 1,797 of optdigits (b)."""
    from data_shards.build.digits import build_digits

    with watched("digits", "upload") as (progress, upload):
        report = build_digits(out, size=size, validation=validation, progress=progress, upload=upload)
    print_built(report, output)


@build_app.command(epilog="Example: i2i-cluster shards build turned shards/turned --size 32")
def turned(
    out: Out,
    size: Annotated[int, typer.Option(help="Side in pixels.")] = 32,
    validation: Annotated[
        float, typer.Option(help="Share of the emojis to hold back for validation, at all angles; 0 to below 1.")
    ] = 0.2,
    output: OutputOption = Output.table,
) -> None:
    """Emojis turned in the plane, unpaired: ground vehicles (a) and faces (b), each in 24 angles, which are their classes."""
    from data_shards.build.turned import build_turned

    with watched("turned", "upload") as (progress, upload):
        report = build_turned(out, size=size, validation=validation, progress=progress, upload=upload)
    print_built(report, output)


@build_app.command(
    epilog="Example: i2i-cluster shards build folder shards/facades --from facades --layout side-by-side"
)
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
        int | None,
        typer.Option(
            help="Side in pixels: the middle square, scaled. Without it all pictures of a domain must have one size.",
            show_default="as they are",
        ),
    ] = None,
    validation: Share = 0.1,
    output: OutputOption = Output.table,
) -> None:
    """Your own pictures. A file labels.csv in the folder may give columns file,class,text,attributes."""
    from data_shards.build.folder import build_folder

    with watched("folder", "upload") as (progress, upload):
        report = build_folder(
            out,
            source=source,
            layout=layout,
            paired=paired,
            size=size,
            validation=validation,
            progress=progress,
            upload=upload,
        )
    print_built(report, output)


app.command(
    epilog="Examples: i2i-cluster shards index my-shards (members like 0001.a.png, 0001.b.jpg); "
    "i2i-cluster shards index s3://bucket/horse2zebra --domain 'a=horses-*.tar' --domain 'b=zebras-*.tar' (no pairs); "
    "i2i-cluster shards index my-maps --domain 'a=photos-*.tar' --domain 'b=maps-*.tar' --paired (equal keys are pairs)"
)(index)
app.command(epilog="Example: i2i-cluster shards verify s3://bucket/openmoji --decode")(verify)
app.command(epilog="Example: i2i-cluster shards stat shards/openmoji --sheet openmoji.png")(stat)
