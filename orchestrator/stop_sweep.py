"""`stop`: asks a sweep's driver to let its trials save and end, from any process that reaches the storage, and waits for it.

The surprise is that asking once is not enough: a driver that is just starting forgets what was asked before it.
"""

from __future__ import annotations

import time

from cluster.log.holder import Holder, last_holder
from cluster.stop import StopRequest
from orchestrator.finding import FoundSweep, open_sweep
from orchestrator.status import look
from orchestrator.status_view import driver_text, one_line

LOOK_S = 1.0


def stop(found: FoundSweep, wait: bool) -> None:
    """Ask, and say what happens; `wait`: until the driver has let go. Raises what the store does."""
    seen = look(found)
    name = f"sweep {seen.state.name or seen.state.id}"
    if seen.holder is None or seen.holder.state == "gone":
        print(f"nobody drives {name}: nothing to stop")
        print(one_line(seen))
        return
    request = StopRequest(found.store, found.paths.stop_request)
    request.make()
    if not seen.driven:  # it may be the clocks: asking costs nothing
        print(f"{name}: {driver_text(seen)}; if it lives, it will stop")
        return
    running = sum(trial.state == "running" for trial in seen.state.trials.values())
    trials = (
        "no trial runs" if not running else f"{running} running trial{'s' if running > 1 else ''} will save and end"
    )
    print(f"asked {seen.holder} to stop {name}: {trials}, and none is started any more", flush=True)
    if wait:
        _await_end(found, request, seen.holder)
        print(one_line(look(open_sweep(found.store, found.state.id))))


def _await_end(found: FoundSweep, request: StopRequest, holder: Holder) -> None:
    """Return once this holder drives no more."""
    while (now := last_holder(found.store, found.paths)) is not None and now.drives and now.mark == holder.mark:
        if not found.store.exists(request.path):  # it was starting, and has forgotten what was asked before
            request.make()
        time.sleep(LOOK_S)
