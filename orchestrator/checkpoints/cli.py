"""`i2i-cluster checkpoints`: what a trial's training state is, to the byte, and what its checkpoints take on the disk."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.options import Output, OutputOption, StorageOption, SweepName
from orchestrator.saying import say
from orchestrator.storage import DEFAULT_STORAGE

if TYPE_CHECKING:
    from cluster.checkpoints.folder import Checkpoints
    from orchestrator.errors import Refusal
    from orchestrator.finding import FoundSweep
    from trainers.checkpoint import Unpacked

app = typer.Typer(help="Look at the training states of a sweep's trials.", no_args_is_help=True)

TrialOption = Annotated[int, typer.Option("--trial", help="The trial's number; 0 is the preset.")]
ALL = "all"


@app.command()
def digest(sweep: SweepName, trial: TrialOption = 0, storage: StorageOption = DEFAULT_STORAGE) -> None:
    """Print one SHA-256 of a trial's whole training state: equal states, equal line."""
    from trainers.state import digest as digest_of

    say(digest_of(_newest(sweep, trial, storage).state))


@app.command("list")
def list_checkpoints(
    sweep: SweepName,
    trial: TrialOption = 0,
    storage: StorageOption = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """List a trial's checkpoints, with those that do not count: torn, damaged, or superseded by a later attempt."""
    import time

    from orchestrator.checkpoints.view import describe_checkpoints, rows_of
    from orchestrator.tables import console, print_json, table

    described = describe_checkpoints(_checkpoints(sweep, trial, storage))
    if output is Output.json:
        print_json(described)
    else:
        console().print(table(f"Checkpoints of trial {trial}", rows_of(described, time.time())))


@app.command()
def show(
    sweep: SweepName,
    trial: TrialOption = 0,
    storage: StorageOption = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """Where a trial's newest good checkpoint comes from: attempts and workers, conditions of its bits, code, machine."""
    from orchestrator.checkpoints.view import origin
    from orchestrator.tables import console, facts, print_json

    newest = _newest(sweep, trial, storage)
    if output is Output.json:
        print_json({"step": newest.step, "digest": newest.digest, **newest.about})
    else:
        console().print(facts(origin(newest)))


@app.command()
def verify(sweep: SweepName, trial: TrialOption = 0, storage: StorageOption = DEFAULT_STORAGE) -> None:
    """Read every checkpoint of a trial and check its hashes. Exit code 1 where one is damaged."""
    from orchestrator.checkpoints.view import named
    from trainers.checkpoint import DamagedCheckpoint

    checkpoints = _checkpoints(sweep, trial, storage)
    listing = checkpoints.look()
    if not listing.valid:
        raise _no_checkpoint(trial)
    damaged = 0
    for place in listing.valid:
        try:
            say(f"{named(place)}: good, {checkpoints.read(place, listing).digest}")
        except DamagedCheckpoint as error:
            say(f"{named(place)}: damaged: {error}")
            damaged += 1
    raise typer.Exit(1 if damaged else 0)


@app.command()
def prune(
    sweep: SweepName,
    trial: Annotated[str, typer.Option("--trial", metavar="N|all", help="The trial's number, or all.")] = ALL,
    last: Annotated[
        int | None, typer.Option("--last", min=1, help="Newest good checkpoints to keep; default: as the sweep says.")
    ] = None,
    best: Annotated[
        int | None, typer.Option("--best", min=0, help="Best good checkpoints to keep; default: as the sweep says.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    storage: StorageOption = DEFAULT_STORAGE,
) -> None:
    """Delete the checkpoints that need not stay, and what killed workers left. Not while the sweep runs."""
    from cluster.checkpoints.pruning import prune as pruned
    from cluster.log.driver import driving, is_driven
    from orchestrator.checkpoints.view import keep_of
    from orchestrator.errors import Refusal
    from orchestrator.finding import find_sweep
    from orchestrator.sweep_file.quantities import size_text

    found = find_sweep(sweep, storage)
    trials = list(found.state.trials) if trial == ALL else [_trial(found, trial)]
    if is_driven(found.store, found.paths):
        raise Refusal(f"sweep {found.state.name} is being run; prune it once it has ended", value=sweep)
    total = 0
    with nullcontext() if dry_run else driving(found.store, found.paths):  # nobody takes it up meanwhile
        for index in trials:
            checkpoints = _of(found, index)
            for doomed in pruned(checkpoints, keep_of(checkpoints, last, best), dry_run):
                name = doomed.path.rpartition("checkpoints/")[2]
                say(f"trial {index}: {name}, {size_text(doomed.bytes)}: {doomed.why}")
                total += doomed.bytes
    say(f"{size_text(total)} {'would be freed' if dry_run else 'freed'}")


def _trial(found: FoundSweep, wanted: str) -> int:
    """The number of a trial as a user wrote it."""
    from orchestrator.errors import Refusal

    if wanted.isdecimal() and int(wanted) in found.state.trials:
        return int(wanted)
    known = [*map(str, found.state.trials), ALL]
    raise Refusal(f"sweep {found.state.name} has no trial {wanted}", path="--trial", value=wanted, has=known)


def _of(found: FoundSweep, trial: int) -> Checkpoints:
    from cluster.checkpoints.folder import Checkpoints

    return Checkpoints(found.store, found.paths.checkpoints(trial))


def _newest(sweep: str, trial: int, storage: str) -> Unpacked:
    """The newest good one. Refusal where there is none."""
    newest = _checkpoints(sweep, trial, storage).newest()
    if newest is None:
        raise _no_checkpoint(trial)
    return newest


def _no_checkpoint(trial: int) -> Refusal:
    from orchestrator.errors import Refusal

    return Refusal(f"trial {trial} has no checkpoint yet", path="--trial", value=trial)


def _checkpoints(sweep: str, trial: int, storage: str) -> Checkpoints:
    from orchestrator.errors import Refusal
    from orchestrator.finding import find_sweep

    found = find_sweep(sweep, storage)
    if trial not in found.state.trials:
        known = [str(index) for index in found.state.trials]
        raise Refusal(f"sweep {found.state.name} has no trial {trial}", path="--trial", value=trial, has=known)
    return _of(found, trial)
