"""`submit`: plan, find what is there already, run what is missing, show what came out. The same command again resumes."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from cluster.layout import SweepPaths
from cluster.log import SweepState
from data_shards.store import open_store
from orchestrator.job import make_job
from orchestrator.plan import Plan
from orchestrator.progress import Progress
from orchestrator.results import best_trial, leaderboard, newest_grid, open_sweep, results_parquet
from orchestrator.resume import plan_again
from orchestrator.sweep import Sweep
from orchestrator.tables import cell, table

EXIT = {"done": 0, "stopped": 0, "failed": 1, "interrupted": 130}
ENDED = ("done", "stopped", "failed")


def submit(sweep: Sweep, file: str, console: Console) -> int:
    """Run the sweep to its end, or as far as it gets; returns the exit code. Raises Refusal before anything is started."""
    plan, before = plan_again(sweep, file)
    print(f"sweep {sweep.name} ({plan.id}) in {plan.storage}", file=sys.stderr)
    for note in plan.notes:
        print(note, file=sys.stderr)
    if before is not None and _is_complete(plan, before):
        print("every trial has ended: nothing to run", file=sys.stderr)
        state = before.state
        if not (Path(plan.storage) / SweepPaths(plan.id).results).exists():  # the last driver died just before this
            _store_results(plan)
    else:
        state = _run(plan, console)
    show_outcome(plan, console)
    return EXIT[state]


def _run(plan: Plan, console: Console) -> str:
    from cluster.launch import launch  # slow to import: only where something runs

    with Progress(plan, console) as progress:
        state = launch(make_job(plan), progress.observe)
    _store_results(plan)
    return state


def _store_results(plan: Plan) -> None:
    """Write the table of results and the best model beside the log."""
    from cluster.model import export_best

    found = open_sweep(Path(plan.storage), plan.id)
    store = open_store(plan.storage)
    store.write(found.paths.results, results_parquet(found))
    best = best_trial(found.state, found.metric, found.mode)
    if best is not None:
        export_best(store, plan.id, best.index)


def show_outcome(plan: Plan, console: Console) -> None:
    """The leaderboard, the gain over the preset, and where things lie."""
    found = open_sweep(Path(plan.storage), plan.id)
    console.print(table(f"{plan.sweep.name}: {found.metric}, {found.mode}imise", leaderboard(found)))
    best = best_trial(found.state, found.metric, found.mode)
    if best is None:
        print("no trial has been evaluated yet")
        return
    words = {"done": "done", "failed": "every trial failed", "stopped": "stopped by its budget"}
    state = words.get(found.state.state, "interrupted: submit the same file again to go on")
    print(f"sweep {plan.sweep.name} ({plan.id}): {state}")
    row = next(row for row in leaderboard(found) if str(row["trial"]).split()[0] == str(best.index))
    if best.index == 0:
        print("best: trial 0, the paper's preset: the search did not beat it")
    else:
        settings = ", ".join(f"{name} {cell(value)}" for name, value in best.params.items())
        print(
            f"best: trial {best.index} with {settings}: {row['gain']} in {found.metric} over the preset at equal steps"
        )
    grid = newest_grid(found, best)
    if grid is not None:
        print(f"pictures: {grid}")
    print(f"model:    {found.storage / found.paths.best}")
    print(f"results:  {found.storage / found.paths.results}")


def _is_complete(plan: Plan, before: SweepState) -> bool:
    ended = [trial for trial in before.trials.values() if trial.state in ENDED]
    return len(ended) >= plan.trials and before.state in EXIT
