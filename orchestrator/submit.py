"""`submit`: plan, find what is there already, run what is missing, show what came out. The same command again resumes."""

from __future__ import annotations

import hashlib
import os

from rich.console import Console

from cluster.job import Job
from cluster.log.lock import SweepBusy
from cluster.log.records import SweepState
from cluster.log.store import read_log
from cluster.proposals import is_all_proposed
from cluster.submission import forget_submission
from data_shards.store import Store, open_store
from orchestrator.errors import Refusal
from orchestrator.finding import FoundSweep, open_sweep
from orchestrator.job import make_job
from orchestrator.planning.plan import Plan
from orchestrator.planning.sizes import Machine
from orchestrator.results.outcome import judge
from orchestrator.results.results import best_trial, leaderboard, newest_grid
from orchestrator.results.summary import best_line, ending, objective_text, remarks
from orchestrator.results.table import results_fingerprint, results_parquet
from orchestrator.resume import plan_again
from orchestrator.running.progress import Progress
from orchestrator.saying import say
from orchestrator.search.warm import find_warm
from orchestrator.storage import open_to_look, probe_storage
from orchestrator.sweep_file.draft import Draft
from orchestrator.sweep_file.sweep import Sweep
from orchestrator.tables import table
from orchestrator.targets import see_job

EXIT = {"done": 0, "stopped": 0, "failed": 1, "interrupted": 130}


def submit(
    sweep: Sweep | Draft,
    file: str,
    console: Console,
    *,
    allow_inexact: bool = False,
    only: frozenset[int] | None = None,
    expect: str | None = None,
) -> int:
    """Run the sweep to its end, or as far as it gets; returns the exit code. Raises Refusal before anything is started.

    allow_inexact: go on also from checkpoints that were made under other conditions (other versions, another processor).
    only: the trials to go on with, and to try again where they failed; None: all. expect: this is a target's job, of the sweep
    with this id; None: it is not.
    """
    plan, before = plan_again(sweep, file, machine_here())
    if expect is not None and plan.id != expect:
        problem = f"this is sweep {plan.id} here, and was {expect} where it was submitted"
        raise Refusal(f"{problem}: the data were built anew, or the two have different versions of i2i-cluster")
    job = make_job(plan, allow_inexact, find_warm(plan, before), only)
    tell_plan(plan)
    if before is not None and only is None and is_complete(job, before):
        say("every trial has ended: nothing to run", aside=True)
        state = before.state
    else:
        probe_storage(plan.storage, plan.id, file)
        if expect is None:
            _take_here(plan)
        state = _run(plan, job, console)
    store = open_store(plan.storage)
    store_results(plan, store)
    show_outcome(plan, store, console)
    return EXIT[state]


def tell_plan(plan: Plan) -> None:
    """Which sweep it is, where it lies, and what the user should know of it."""
    say(f"sweep {plan.sweep.name} ({plan.id}) in {plan.storage}", aside=True)
    for note in plan.notes:
        say(note, aside=True)


def machine_here() -> Machine | None:
    """What `cluster: local` means: the Ray cluster that RAY_ADDRESS names; None for this machine."""
    address = os.environ.get("RAY_ADDRESS", "")
    if address in ("", "local"):
        return None
    from cluster.capacity import of_running_ray  # slow to import, and needed only here

    found = of_running_ray(address)
    return Machine(found.cpus, int(found.gpus), f"the Ray cluster at {address}", found.nodes)


def _take_here(plan: Plan) -> None:
    """Forget that the sweep was handed to a target before. Raises SweepBusy where it still has a job there."""
    found = FoundSweep(open_to_look(plan.storage), SweepState(id=plan.id))
    seen = see_job(found)
    if seen is not None and seen.is_alive:
        raise SweepBusy(f"{seen}; stop it before the sweep runs here")
    if seen is not None:
        forget_submission(found.store, found.paths)


def _run(plan: Plan, job: Job, console: Console) -> str:
    from cluster.launch import launch  # slow to import: only where something runs

    with Progress(plan, console) as progress:
        return launch(job, progress.observe)


def store_results(plan: Plan, store: Store) -> None:
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
        say(f"error: {sweep.state.reason}", aside=True)
    for line in [f"sweep {plan.sweep.name} ({plan.id}): {ending(sweep.state)}", best_line(found), *remarks(found)]:
        if line:
            say(line)
    if found.model is None:
        return
    grid = newest_grid(sweep, found.model)
    if grid is not None:
        say(f"pictures: {grid}")
    if not store.exists(sweep.paths.results):  # written last, by the driver: one on a cluster may have died before
        return
    say(f"model:    {sweep.place(sweep.paths.best)}{'' if found.is_plain else f', of trial {found.model.index}'}")
    say(f"results:  {sweep.place(sweep.paths.results)}")


def is_complete(job: Job, before: SweepState) -> bool:
    """Whether nothing is left to run: a trial that failed for good has ended, one that crashed may be tried again."""
    left = any(trial.is_live or trial.may_be_retried for trial in before.trials.values())
    return not left and is_all_proposed(job, before.trials) and before.state in EXIT
