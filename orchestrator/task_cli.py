"""`i2i-cluster task`: networks that know the classes of a domain, trained as any sweep is, to judge the pictures of others.

The training is a sweep of one trial, with the system `classifier`: so it goes on where it stopped, and is exact.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.options import Output, OutputOption, StorageOption
from orchestrator.storage import DEFAULT_STORAGE

if TYPE_CHECKING:
    from orchestrator.errors import Refusal
    from orchestrator.task import TaskNetwork

app = typer.Typer(
    help="Train networks that know the classes of a domain: they judge the pictures of other sweeps (`task:` in a file).",
    no_args_is_help=True,
)

REPLICAS = 4  # so that any number of workers up to it gives the same network
# Key of the sweep that is made here -> the option that it comes from.
OPTIONS = {
    "data.uri": "--data",
    "data.image": "--image",
    "data.batch": "--batch",
    "data.replicas": "--workers",
    "steps": "--steps",
    "every": "--steps",
    "seed": "--seed",
    "hyper.domain": "--domain",
    "hyper.width": "--width",
    "hyper.classes": "--data",
    "objective": "--data",
    "resources": "--workers",
    "name": "--name",
    "storage": "--storage",
}


@app.command(
    epilog="Example: i2i-cluster task train --data shards/digits --domain b; then `task: task-digits-b` in the sweep file of a "
    "translation from a to b, and `objective: {metric: eval/task_accuracy}`"
)
def train(
    data: Annotated[
        str, typer.Option("--data", help="Data set: a folder or s3:// address of shards.", show_default=False)
    ],
    domain: Annotated[
        str, typer.Option("--domain", help="Whose pictures it learns: a or b. To judge translations to b: b.")
    ] = "b",
    image: Annotated[int, typer.Option("--image", help="Side of the pictures in pixels, as in the sweep.")] = 32,
    steps: Annotated[str, typer.Option("--steps", help="Length of the training, such as 2000 or 2k.")] = "2k",
    batch: Annotated[int, typer.Option("--batch", help="Pictures a step, over all workers.")] = 32,
    width: Annotated[int, typer.Option("--width", help="Channels of the first layer.")] = 32,
    flip: Annotated[
        bool, typer.Option("--flip/--no-flip", help="Mirror half of the pictures. Not where left and right matter.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Decides the initial weights and the order of pictures.")] = 0,
    workers: Annotated[int, typer.Option("--workers", help="Processes; the network does not depend on it.")] = 1,
    name: Annotated[
        str | None, typer.Option("--name", help="What to call it.", show_default="task-DATA-DOMAIN")
    ] = None,
    storage: Annotated[
        str, typer.Option("--storage", help="Where it goes: a folder or an s3:// address.")
    ] = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """Train a classifier on a domain whose pictures have classes, and measure it on the validation pictures.

    The same command again goes on where it stopped, and is done at once where it had come to its end.
    """
    values = {
        "name": name if name is not None else default_name(data, domain),
        "system": "classifier",
        "data": {
            "uri": data,
            "image": image,
            "batch": batch,
            "replicas": max(REPLICAS, workers),
            "augment": {"flip": flip, "jitter": 1.0},
        },
        "steps": int(steps) if steps.isdecimal() else steps,
        "seed": seed,
        "hyper": {"domain": domain, "width": width},
        "objective": {"metric": "eval/accuracy"},
        "resources": {"workers": workers},
        "storage": storage,
    }
    from orchestrator.errors import Refusal

    try:
        with redirect_stdout(sys.stderr) if output is Output.json else nullcontext():
            found = _train(values)
    except Refusal as refusal:
        raise in_options(refusal) from refusal
    _print(found, output)


@app.command()
def show(
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="What stands after `task:`: a name, an id, a folder or an address.")
    ],
    storage: StorageOption = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """What a trained task network knows: its classes, its pictures, how often it is right."""
    from orchestrator.task import look_up

    _print(look_up(task, storage, "TASK", "say where to look with --storage"), output)


def default_name(data: str, domain: str) -> str:
    """A name made of the data set's own: `task-digits-b`."""
    import re

    from data_shards.address import is_remote, parse
    from data_shards.store import local_folder

    last = (parse(data).prefix or parse(data).bucket).rpartition("/")[2] if is_remote(data) else local_folder(data).name
    return f"task-{re.sub(r'[^A-Za-z0-9._-]', '-', last)[:40]}-{domain}"


def in_options(refusal: Refusal) -> Refusal:
    """A refusal of the sweep that was made here, in the words of the command line."""
    for one in (refusal, *refusal.also):
        keys = [key for key in OPTIONS if one.path == key or one.path.startswith(f"{key}.")]
        one.file, one.path = "", OPTIONS[keys[0]] if keys else one.path
    return refusal


def _train(values: dict[str, Any]) -> TaskNetwork:
    """Submit the sweep; what it stored at its end. Exits where it did not come to one."""
    from orchestrator.resume import plan_again
    from orchestrator.submit import submit
    from orchestrator.sweep import read_sweep
    from orchestrator.tables import console
    from orchestrator.task import find_task

    sweep = read_sweep(values, "")
    plan, _ = plan_again(sweep, "")
    code = submit(sweep, "", console())
    if code:
        print("give the same command again to go on", file=sys.stderr)
        raise typer.Exit(code)
    return find_task(plan.folder, plan.storage)


def _print(found: TaskNetwork, output: Output) -> None:
    from orchestrator.tables import console, facts, print_json
    from orchestrator.task import describe_task

    told = describe_task(found)
    if output is Output.json:
        print_json(told)
        return
    channels, height, width = found.shape
    right = "never measured" if found.accuracy is None else f"{found.accuracy:.1%} of its validation pictures are right"
    lines = {
        "knows": f"{len(found.classes)} classes of domain {found.domain}: {', '.join(found.classes)}",
        "pictures": f"{width} x {height} pixels, {channels} channel{'s' if channels > 1 else ''}, of {told['data']}",
        "accuracy": f"{right}, after {told['steps']} steps",
        "sha256": found.sha256,
    }
    console().print(facts(lines))
    print(f"task: {found.uri}")
