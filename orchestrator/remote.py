"""`submit` onto a target: plan here, with what the target offers; hand over what is missing; follow it from the storage.

The same file again attaches to the job that runs, or shows what came out. The surprise is how little the target is asked:
who drives a sweep, and how it goes, the storage tells, so that watching survives the head, and ends with the driver.
"""

from __future__ import annotations

import shlex

from rich.console import Console

from cluster.log.holder import last_holder
from cluster.log.lock import SweepBusy
from cluster.log.records import SweepState
from cluster.log.store import has_log
from cluster.submission import Submission, write_submission
from cluster.targets.target import Job, JobState, NotThere, Target, TargetError
from data_shards.store import Store, open_store
from orchestrator.errors import Refusal, blamed
from orchestrator.finding import FoundSweep, open_sweep
from orchestrator.job import make_job
from orchestrator.parcel import key_of, parcel_of, spelled
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.sizes import BOUNDLESS, Machine
from orchestrator.resume import plan_again
from orchestrator.running.following import await_end, follow_job, state_of
from orchestrator.saying import say
from orchestrator.search.warm import find_warm
from orchestrator.storage import open_to_look, probe_storage
from orchestrator.submit import EXIT, is_complete, show_outcome, store_results, submit, tell_plan
from orchestrator.sweep_file.draft import Draft
from orchestrator.targets import see_job, target_of
from orchestrator.trust import remember


def submit_anywhere(
    draft: Draft,
    file: str,
    console: Console,
    *,
    detach: bool = False,
    allow_inexact: bool = False,
    only: frozenset[int] | None = None,
) -> int:
    """Run the sweep where its `cluster` key says; returns the exit code. Options as of `submit`.

    detach: hand it over and return; on this machine, to a process in the background. Raises Refusal, SweepBusy, TargetError.
    """
    with blamed(draft.options):
        return _submit_anywhere(draft, file, console, detach, allow_inexact, only)


def _submit_anywhere(
    draft: Draft, file: str, console: Console, detach: bool, allow_inexact: bool, only: frozenset[int] | None
) -> int:
    if draft.sweep.cluster.is_local and not detach:
        return submit(draft, file, console, allow_inexact=allow_inexact, only=only)
    target, machine = offered(draft, file)
    plan, before = plan_again(draft, file, machine)
    job = make_job(plan, allow_inexact, find_warm(plan, before), only)
    tell_plan(plan)
    if before is not None and only is None and is_complete(job, before):
        say("every trial has ended: nothing to run", aside=True)
        store = open_store(plan.storage)
        store_results(plan, store)
        show_outcome(plan, store, console)
        return EXIT[before.state]
    probe_storage(plan.storage, plan.id, file)
    made = _hand_over(target, plan, allow_inexact, only)
    if detach:
        place = shlex.quote(plan.folder)
        say(f"`i2i-cluster watch {place}` follows it, `i2i-cluster stop {place}` stops it")
        return 0
    return _follow_to_results(target, made, plan, console)


def _hand_over(target: Target, plan: Plan, allow_inexact: bool, only: frozenset[int] | None) -> Job:
    """The sweep's job on the target: the one that is there and not over, or a new one."""
    store, key, cluster = open_to_look(plan.storage), key_of(plan), spelled(plan.sweep.cluster)
    found = open_or_new(store, plan.id)
    elsewhere = see_job(found)
    if elsewhere is not None and elsewhere.is_alive and elsewhere.submission.place != target.place:
        raise SweepBusy(f"{elsewhere}; stop it before the sweep is submitted to {target.place}")
    last = target.find(key)
    remember(key, cluster)
    if last is not None and not last.state.is_over:
        say(f"attached to {last.name} on {target.place}, which is {state_of(last)}", aside=True)
        return last
    holder = last_holder(store, found.paths)
    if holder is not None and holder.drives:
        raise SweepBusy(f"this sweep is already being run by {holder}; wait for it, or stop it first")
    number = last.number + 1 if last is not None else 1
    # Before the job is made: nothing runs that the storage does not know of.
    submission = Submission(plan.id, key, plan.sweep.name, cluster, target.place, number, found.state.attempt)
    write_submission(store, found.paths, submission)
    job = target.submit(parcel_of(plan, allow_inexact=allow_inexact, only=only), number)
    say(f"submitted as {job.name} to {target.place}: {state_of(job)}", aside=True)
    return job


def offered(draft: Draft, file: str) -> tuple[Target, Machine | None]:
    """The sweep's target, and what it offers as a machine to plan for; None: this machine.

    Raises TargetError where it does not answer, and Refusal for what the sweep names and it does not have; but what is wrong
    with the file before that.
    """
    cluster = draft.sweep.cluster
    try:
        target = target_of(cluster, draft.sweep)
        found = target.capacity()
    except TargetError as error:
        make_plan(draft, file, machine=BOUNDLESS)
        if isinstance(error, NotThere):
            raise Refusal(str(error), file=file, path=f"cluster.kubernetes.{error.key}") from error
        raise
    return target, None if cluster.is_local else Machine(found.cpus, int(found.gpus), target.place, found.nodes)


def open_or_new(store: Store, sweep: str) -> FoundSweep:
    """The sweep in a storage, also where nothing of it is there yet."""
    try:
        return open_sweep(store, sweep)
    except FileNotFoundError:
        return FoundSweep(store, SweepState(id=sweep))


def _follow_to_results(target: Target, job: Job, plan: Plan, console: Console) -> int:
    """Follow the job to its end, and show what came out. Ctrl-C ends only this."""
    place = shlex.quote(plan.folder)
    try:
        store = open_store(plan.storage)
        found = open_or_new(store, plan.id)
        code = follow_job(target, key_of(plan), found, console)
        last = await_end(target, key_of(plan), job)
    except KeyboardInterrupt:
        say(
            f"the sweep goes on: `i2i-cluster watch {place}` follows it, `i2i-cluster stop {place}` stops it",
            aside=True,
        )
        raise
    if last is not None and last.state is JobState.failed:
        say(f"error: {last.name} on {target.place} failed: {last.detail or 'see its output'}", aside=True)
        say(f"`i2i-cluster logs {place} --driver` shows what it printed", aside=True)
        code = code or 1
    if has_log(store, found.paths) and open_sweep(store, plan.id).state.about:
        show_outcome(plan, store, console)
    return code
