"""`i2i-cluster report`: a sweep as one page, as logs for TensorBoard, and as runs for MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.options import StorageOption, SweepName, named_path
from orchestrator.storage import DEFAULT_STORAGE


def report(
    name: SweepName,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.html",
            parser=named_path,
            help="Where to write; default: NAME-report.html in this folder.",
        ),
    ] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            parser=named_path,
            help="Write the trials' numbers and pictures as TensorBoard logs there, and no page.",
        ),
    ] = None,
    mlflow: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="Send the trials to this MLflow tracking server, http(s)://..., as runs, and write no page. Again: what is new.",
        ),
    ] = None,
) -> None:
    """Write one page about a sweep: verdict, leaderboard, curves, pictures, provenance. It opens anywhere, without a network.

    Reads the sweep's log and storage alone: while it runs, when it is done, and when its driver is dead.
    """
    from orchestrator.report.command import send_mlflow, write_page, write_tensorboard

    if mlflow is not None:
        send_mlflow(name, storage, mlflow, file, tensorboard)
    elif tensorboard is None:
        write_page(name, storage, file)
    else:
        write_tensorboard(name, storage, tensorboard, file)


def register(app: typer.Typer) -> None:
    """Add this command to the program's own."""
    app.command(
        epilog="Examples: i2i-cluster report quickstart; i2i-cluster report quickstart -o page.html; "
        "i2i-cluster report quickstart --tensorboard logs; i2i-cluster report quickstart --mlflow http://localhost:5000"
    )(report)
