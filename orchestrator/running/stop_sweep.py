"""`stop`: asks a sweep's driver to let its trials save and end, from any process that reaches the storage, and waits for it.

The surprise is that asking once is not enough: a driver that is just starting forgets what was asked before it.
"""

from __future__ import annotations

import time

from cluster.log.holder import Holder, last_holder
from cluster.stop import StopRequest
from orchestrator.finding import FoundSweep, open_sweep
from orchestrator.running.status import look
from orchestrator.running.status_view import driver_text, one_line
from orchestrator.saying import say
from orchestrator.targets import see_job, target_again

LOOK_S = 1.0


def stop(found: FoundSweep, wait: bool, now: bool = False) -> None:
    """Ask, and say what happens; `wait`: until the driver has let go. now: also end its job, through its target.

    A job whose driver has not come yet is ended in any case: nothing is lost by it. Raises what the store does, and
    TargetError.
    """
    seen = look(found)
    name = f"sweep {seen.state.name or seen.state.id}"
    if now:
        StopRequest(found.store, found.paths.stop_request).make()
    job = see_job(found) if now else seen.job
    if job is not None and job.job is not None and (job.starts(seen.state) or (now and job.is_alive)):
        target_again(job.submission).stop(job.job)
        say(f"ended {job.job.name} of {name} on {job.submission.place}")
        return
    if now:
        say(f"{name}: {job or 'it was not handed to a cluster, so there is no job to end'}", aside=True)
    if seen.holder is None or seen.holder.state == "gone":
        say(f"nobody drives {name}: nothing to stop")
        say(one_line(seen))
        return
    request = StopRequest(found.store, found.paths.stop_request)
    request.make()
    if not seen.driven:  # it may be the clocks: asking costs nothing
        say(f"{name}: {driver_text(seen)}; if it lives, it will stop")
        return
    running = sum(trial.state == "running" for trial in seen.state.trials.values())
    trials = (
        "no trial runs" if not running else f"{running} running trial{'s' if running > 1 else ''} will save and end"
    )
    say(f"asked {seen.holder} to stop {name}: {trials}, and none is started any more")
    if wait:
        _await_end(found, request, seen.holder)
        say(one_line(look(open_sweep(found.store, found.state.id), ask=False)))


def _await_end(found: FoundSweep, request: StopRequest, holder: Holder) -> None:
    """Return once this holder drives no more."""
    while (now := last_holder(found.store, found.paths)) is not None and now.drives and now.mark == holder.mark:
        if not found.store.exists(request.path):  # it was starting, and has forgotten what was asked before
            request.make()
        time.sleep(LOOK_S)
