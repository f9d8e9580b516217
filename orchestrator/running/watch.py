"""`watch`: how a sweep goes on, from its log, until nobody drives it any more. It changes nothing, and may be ended at any time.

The surprise is what counts as the end: not the log's last word but that its driver has let go, so that whoever waits for `watch`
can go on with the sweep at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cluster.log.holder import last_holder
from cluster.log.records import SweepState
from cluster.log.tail import Observe, Tail
from data_shards.store import Store, open_store
from orchestrator.finding import FoundSweep, open_sweep
from orchestrator.running.events import tell
from orchestrator.running.health import warnings
from orchestrator.running.status import Look, look, look_at
from orchestrator.running.status_view import one_line, parts
from orchestrator.saying import say

EXIT = {"done": 0, "stopped": 0, "failed": 1, "interrupted": 130}  # as of `submit`
LOOK_S = {False: 0.5, True: 2.0}  # between two looks, by whether the store is remote: there each is some requests


def watch(found: FoundSweep, console: Console) -> int:
    """Show the sweep until nobody drives it; returns the exit code that `submit` ends with. Raises what its store does."""
    store = open_store(found.store.uri)  # as patient as training is: a short outage does not end the watching
    tail = Tail(store, found.paths)
    observe: Observe = _quiet  # what happened before is summed up
    with Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else nullcontext() as live:
        while (seen := _read_on(store, tail, found, observe)).driven:
            if live:
                live.update(_rendered(seen), refresh=True)
            elif observe is _quiet:
                say(one_line(seen))
                observe = _printing()
            time.sleep(LOOK_S[store.remote])
    last = look(open_sweep(store, found.state.id), ask=False)
    if last.state.state not in EXIT:  # somebody has taken it up again
        return watch(found, console)
    say(one_line(last))
    return EXIT[last.state.state]


def _read_on(store: Store, tail: Tail, found: FoundSweep, observe: Observe) -> Look:
    """What there is now. Who drives is asked first: what a driver that is gone by then has written is all there."""
    holder = last_holder(store, found.paths)
    tail.read(observe)
    return look_at(FoundSweep(store, tail.state), tail.attempts, holder)


def _rendered(seen: Look) -> Group:
    return Group(*parts(seen), Text("Ctrl-C ends the watching, not the sweep.", style="dim"))


def _quiet(state: SweepState, record: Mapping[str, Any]) -> None:
    pass


def _printing() -> Observe:
    """Prints each event, and each warning when it comes up. A trial that goes on tells its last evaluation once more: it is printed
    once."""
    told: dict[int, int] = {}  # trial -> the step of the last evaluation
    warned: dict[int, set[str]] = {}  # trial -> the names of its present warnings

    def observe(state: SweepState, record: Mapping[str, Any]) -> None:
        if record["kind"] == "reported" and record["evaluated"]:
            if told.get(record["trial"]) == record["step"]:
                return
            told[record["trial"]] = record["step"]
        for line in tell(state, record):
            say(line)
        if record["kind"] == "reported":
            trial = state.trials[record["trial"]]
            now = warnings(state, trial)
            for name in now.keys() - warned.get(trial.index, set()):
                say(f"trial {trial.index}  warning: {now[name]}")
            warned[trial.index] = set(now)

    return observe
