"""The arguments that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """How a reader prints."""

    table = "table"
    json = "json"


def named_path(text: str) -> Path:
    """A path that was named: an empty one would be this folder, which a script whose variable is empty does not mean."""
    if not str(text):
        raise typer.BadParameter("is empty; `.` is this folder")
    return Path(text)


SweepName = Annotated[
    str, typer.Argument(metavar="SWEEP", help="A sweep's name, id or folder, or its address, s3://.../ID.")
]
StorageOption = Annotated[
    str, typer.Option("--storage", help="Where to look for sweeps: a folder or an s3:// address.")
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="CLUSTER", help="Where to run, in place of the file's `cluster`: local, or an address."
    ),
]
WaitOption = Annotated[
    bool, typer.Option("--wait/--detach", help="Follow it to its end, or hand it over and return at once.")
]
MetricsPortOption = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        metavar="N",
        help="Port of the sweep's metrics, in place of the file's `metrics.port`; 0: none.",
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Tables for people, or JSON for programs.")]
