"""`submit`: plan, find what is there already, run what is missing, show what came out. The same command again resumes."""

from __future__ import annotations

import hashlib
import sys

from rich.console import Console

from cluster.log.records import SweepState
from cluster.log.store import read_log
from data_shards.store import Store, open_store
from orchestrator.finding import open_sweep
from orchestrator.job import make_job
from orchestrator.plan import Plan
from orchestrator.progress import Progress
from orchestrator.results import best_trial, leaderboard, newest_grid, results_fingerprint, results_parquet
from orchestrator.resume import plan_again
from orchestrator.storage import probe_storage
from orchestrator.sweep import Sweep
from orchestrator.tables import cell, table

EXIT = {"done": 0, "stopped": 0, "failed": 1, "interrupted": 130}
ENDED = ("done", "stopped", "failed")


def submit(sweep: Sweep, file: str, console: Console, *, allow_inexact: bool = False) -> int:
    """Run the sweep to its end, or as far as it gets; returns the exit code. Raises Refusal before anything is started.

    allow_inexact: go on also from checkpoints that were made under other conditions (other versions, another processor).
    """
    plan, before = plan_again(sweep, file)
    print(f"sweep {sweep.name} ({plan.id}) in {plan.storage}", file=sys.stderr)
    for note in plan.notes:
        print(note, file=sys.stderr)
    if before is not None and _is_complete(plan, before):
        print("every trial has ended: nothing to run", file=sys.stderr)
        state = before.state
    else:
        probe_storage(plan.storage, plan.id, file)
        state = _run(plan, console, allow_inexact)
    store = open_store(plan.storage)
    _store_results(plan, store)
    show_outcome(plan, store, console)
    return EXIT[state]


def _run(plan: Plan, console: Console, allow_inexact: bool) -> str:
    from cluster.launch import launch  # slow to import: only where something runs

    with Progress(plan, console) as progress:
        return launch(make_job(plan, allow_inexact), progress.observe)


def _store_results(plan: Plan, store: Store) -> None:
    """Store the best model and the table of results, unless they are of this very log: the last driver may have died
    before it did. The table is written last, and says of which log both are."""
    found = open_sweep(store, plan.id)
    fingerprint = hashlib.sha256(read_log(store, found.paths)).hexdigest()
    if store.exists(found.paths.results) and results_fingerprint(store.read(found.paths.results)) == fingerprint:
        return
    best = best_trial(found.state, found.metric, found.mode)
    if best is not None:
        from cluster.model import export_best  # brings torch

        export_best(store, plan.id, best.index)
    store.write(found.paths.results, results_parquet(found, fingerprint))


def show_outcome(plan: Plan, store: Store, console: Console) -> None:
    """The leaderboard, the gain over the preset, where things lie, and what went wrong."""
    found = open_sweep(store, plan.id)
    console.print(table(f"{plan.sweep.name}: {found.metric}, {found.mode}imise", leaderboard(found)))
    if found.state.reason:
        print(f"error: {found.state.reason}", file=sys.stderr)
    best = best_trial(found.state, found.metric, found.mode)
    again = "submit the same file again to go on"
    words = {
        "done": "done",
        "failed": f"failed; mend what the error names and {again}" if found.state.reason else "every trial failed",
        "stopped": f"out of time; {again}",
    }
    state = words.get(found.state.state, f"interrupted: {again}")
    print(f"sweep {plan.sweep.name} ({plan.id}): {state}")
    if best is None:
        evaluated = any(trial.history for trial in found.state.trials.values())
        print("no trial came through with a score" if evaluated else "no trial has been evaluated yet")
        return
    row = next(row for row in leaderboard(found) if str(row["trial"]).split()[0] == str(best.index))
    if best.index == 0:
        compared = sum(bool(trial.history) for trial in found.state.trials.values()) > 1
        print(
            "best: trial 0, the preset"
            + (": the search did not beat it" if compared else "; nothing to compare it with")
        )
    else:
        settings = ", ".join(f"{name} {cell(value)}" for name, value in best.params.items())
        print(
            f"best: trial {best.index} with {settings}: {row['gain']} in {found.metric} over the preset at equal steps"
        )
    grid = newest_grid(found, best)
    if grid is not None:
        print(f"pictures: {grid}")
    print(f"model:    {found.place(found.paths.best)}")
    print(f"results:  {found.place(found.paths.results)}")


def _is_complete(plan: Plan, before: SweepState) -> bool:
    """Whether nothing is left to run: a trial that failed for good has ended, one that crashed may be tried again."""
    ended = [trial for trial in before.trials.values() if trial.state in ENDED and not trial.may_be_retried]
    return len(ended) >= plan.trials and before.state in EXIT
