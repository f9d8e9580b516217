"""`i2i-cluster translate|draw|export`: what one does with the models of a sweep."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.options import Output, OutputOption, StorageOption, SweepName, named_path
from orchestrator.storage import DEFAULT_STORAGE

MOST = 1000  # outputs of one input, or of one kind

TrialOption = Annotated[
    int | None, typer.Option("--trial", metavar="N", help="Use this trial's networks, in place of the best model.")
]
CheckpointOption = Annotated[
    int | None,
    typer.Option(
        "--checkpoint", metavar="STEP", help="Of that trial, the checkpoint of this step; default: the newest."
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="What codes are drawn by.")]
InterpolateOption = Annotated[
    int, typer.Option("--interpolate", metavar="N", max=MOST, help="N outputs, on the way from one code to another.")
]
StripOption = Annotated[bool, typer.Option("--strip", help="Also write all that belongs together in a row.")]


class Format(StrEnum):
    """What an exported model is written as."""

    safetensors = "safetensors"
    torchscript = "torchscript"
    onnx = "onnx"


def translate(
    name: SweepName,
    source: Annotated[
        str, typer.Argument(metavar="IN", help="A folder of pictures, a pattern in quotes, or a picture.")
    ],
    target: Annotated[
        Path, typer.Argument(metavar="OUT_DIR", parser=named_path, help="Folder for the translations, PNG.")
    ],
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="Domain to translate to; default: the system's main one. Of StarGAN a class, or attributes."
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size", metavar="keep|N", help="Pixels a side, or each picture's own size; default: as trained."
        ),
    ] = None,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, max=4096, help="Pictures that go through at once.")
    ] = 1,
    codes: Annotated[
        int,
        typer.Option("--codes", metavar="N", max=MOST, help="N outputs of each picture, of N codes, the same for all."),
    ] = 0,
    interpolate: InterpolateOption = 0,
    seed: SeedOption = 0,
    strip: StripOption = False,
    trial: TrialOption = None,
    checkpoint: CheckpointOption = None,
    storage: StorageOption = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """Translate pictures with a sweep's best model, or with another one of its trainings."""
    _check_count("--codes", codes, 1)
    _check_count("--interpolate", interpolate, 2)

    from orchestrator.models.translate import Asked
    from orchestrator.models.translate import translate as run

    asked = Asked(source, target, to, size, batch, codes, interpolate, seed, strip, trial, checkpoint)
    run(name, storage, asked, output is Output.json)


def draw(
    name: SweepName,
    target: Annotated[Path, typer.Argument(metavar="OUT_DIR", parser=named_path, help="Folder for the pictures, PNG.")],
    codes: Annotated[int, typer.Option("--codes", metavar="N", min=1, max=MOST, help="How many, of each kind.")] = 16,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="A class to draw, or attributes with commas; may be repeated."),
    ] = None,
    texts: Annotated[
        list[str] | None, typer.Option("--text", metavar="TEXT", help="A text to draw pictures of; may be repeated.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Domain to draw, where there are two.")] = None,
    interpolate: InterpolateOption = 0,
    mix: Annotated[
        str, typer.Option("--mix", metavar="0-1+2", help="A sum of codes, by their numbers; those are drawn beside it.")
    ] = "",
    seed: SeedOption = 0,
    strip: StripOption = False,
    trial: TrialOption = None,
    checkpoint: CheckpointOption = None,
    storage: StorageOption = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """Draw pictures with a model that makes them from noise, of a class or of a text."""
    _check_count("--interpolate", interpolate, 2)

    from orchestrator.models.draw import Wanted
    from orchestrator.models.draw import draw as run

    told = (tuple(kinds or ()), tuple(texts or ()))
    wanted = Wanted(target, codes, seed, *told, interpolate, mix, to, strip, trial, checkpoint)
    run(name, storage, wanted, output is Output.json)


def export(
    name: SweepName,
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file; its model card lies beside it, as OUT.md.")],
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.onnx,
    to: Annotated[
        str | None, typer.Option("--to", help="Domain that it makes pictures of; default: the system's main one.")
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(
            "--tolerance", metavar="X", min=0.0, help="Refuse a file whose outputs, in [-1, 1], are further off."
        ),
    ] = 1e-3,
    without_dropout: Annotated[
        bool,
        typer.Option(
            "--without-dropout", help="Leave out the dropout that translate draws: no file can draw the same."
        ),
    ] = False,
    trial: TrialOption = None,
    checkpoint: CheckpointOption = None,
    storage: StorageOption = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """Write a model for other programs, with its model card, once what the file computes was compared with the model."""
    from orchestrator.models.export import Order
    from orchestrator.models.export import export as run

    order = Order(target, form.value, to, tolerance, without_dropout, trial, checkpoint)
    run(name, storage, order, output is Output.json)


def _check_count(option: str, count: int, least: int) -> None:
    """0 means that it was not asked for."""
    from orchestrator.errors import Refusal

    if count != 0 and count < least:
        raise Refusal(f"must be {least} or more", path=option, value=count)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(translate)
    app.command()(draw)
    app.command()(export)
