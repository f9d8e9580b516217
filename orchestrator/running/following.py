"""To follow a sweep that was handed to a target: wait for its driver, then watch it, as any other, from its storage.

The target is asked only while nobody drives. The surprise is when it ends: with the driver, which lets go of the sweep before
it has stored the table of results; whoever shows those waits for the job as well.
"""

from __future__ import annotations

import time

from rich.console import Console

from cluster.log.holder import last_holder
from cluster.log.store import has_log
from cluster.targets.target import Job, Target, TargetError
from orchestrator.finding import FoundSweep
from orchestrator.running.watch import watch
from orchestrator.saying import say
from orchestrator.targets import see_job, target_again

LOOK_S = 2.0
GOODBYE_S = 120.0  # for a driver that has let go of its sweep to store the results and end


def follow(found: FoundSweep, console: Console) -> int:
    """`watch`, also of a sweep whose driver has not started yet; returns the exit code of `submit`."""
    seen = None if is_driven(found) else see_job(found)
    if seen is not None and seen.is_alive:
        return follow_job(target_again(seen.submission), seen.submission.key, found, console)
    if seen is None or has_log(found.store, found.paths):
        return watch(found, console)
    say(f"sweep {found.state.name} ({found.state.id}) has not started: {seen}")
    return 1


def follow_job(target: Target, key: str, found: FoundSweep, console: Console) -> int:
    """Wait for the driver's first record, then watch the sweep; returns the exit code. Where no driver ever came, 1."""
    told = ""
    while not (is_driven(found) and has_log(found.store, found.paths)):
        job = target.find(key)
        if job is None or job.state.is_over:
            break
        if told != (told := state_of(job)):
            say(f"{job.name}: {told}")
        time.sleep(LOOK_S)
    return watch(found, console) if has_log(found.store, found.paths) else 1


def await_end(target: Target, key: str, job: Job) -> Job | None:
    """The job once it is over; as it was last where we lose patience, or the way to it."""
    deadline = time.monotonic() + GOODBYE_S
    last: Job | None = job
    try:
        while time.monotonic() < deadline:
            last = target.find(key)
            if last is None or last.state.is_over:
                break
            time.sleep(LOOK_S)
    except TargetError as error:
        say(str(error), aside=True)
    return last


def is_driven(found: FoundSweep) -> bool:
    """Whether a living process drives the sweep."""
    holder = last_holder(found.store, found.paths)
    return holder is not None and holder.drives


def state_of(job: Job) -> str:
    """For people."""
    return f"{job.state}: {job.detail}" if job.detail else str(job.state)
