"""The command `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.options import Output, OutputOption, StorageOption, named_path
from orchestrator.storage import DEFAULT_STORAGE


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


def evaluate(
    real: Annotated[Path, typer.Option("--real", metavar="DIR", parser=named_path, help="Folder of real pictures.")],
    fake: Annotated[
        Path,
        typer.Option(
            "--fake", metavar="DIR", parser=named_path, help="Folder of pictures that somebody's network made."
        ),
    ],
    inputs: Annotated[
        Path | None,
        typer.Option(
            "--inputs", metavar="DIR", parser=named_path, help="Folder of what they were made of, by the same names."
        ),
    ] = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="A real picture is the truth of the generated one of its name.")
    ] = False,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--features",
            metavar="NAME=PATH",
            help="A network to compare in, as a TorchScript file; after commas image=299, range=0:1, channels=3. May be repeated.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="A task network to compare in, as in a sweep file. Where a labels.csv tells the classes of the inputs, "
            "it also says how many it reads right, or by how many degrees it is off.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="DIR",
            parser=named_path,
            help="Folder of label maps of what was translated, by the same names, for a task network that tells pixels apart.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="N", min=8, max=8192, help="Bring pictures to N x N pixels: the middle square, bicubic."),
    ] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """Score pictures in folders, whoever made them, by the functions that score a training."""
    from orchestrator.evaluate.evaluate import Asked, evaluate_folders, print_scores
    from orchestrator.tables import console, print_json

    told = evaluate_folders(Asked(real, fake, inputs, paired, tuple(features or ()), size, task, storage, labels))
    if output is Output.json:
        print_json(told)
    else:
        print_scores(told, console())
