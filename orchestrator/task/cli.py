"""`i2i-cluster task`: networks that know what a domain's pictures show, trained as any sweep is, to judge others.

The training is a sweep of one trial, with the system `classifier`, `segmenter` or `regressor`: so it goes on where it stopped, and
is exact.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.options import Output, OutputOption, StorageOption, SweepName
from orchestrator.saying import say
from orchestrator.storage import DEFAULT_STORAGE

if TYPE_CHECKING:
    from orchestrator.errors import Refusal
    from orchestrator.task.task import TaskNetwork

app = typer.Typer(
    help="Train networks that know what a domain's pictures show: they judge those of other sweeps (`task:` in a file).",
    no_args_is_help=True,
)


class Kind(StrEnum):
    """What can be trained: the systems of these names."""

    classifier = "classifier"
    segmenter = "segmenter"
    regressor = "regressor"


@dataclass(frozen=True)
class About:
    """What is its own of a kind of network: the end of its default name, what it is measured by, and whether the mirror image of a
    picture says something else."""

    suffix: str
    metric: str
    sided: bool = False


ABOUT = {
    Kind.classifier: About("", "eval/accuracy"),
    Kind.segmenter: About("-pixels", "eval/accuracy"),
    Kind.regressor: About("-angle", "eval/angle_error", sided=True),
}
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
    "hyper.label_map": "--labels",
    "hyper.classes": "--data",
    "hyper.degrees": "--data",
    "objective": "--data",
    "resources": "--workers",
    "name": "--name",
    "storage": "--storage",
}


@app.command(
    epilog="Example: i2i-cluster task train --data shards/digits --domain b; then `task: task-digits-b` in the sweep file of a "
    "translation from a to b, and `objective: {metric: eval/task_accuracy}`. For pixels, of data with label maps: "
    "i2i-cluster task train --data shards/openmoji-labels --domain b --kind segmenter; for angles, of data whose classes are named "
    "after them: i2i-cluster task train --data shards/turned --domain b --kind regressor"
)
def train(
    data: Annotated[
        str, typer.Option("--data", help="Data set: a folder or s3:// address of shards.", show_default=False)
    ],
    domain: Annotated[
        str, typer.Option("--domain", help="Whose pictures it learns: a or b. To judge translations to b: b.")
    ] = "b",
    kind: Annotated[
        Kind,
        typer.Option(
            "--kind", help="Classes of pictures (classifier) or of pixels (segmenter), or angles (regressor)."
        ),
    ] = Kind.classifier,
    labels: Annotated[
        str | None, typer.Option("--labels", help="The domain of a segmenter's label maps.", show_default="labels")
    ] = None,
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
        str | None,
        typer.Option("--name", help="What to call it.", show_default="task-DATA-DOMAIN, then -pixels or -angle"),
    ] = None,
    storage: Annotated[
        str, typer.Option("--storage", help="Where it goes: a folder or an s3:// address.")
    ] = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """Train a classifier on a domain whose pictures have classes, a segmenter on one whose pictures have label maps, or a
    regressor on one whose classes are named after angles in degrees, and measure it on the validation pictures.

    The same command again goes on where it stopped, and is done at once where it had come to its end.
    """
    from orchestrator.errors import Refusal

    check_kind(kind, labels, flip)
    values = {
        "name": name if name is not None else default_name(data, domain, kind),
        "system": kind.value,
        "data": {
            "uri": data,
            "image": image,
            "batch": batch,
            "replicas": max(REPLICAS, workers),
            "augment": {"flip": flip, "jitter": 1.0},
        },
        "steps": int(steps) if steps.isdecimal() else steps,
        "seed": seed,
        "hyper": {"domain": domain, "width": width, **({"label_map": labels} if labels is not None else {})},
        "objective": {"metric": ABOUT[kind].metric},
        "resources": {"workers": workers},
        "storage": storage,
    }
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
    from orchestrator.task.task import look_up

    _print(look_up(task, storage, "TASK", "say where to look with --storage"), output)


@app.command(epilog="Example: i2i-cluster task success digits --few 50")
def success(
    sweep: SweepName,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Data set whose pictures have classes.", show_default="the sweep's own"),
    ] = None,
    few: Annotated[int, typer.Option("--few", min=1, help="Real pictures that a classifier learns from.")] = 50,
    others: Annotated[
        int, typer.Option("--translated", min=1, help="Pictures that are translated for it, at most.")
    ] = 1000,
    seeds: Annotated[
        int, typer.Option("--seeds", min=2, help="Classifiers of each kind, of other few pictures each.")
    ] = 5,
    steps: Annotated[
        int, typer.Option("--steps", min=1, help="Length of each training, in steps of 32 pictures.")
    ] = 600,
    width: Annotated[int, typer.Option("--width", min=1, max=1024, help="Channels of the first layer.")] = 16,
    storage: StorageOption = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """Whether a sweep's translations help a classifier that has few real pictures: what it reads of validation pictures when it
    learned from the few alone, and from these with as many others in every batch, as they are and translated."""
    from orchestrator.task.success import Asked, task_success
    from trainers.task_success import Schooling

    asked = Asked(sweep, data, few, others, seeds, Schooling(steps=steps, width=width))
    task_success(storage, asked, as_json=output is Output.json)


def check_kind(kind: Kind, labels: str | None, flip: bool) -> None:
    """Refusal for an option that another kind of network has."""
    from orchestrator.errors import Refusal

    if labels is not None and kind is not Kind.segmenter:
        raise Refusal(f"a {kind.value} reads no label maps; add --kind segmenter", path="--labels", value=labels)
    if flip and ABOUT[kind].sided:
        raise Refusal("a mirrored picture is turned the other way; leave it out", path="--flip")


def default_name(data: str, domain: str, kind: Kind = Kind.classifier) -> str:
    """A name made of the data set's own: `task-digits-b`; of a segmenter `task-emoji-b-pixels`, of a regressor `...-angle`."""
    import re

    from data_shards.address import is_remote, parse
    from data_shards.store import local_folder

    last = (parse(data).prefix or parse(data).bucket).rpartition("/")[2] if is_remote(data) else local_folder(data).name
    return f"task-{re.sub(r'[^A-Za-z0-9._-]', '-', last)[:40]}-{domain}{ABOUT[kind].suffix}"


def in_options(refusal: Refusal) -> Refusal:
    """A refusal of the sweep that was made here, in the words of the command line."""
    for one in (refusal, *refusal.also):
        keys = [key for key in OPTIONS if one.path == key or one.path.startswith(f"{key}.")]
        if one.path == "resources.cpus_per_worker":
            one.problem = f"{one.problem.partition(';')[0]}; give fewer"
        for key in (key for key in OPTIONS if "." in key):
            one.problem = one.problem.replace(key, OPTIONS[key])
        one.problem = one.problem.partition(", or data.limit")[0]  # for which there is no option
        one.file, one.path = "", OPTIONS[keys[0]] if keys else one.path
    others = {str(one): one for one in refusal.also}  # two keys may have come from one option
    others.pop(str(refusal), None)
    refusal.also = tuple(others.values())
    return refusal


def _train(values: dict[str, Any]) -> TaskNetwork:
    """Submit the sweep; what it stored at its end. Exits where it did not come to one."""
    from orchestrator.resume import plan_again
    from orchestrator.submit import submit
    from orchestrator.sweep_file.draft import read_draft
    from orchestrator.tables import console
    from orchestrator.task.task import find_task

    draft = read_draft(values)
    plan, _ = plan_again(draft, "")
    code = submit(draft, "", console())
    if code:
        say("give the same command again to go on", aside=True)
        raise typer.Exit(code)
    return find_task(plan.folder, plan.storage)


def _print(found: TaskNetwork, output: Output) -> None:
    from orchestrator.tables import console, facts, print_json
    from orchestrator.task.task import describe_task

    told = describe_task(found)
    if output is Output.json:
        print_json(told)
        return
    channels, height, width = found.shape
    pixels, right = "the pixels of " if found.label_map else "", "never measured"
    if found.accuracy is not None:
        right = f"{found.accuracy:.1%} of {pixels}its validation pictures are right"
    if found.miou is not None:
        right += f", mean IoU {found.miou:.3f}"
    if found.angle_error is not None:
        right = f"{found.angle_error:.1f} degrees off in its validation pictures, on average"
    knows = "angles" if found.degrees else "classes"
    lines = {
        "knows": f"{len(found.classes)} {knows} of {pixels}domain {found.domain}: {', '.join(found.classes)}",
        "pictures": f"{width} x {height} pixels, {channels} channel{'s' if channels > 1 else ''}, of {told['data']}",
        "accuracy": f"{right}, after {told['steps']} steps",
        "sha256": found.sha256,
    }
    console().print(facts(lines))
    say(f"task: {found.uri}")
