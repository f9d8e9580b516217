"""`submit`: plan, find what is there already, run what is missing, show what came out. The same command again resumes."""

from __future__ import annotations

import hashlib
import sys

from rich.console import Console

from cluster.job import Job
from cluster.log.records import SweepState
from cluster.log.store import read_log
from cluster.proposals import is_all_proposed
from data_shards.store import Store, open_store
from orchestrator.draft import Draft
from orchestrator.finding import open_sweep
from orchestrator.job import make_job
from orchestrator.outcome import judge
from orchestrator.plan import Plan
from orchestrator.progress import Progress
from orchestrator.results import best_trial, leaderboard, newest_grid
from orchestrator.results_table import results_fingerprint, results_parquet
from orchestrator.resume import plan_again
from orchestrator.storage import probe_storage
from orchestrator.summary import best_line, ending, objective_text, remarks
from orchestrator.sweep import Sweep
from orchestrator.tables import table
from orchestrator.warm import find_warm

EXIT = {"done": 0, "stopped": 0, "failed": 1, "interrupted": 130}


def submit(
    sweep: Sweep | Draft,
    file: str,
    console: Console,
    *,
    allow_inexact: bool = False,
    only: frozenset[int] | None = None,
) -> int:
    """Run the sweep to its end, or as far as it gets; returns the exit code. Raises Refusal before anything is started.

    allow_inexact: go on also from checkpoints that were made under other conditions (other versions, another processor).
    only: the trials to go on with, and to try again where they failed; None: all.
    """
    plan, before = plan_again(sweep, file)
    job = make_job(plan, allow_inexact, find_warm(plan, before), only)
    print(f"sweep {plan.sweep.name} ({plan.id}) in {plan.storage}", file=sys.stderr)
    for note in plan.notes:
        print(note, file=sys.stderr)
    if before is not None and only is None and _is_complete(job, before):
        print("every trial has ended: nothing to run", file=sys.stderr)
        state = before.state
    else:
        probe_storage(plan.storage, plan.id, file)
        state = _run(plan, job, console)
    store = open_store(plan.storage)
    _store_results(plan, store)
    show_outcome(plan, store, console)
    return EXIT[state]


def _run(plan: Plan, job: Job, console: Console) -> str:
    from cluster.launch import launch  # slow to import: only where something runs

    with Progress(plan, console) as progress:
        return launch(job, progress.observe)


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
    """The leaderboard, whom to name and what it gained over the preset, where things lie, and what went wrong."""
    sweep = open_sweep(store, plan.id)
    found = judge(sweep.state)
    console.print(table(f"{plan.sweep.name}: {objective_text(found)}", leaderboard(sweep)))
    if sweep.state.state == "failed" and sweep.state.reason:
        print(f"error: {sweep.state.reason}", file=sys.stderr)
    for line in [f"sweep {plan.sweep.name} ({plan.id}): {ending(sweep.state)}", best_line(found), *remarks(found)]:
        if line:
            print(line)
    if found.model is None:
        return
    grid = newest_grid(sweep, found.model)
    if grid is not None:
        print(f"pictures: {grid}")
    print(f"model:    {sweep.place(sweep.paths.best)}{'' if found.is_plain else f', of trial {found.model.index}'}")
    print(f"results:  {sweep.place(sweep.paths.results)}")


def _is_complete(job: Job, before: SweepState) -> bool:
    """Whether nothing is left to run: a trial that failed for good has ended, one that crashed may be tried again."""
    left = any(trial.is_live or trial.may_be_retried for trial in before.trials.values())
    return not left and is_all_proposed(job, before.trials) and before.state in EXIT
