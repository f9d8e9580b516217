"""`i2i-cluster checkpoints`: what a trial's training state is, to the byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.options import Output, OutputOption, StorageOption, SweepName
from orchestrator.storage import DEFAULT_STORAGE

if TYPE_CHECKING:
    from cluster.checkpoints import Checkpoints

app = typer.Typer(help="Look at the training states of a sweep's trials.", no_args_is_help=True)

TrialOption = Annotated[int, typer.Option("--trial", help="The trial's number; 0 is the preset.")]


@app.command()
def digest(sweep: SweepName, trial: TrialOption = 0, storage: StorageOption = DEFAULT_STORAGE) -> None:
    """Print one SHA-256 of a trial's whole training state: equal states, equal line."""
    from orchestrator.errors import Refusal
    from trainers.state import digest as digest_of

    newest = _checkpoints(sweep, trial, storage).newest()
    if newest is None:
        raise Refusal(f"trial {trial} has no checkpoint yet", path="--trial", value=trial)
    print(digest_of(newest.state))


@app.command("list")
def list_checkpoints(sweep: SweepName, trial: TrialOption = 0, storage: StorageOption = DEFAULT_STORAGE) -> None:
    """List the committed checkpoints of a trial by their step."""
    for step in _checkpoints(sweep, trial, storage).steps():
        print(step)


@app.command()
def show(
    sweep: SweepName,
    trial: TrialOption = 0,
    storage: StorageOption = DEFAULT_STORAGE,
    output: OutputOption = Output.table,
) -> None:
    """Where a trial's newest good checkpoint comes from: attempts and workers, conditions of its bits, code, machine."""
    from orchestrator.errors import Refusal
    from orchestrator.tables import console, facts, print_json

    newest = _checkpoints(sweep, trial, storage).newest()
    if newest is None:
        raise Refusal(f"trial {trial} has no checkpoint yet", path="--trial", value=trial)
    if output is Output.json:
        print_json({"step": newest.step, "digest": newest.digest, **newest.about})
        return
    about = newest.about
    attempts = [
        f"from step {one['from_step']} on {one['workers']} worker(s) of {one['host']}"
        + (f", not exact: {'; '.join(one['inexact'])}" if one["inexact"] else "")
        for one in about.get("history", [])
    ]
    made = about.get("provenance", {})
    lines = {
        "step": str(newest.step),
        "digest": newest.digest,
        "attempts": "\n".join(attempts),
        "conditions": ", ".join(f"{name} {value}" for name, value in about.get("conditions", {}).items()),
        "code": made.get("git", "") + (" with changes" if made.get("git_dirty") else ""),
        "packages": ", ".join(f"{name} {value}" for name, value in made.get("packages", {}).items()),
        "machine": ", ".join(str(made[name]) for name in ("processor", "platform") if made.get(name)),
    }
    console().print(facts({name: line for name, line in lines.items() if line}))


@app.command()
def verify(sweep: SweepName, trial: TrialOption = 0, storage: StorageOption = DEFAULT_STORAGE) -> None:
    """Read every checkpoint of a trial and check its hashes. Exit code 1 where one is damaged."""
    from trainers.checkpoint import DamagedCheckpoint

    checkpoints = _checkpoints(sweep, trial, storage)
    damaged = 0
    for step in checkpoints.steps():
        try:
            print(f"step {step}: good, {checkpoints.load(step).digest}")
        except DamagedCheckpoint as error:
            print(f"step {step}: damaged: {error}")
            damaged += 1
    raise typer.Exit(1 if damaged else 0)


def _checkpoints(sweep: str, trial: int, storage: str) -> Checkpoints:
    from cluster.checkpoints import Checkpoints
    from orchestrator.errors import Refusal
    from orchestrator.finding import find_sweep

    found = find_sweep(sweep, storage)
    if trial not in found.state.trials:
        known = [str(index) for index in found.state.trials]
        raise Refusal(f"sweep {found.state.name} has no trial {trial}", path="--trial", value=trial, has=known)
    return Checkpoints(found.store, found.paths.checkpoints(trial))
