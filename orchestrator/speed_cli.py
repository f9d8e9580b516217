"""`i2i-cluster speed`: which arithmetic is the fastest here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.options import Output, OutputOption


def speed(
    file: Annotated[Path, typer.Argument(metavar="SWEEP.YAML", help="The sweep file.")],
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=1000, help="How often each way has its turn.")] = 3,
    steps: Annotated[int, typer.Option("--steps", min=1, max=10_000, help="Steps that are timed in a turn.")] = 3,
    compiling: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Compiled networks, too: a minute more for each way.")
    ] = True,
    output: OutputOption = Output.table,
) -> None:
    """Time a step of the sweep's preset in every precision, memory layout and with compiled networks, as far as this machine has
    them, and say what to write into the file for the fastest. Trains nothing, writes nothing."""
    from orchestrator.sweep_file.draft import load_draft

    draft = load_draft(file, None)

    from orchestrator.planning.speed import show_speed

    as_json = output is Output.json
    show_speed(draft, str(file), rounds=rounds, steps=steps, compiling=compiling, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add this command to the program's own."""
    app.command(epilog="Example: i2i-cluster speed examples/quickstart.yaml --no-compile")(speed)
