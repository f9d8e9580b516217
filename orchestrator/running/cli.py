"""`i2i-cluster status|watch|logs|stop|resume|retry|doctor`: what one does around a running or dead sweep.

What they need is imported by each command: `status` has to answer at once, and needs nothing of weight.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.options import (
    ClusterOption,
    MetricsPortOption,
    Output,
    OutputOption,
    StorageOption,
    SweepName,
    WaitOption,
)
from orchestrator.storage import DEFAULT_STORAGE

InexactOption = Annotated[
    bool,
    typer.Option("--allow-inexact", help="Go on also from checkpoints that were made under other conditions."),
]
RecomputeOption = Annotated[
    bool,
    typer.Option(
        "--recompute", help="From now on in less memory and longer steps, to the same bits: `recompute: true`."
    ),
]


def status(name: SweepName, storage: StorageOption = DEFAULT_STORAGE, output: OutputOption = Output.table) -> None:
    """How a sweep is: who drives it, its trials, the best so far, what went wrong, what is spent. Also of a dead one."""
    from orchestrator.finding import find_sweep
    from orchestrator.running.status import describe_status, look

    seen = look(find_sweep(name, storage))

    from orchestrator.tables import console, print_json, print_parts

    if output is Output.json:
        print_json(describe_status(seen))
    else:
        from orchestrator.running.status_view import parts

        print_parts(console(), *parts(seen))


def watch(name: SweepName, storage: StorageOption = DEFAULT_STORAGE) -> None:
    """Follow a sweep until it ends: a live table, or a line for each event in a pipe. Ctrl-C ends only the watching.

    Ends by itself, with the exit code of `submit`, also where the sweep's driver is dead.
    """
    from orchestrator.finding import find_sweep
    from orchestrator.running.following import follow
    from orchestrator.tables import console

    raise typer.Exit(follow(find_sweep(name, storage), console()))


def logs(
    name: SweepName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until nobody drives the sweep.")] = False,
    trial: Annotated[
        int | None,
        typer.Option("--trial", min=0, help="What this trial's workers printed, in place of the sweep's story."),
    ] = None,
    rank: Annotated[int | None, typer.Option("--rank", min=0, help="Only of this worker of the trial.")] = None,
    driver: Annotated[
        bool, typer.Option("--driver", help="What its driver printed, for one that was handed to a cluster.")
    ] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Lines for people, or for programs a JSON object in each.")
    ] = Output.table,
    storage: StorageOption = DEFAULT_STORAGE,
) -> None:
    """Print what happened in a sweep, a line for each event; or what a trial's workers, or its driver, printed."""
    from orchestrator.errors import Refusal

    if rank is not None and trial is None:
        raise Refusal("which trial's worker? give --trial as well", path="--rank", value=rank)
    if driver and trial is not None:
        raise Refusal("the driver has no trial; leave one of them out", path="--driver")
    as_json = output is Output.json
    if driver and as_json:
        raise Refusal("what the driver printed has no parts; leave one of them out", path="--driver")

    from orchestrator.finding import find_sweep
    from orchestrator.running.logs import tell_job, tell_output, tell_story

    found = find_sweep(name, storage)
    if driver:
        tell_job(found, follow)
    elif trial is not None:
        tell_output(found, trial, rank, follow, as_json)
    else:
        tell_story(found, follow, as_json)


def stop(
    name: SweepName,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the driver has let go.")] = True,
    now: Annotated[
        bool, typer.Option("--now", help="Also end its job on the cluster, for a driver that does not answer.")
    ] = False,
    storage: StorageOption = DEFAULT_STORAGE,
) -> None:
    """Ask a running sweep's trials to save and end, from any machine that reaches the storage; nothing is lost."""
    from orchestrator.finding import find_sweep
    from orchestrator.running.stop_sweep import stop as ask

    ask(find_sweep(name, storage), wait, now)


def resume(
    name: SweepName,
    trials: Annotated[
        str | None, typer.Option("--trials", metavar="N|+N", help="Extend the search to N settings, or by N more.")
    ] = None,
    failed_only: Annotated[
        bool, typer.Option("--failed-only", help="Try the trials again that failed, and nothing else.")
    ] = False,
    recompute: RecomputeOption = False,
    allow_inexact: InexactOption = False,
    cluster: ClusterOption = None,
    wait: WaitOption = True,
    metrics_port: MetricsPortOption = None,
    storage: StorageOption = DEFAULT_STORAGE,
) -> None:
    """Go on with a sweep where it stopped, without its file: the log keeps what was submitted, the storage where to."""
    from orchestrator.finding import find_sweep

    found = find_sweep(name, storage)

    from orchestrator.running.going_on import resume as go_on
    from orchestrator.tables import console

    raise typer.Exit(
        go_on(
            found,
            console(),
            trials=trials,
            failed_only=failed_only,
            recompute=recompute,
            allow_inexact=allow_inexact,
            cluster=cluster,
            detach=not wait,
            metrics_port=metrics_port,
        )
    )


def retry(
    name: SweepName,
    trial: Annotated[int, typer.Argument(metavar="TRIAL", help="The number of a trial that failed.")],
    recompute: RecomputeOption = False,
    allow_inexact: InexactOption = False,
    cluster: ClusterOption = None,
    wait: WaitOption = True,
    storage: StorageOption = DEFAULT_STORAGE,
) -> None:
    """Try one failed trial again, from its last checkpoint and with a new budget of failures, and nothing else."""
    from orchestrator.finding import find_sweep

    found = find_sweep(name, storage)

    from orchestrator.running.going_on import retry as try_again
    from orchestrator.tables import console

    options = {"recompute": recompute, "allow_inexact": allow_inexact, "detach": not wait}
    raise typer.Exit(try_again(found, trial, console(), cluster=cluster, **options))


def doctor(
    storage: Annotated[
        str | None,
        typer.Argument(
            metavar="[STORAGE]",
            help=f"A folder or an s3:// address, as in a sweep file; default: the sweep's, or {DEFAULT_STORAGE}.",
            show_default=False,
        ),
    ] = None,
    sweep: Annotated[
        Path | None,
        typer.Option("--sweep", metavar="SWEEP.YAML", help="A sweep file: its storage, data and cluster are checked."),
    ] = None,
    cluster: ClusterOption = None,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Also check the head of a Ray cluster from inside, by a job of some seconds that changes nothing.",
        ),
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """Check this machine, a storage and a cluster: versions, memory, disks, network, clocks, rights; and say how to mend it."""
    from orchestrator.doctor.doctoring import examine_all

    findings = examine_all(storage, sweep, cluster, probe)

    from orchestrator.doctor.doctor import describe_findings, is_well, rows_of
    from orchestrator.tables import console, print_json, table

    if output is Output.json:
        print_json(describe_findings(findings))
    else:
        console().print(table("", rows_of(findings)))
    raise typer.Exit(0 if is_well(findings) else 1)


def register(app: typer.Typer) -> None:
    """Add these commands to the program's own."""
    app.command(epilog="Example: i2i-cluster status quickstart -o json")(status)
    app.command(epilog="Example: i2i-cluster watch 's3://bucket/runs/0123456789ab?endpoint=http://host:8333'")(watch)
    app.command(epilog="Examples: i2i-cluster logs quickstart -f; i2i-cluster logs quickstart --trial 3")(logs)
    app.command(epilog="Example: i2i-cluster stop quickstart; later `i2i-cluster resume quickstart` goes on.")(stop)
    app.command(
        epilog="Examples: i2i-cluster resume quickstart; i2i-cluster resume quickstart --trials +8 searches 8 settings more"
    )(resume)
    app.command(epilog="Example: i2i-cluster retry quickstart 3")(retry)
    app.command(
        epilog="Examples: i2i-cluster doctor 's3://bucket/runs?endpoint=http://host:8333'; "
        "i2i-cluster doctor --sweep sweep.yaml --cluster http://head:8265 --probe"
    )(doctor)
