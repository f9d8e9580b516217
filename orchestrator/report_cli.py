"""`i2i-cluster report`: a sweep as one page, and as logs for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.options import StorageOption, SweepName
from orchestrator.storage import DEFAULT_STORAGE


def report(
    name: SweepName,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE.html", help="Where to write; default: NAME-report.html in this folder."
        ),
    ] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write the trials' numbers and pictures as TensorBoard logs there, and no page."
        ),
    ] = None,
) -> None:
    """Write one page about a sweep: verdict, leaderboard, curves, pictures, provenance. It opens anywhere, without a network.

    Reads the sweep's log and storage alone: while it runs, when it is done, and when its driver is dead.
    """
    from orchestrator.report_command import write_page, write_tensorboard

    if tensorboard is None:
        write_page(name, storage, file)
    else:
        write_tensorboard(name, storage, tensorboard, file)


def register(app: typer.Typer) -> None:
    """Add this command to the program's own."""
    app.command(
        epilog="Examples: i2i-cluster report quickstart; i2i-cluster report quickstart -o page.html; "
        "i2i-cluster report quickstart --tensorboard logs"
    )(report)
