"""`i2i-cluster k8s render|diff|farewell`: what a sweep is on Kubernetes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.saying import say

app = typer.Typer(
    help="The Kubernetes manifests of a sweep.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)
SAME, DIFFERENT, WRONG = 0, 1, 2  # as of `kubectl diff`
SweepFile = Annotated[Path, typer.Argument(metavar="SWEEP.YAML", help="The sweep file.")]


class Form(StrEnum):
    """How manifests are printed."""

    yaml = "yaml"
    json = "json"


@app.command(epilog="Example: i2i-cluster k8s render sweep.yaml | kubectl apply --dry-run=server -f -")
def render(
    file: SweepFile,
    output: Annotated[Form, typer.Option("--output", "-o", help="YAML documents, or a JSON List.")] = Form.yaml,
    number: Annotated[int, typer.Option("--number", min=1, help="Which of the sweep's jobs; the first one is 1.")] = 1,
) -> None:
    """Print the objects that `submit` would make of a sweep. Makes nothing, and asks no cluster but for a `ray_cluster`."""
    import json

    from orchestrator.manifests.manifest_yaml import to_yaml
    from orchestrator.manifests.render import render as made

    objects = made(file, number)
    if output is Form.json:
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2, ensure_ascii=False))
    else:
        print(to_yaml(objects), end="")


@app.command(epilog="Example: i2i-cluster k8s diff sweep.yaml && echo nothing has changed")
def diff(file: SweepFile) -> None:
    """Print how a sweep's newest job on its cluster differs from what the file makes now.

    Exit codes: 0 nothing differs, 1 something does, 2 it could not be found out.
    """
    from orchestrator.manifests.render import differences

    code = SAME
    try:
        for line in differences(file):
            code = DIFFERENT
            say(line)
    except OSError as error:
        say(f"error: {error}", aside=True)
        raise typer.Exit(WRONG) from error
    raise typer.Exit(code)


@app.command(hidden=True)
def farewell(
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for them at most.")] = 90.0,
) -> None:
    """Ask the drivers of this pod to let their trials save and end: what a head's pod does before it goes."""
    from cluster.targets.kubernetes_farewell import farewell as ask

    left = ask(wait)
    if left:
        say(f"still running after {wait:g} s: {', '.join(map(str, left))}", aside=True)
        raise typer.Exit(1)
