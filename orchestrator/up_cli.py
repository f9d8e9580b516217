"""`i2i-cluster up|down`: a Ray cluster of several nodes on this machine, for trying out what runs on a cluster."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from orchestrator.saying import say


def up(
    nodes: Annotated[int, typer.Option("--nodes", min=1, max=64, help="Nodes, the head included.")] = 3,
    cpus: Annotated[
        int | None, typer.Option("--cpus", min=1, help="CPUs that each node offers; default: this machine's, divided.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1024, max=65535, help="Port of its Jobs API.")] = 8265,
    token: Annotated[bool, typer.Option("--token/--no-token", help="Whether it asks for a token.")] = True,
) -> None:
    """Start a Ray cluster of several nodes on this machine, in the background; prints how to reach it.

    It listens on this machine alone. `eval "$(i2i-cluster up)"` also sets the variable that names its token.
    """
    from cluster.up.cluster import describe
    from cluster.up.cluster import up as start

    made = start(nodes, cpus, port, token)
    say(f"# a Ray cluster is up: {describe(made)}; `i2i-cluster down` ends it")
    if made.token:
        say(f"export RAY_AUTH_TOKEN_PATH={shlex.quote(made.token)}")
    say(f"# i2i-cluster submit SWEEP.YAML --cluster {made.address}")


def down() -> None:
    """End the cluster of `up`, and nothing else. What runs there goes on from its last checkpoints when it is resumed."""
    from cluster.up.cluster import describe
    from cluster.up.cluster import down as end

    ended = end()
    say("no cluster is up" if ended is None else f"ended: {describe(ended)}")


def register(app: typer.Typer) -> None:
    """Add these commands to the program's own."""
    app.command(epilog="Example: i2i-cluster up --nodes 3 --cpus 2")(up)
    app.command(epilog="Example: i2i-cluster down")(down)
