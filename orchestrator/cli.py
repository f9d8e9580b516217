"""The command line. Each command imports what it needs when it runs: a command line is judged by its first answer.

Exit codes: 0 done, 1 the work failed, 2 the request was wrong (one line for each mistake, never a traceback),
130 interrupted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import speed_cli, up_cli
from orchestrator.checkpoints import cli as checkpoints_cli
from orchestrator.evaluate import cli as evaluate_cli
from orchestrator.literature import cli as tables_cli
from orchestrator.manifests import cli as k8s_cli
from orchestrator.models import cli as translate_cli
from orchestrator.options import (
    ClusterOption,
    MetricsPortOption,
    Output,
    OutputOption,
    StorageOption,
    SweepName,
    WaitOption,
)
from orchestrator.report import cli as report_cli
from orchestrator.running import cli as running_cli
from orchestrator.saying import say
from orchestrator.shards import cli as shards_cli
from orchestrator.storage import DEFAULT_STORAGE, shown
from orchestrator.study import cli as study_cli
from orchestrator.task import cli as task_cli

FAILED, WRONG_REQUEST, INTERRUPTED = 1, 2, 130
LONGEST_STEP = 86_400
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # it would look through every installed package for some

app = typer.Typer(
    name="i2i-cluster",
    help="Train image-to-image GANs, search their loss weights, and keep the evidence.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: rich alone would double the time to the first answer
    pretty_exceptions_enable=False,
)
app.add_typer(shards_cli.app, name="shards")
app.add_typer(checkpoints_cli.app, name="checkpoints")
app.add_typer(task_cli.app, name="task")
app.add_typer(tables_cli.app, name="tables")
app.add_typer(study_cli.app, name="study")
app.add_typer(k8s_cli.app, name="k8s")


SweepFile = Annotated[Path, typer.Argument(metavar="SWEEP.YAML", help="The sweep file.")]


@app.command()
def submit(
    file: SweepFile,
    allow_inexact: Annotated[
        bool,
        typer.Option(
            "--allow-inexact",
            help="Go on also where a checkpoint was made under other conditions (versions, processor): the results are "
            "then not those of an undisturbed run.",
        ),
    ] = False,
    cluster: ClusterOption = None,
    wait: WaitOption = True,
    metrics_port: MetricsPortOption = None,
) -> None:
    """Run a sweep: train its trials, search, and show what came out. The same command again goes on where it stopped."""
    from orchestrator.listening import with_port
    from orchestrator.sweep_file.draft import load_draft
    from orchestrator.targets import cluster_in

    draft = with_port(load_draft(file, cluster_in(cluster)), metrics_port)

    from orchestrator.remote import submit_anywhere
    from orchestrator.tables import console

    raise typer.Exit(submit_anywhere(draft, str(file), console(), detach=not wait, allow_inexact=allow_inexact))


@app.command(hidden=True)
def drive(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The sweep file; -: a variable of the job holds it.")],
    expect: Annotated[str, typer.Option(help="The sweep's id where it was submitted.")],
    only: Annotated[list[int] | None, typer.Option(help="A trial to go on with, and no other.")] = None,
    allow_inexact: Annotated[bool, typer.Option("--allow-inexact")] = False,
) -> None:
    """What the job of a target runs."""
    from orchestrator.drive import drive as run
    from orchestrator.tables import console

    chosen = frozenset(only) if only else None
    raise typer.Exit(run(file, console(), expect=expect, allow_inexact=allow_inexact, only=chosen))


@app.command()
def plan(
    file: SweepFile,
    output: OutputOption = Output.table,
    measure: Annotated[bool, typer.Option(help="Time a few steps on this machine, for the estimate.")] = True,
    step_seconds: Annotated[
        float | None,
        typer.Option(metavar="S", help="What a step of a trial takes where it will run, in place of timing one here."),
    ] = None,
    cluster: ClusterOption = None,
) -> None:
    """Check a sweep file and show what it would do, and whether its cluster holds it. Trains nothing, writes nothing."""
    from orchestrator.errors import Refusal
    from orchestrator.sweep_file.draft import load_draft
    from orchestrator.targets import cluster_in

    draft = load_draft(file, cluster_in(cluster))  # before the imports below: what cannot be read is told at once
    if step_seconds is not None and not 0 < step_seconds < LONGEST_STEP:
        raise Refusal(
            f"must be more than 0 and less than {LONGEST_STEP} seconds", path="--step-seconds", value=step_seconds
        )

    from orchestrator.planning.planning import show_plan
    from orchestrator.tables import console

    show_plan(draft, str(file), console(), as_json=output is Output.json, measure=measure, step_seconds=step_seconds)


@app.command()
def systems(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[SYSTEM | check FILE.py]", help="Show one system in full, or check one of your own."),
    ] = None,
    checked: Annotated[str | None, typer.Argument(metavar="", hidden=True)] = None,
    output: OutputOption = Output.table,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a page for each system, or the one, into this folder: docs/systems."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Check it with this under hyper; may be repeated."),
    ] = None,
    image: Annotated[
        int, typer.Option(metavar="PIXELS", min=8, max=1024, help="Check it on pictures of this side.")
    ] = 32,
) -> None:
    """List the systems, or the objective, losses, presets and settings of one.

    `systems check FILE.py[:CLASS]` tries a system of your own, on noise: that each loss is seen, that a move changes its players
    alone, that a training goes on with the same bits when it was saved, and on two workers. Exit code 1 where a promise is broken.
    """
    from orchestrator.errors import Refusal
    from orchestrator.systems.view import describe_systems, find_system, print_system, print_systems, with_costs
    from orchestrator.tables import console, print_json

    if name == "check":
        from orchestrator.systems.check import check_system

        if checked is None:
            raise Refusal("name what to check: i2i-cluster systems check FILE.py", path="FILE")
        if not check_system(checked, image, settings or [], output is Output.json):
            raise typer.Exit(1)
        return
    if checked is not None:
        raise Refusal("one system at a time", path="SYSTEM", value=checked)
    shown = None if name is None else with_costs(find_system(name))
    if markdown is not None:
        from orchestrator.systems.pages import write_pages

        write_pages(markdown, [name] if name else None)
    elif output is Output.json:
        print_json(describe_systems() if shown is None else shown)
    elif shown is None:
        print_systems(console())
    else:
        print_system(shown, console())


@app.command()
def init(
    system: Annotated[
        str | None, typer.Argument(metavar="[SYSTEM]", help="A system to begin with; none: one of your own.")
    ] = None,
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where to write.")] = Path("."),
) -> None:
    """Write a sweep file to start from: for a system, or with a first system of your own, in 40 lines, beside it."""
    from orchestrator.systems.scaffold import scaffold

    for file in scaffold(system, folder):
        say(f"wrote {file}")


@app.command()
def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the same as a page for people.")] = False,
) -> None:
    """Print the JSON Schema of sweep files, for editors."""
    import json

    from orchestrator.sweep_file.reference import sweep_reference
    from orchestrator.sweep_file.schema import sweep_schema

    print(sweep_reference() if markdown else json.dumps(sweep_schema(), indent=2))


@app.command("list")
def list_sweeps(storage: StorageOption = DEFAULT_STORAGE, output: OutputOption = Output.table) -> None:
    """List the sweeps of a storage, the newest first."""
    from orchestrator.running.sweeps import find_sweeps
    from orchestrator.tables import console, print_json, table

    found = find_sweeps(storage)
    if output is Output.json:
        print_json(found)
    elif found:
        console().print(table("Sweeps", found))
    else:
        say(f"no sweeps in {shown(storage)}", aside=True)


@app.command()
def results(
    name: SweepName,
    storage: StorageOption = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also fetch the newest picture of the best trial.")
    ] = None,
) -> None:
    """Show a sweep's trials, the best first, also while it runs. With -o json: everything, by trial."""
    from orchestrator.finding import find_sweep
    from orchestrator.results.results import describe_results, save_picture
    from orchestrator.results.summary import print_results
    from orchestrator.tables import console, print_json

    found = find_sweep(name, storage)
    if picture is not None:
        save_picture(found, picture)
    if output is Output.json:
        print_json(describe_results(found))
    else:
        print_results(found, console())


evaluate_cli.register(app)
report_cli.register(app)
running_cli.register(app)
up_cli.register(app)
speed_cli.register(app)
translate_cli.register(app)


def main() -> None:
    """The console script: runs a command and turns a user's mistake into lines and exit code 2."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        say(f"error: {error}", aside=True)  # the world's failure: a full disk, a folder that may not be written
        sys.exit(FAILED)
    except ValueError as error:
        lines = mistakes(error)
        if not lines:
            raise  # ours, not the user's: the traceback is the report
        for line in lines:
            say(f"error: {line}", aside=True)
        sys.exit(WRONG_REQUEST)


def mistakes(error: ValueError) -> list[str]:
    """The lines to show for a user's mistake; empty if `error` is none."""
    from cluster.job import ClusterTooSmall, PortTaken
    from cluster.log.lock import SweepBusy
    from cluster.log.records import UnreadableLog
    from cluster.up.state import ClusterUp
    from data_shards.errors import DataError
    from orchestrator.errors import Refusal
    from trainers.errors import SettingError

    if isinstance(error, Refusal):
        return error.lines()
    if isinstance(
        error, ClusterTooSmall | ClusterUp | DataError | PortTaken | UnreadableLog | SettingError | SweepBusy
    ):
        return [" ".join(str(error).splitlines())]
    return []


if __name__ == "__main__":
    main()
