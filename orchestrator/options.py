"""The arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

SweepName = Annotated[str, typer.Argument(metavar="SWEEP", help="A sweep's name, id or folder, or its s3:// address.")]
StorageOption = Annotated[
    str, typer.Option("--storage", help="Where to look for sweeps: a folder or an s3:// address.")
]
