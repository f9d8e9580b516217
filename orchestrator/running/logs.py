"""`logs`: a sweep's story from its log, what its trials' worker processes printed, or the raw output of its job.

The first two come from the storage and are the same wherever the sweep runs, or ran; the last is the target's, and goes with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from cluster.log.records import SweepState
from cluster.log.store import has_log
from cluster.log.tail import Tail
from cluster.output import Printed, Reader, segments
from cluster.targets.target import TargetError
from data_shards.store import open_store
from orchestrator.errors import Refusal
from orchestrator.finding import FoundSweep, open_sweep
from orchestrator.running.events import describe_events, tell
from orchestrator.running.following import is_driven
from orchestrator.running.status import look
from orchestrator.running.status_view import one_line
from orchestrator.running.sweeps import known_trials
from orchestrator.saying import say
from orchestrator.targets import see_job, target_again
from orchestrator.trust import is_trusted

LOOK_S = 2.0
SETTLE_S = 6.0  # the last output of workers is on its way for a moment when their driver has let go


def tell_story(found: FoundSweep, follow: bool, as_json: bool) -> None:
    """Print a line for each thing that happened, from the beginning; `follow`: on, until nobody drives the sweep."""
    observe = _print_json if as_json else _print
    store = open_store(found.store.uri)
    tail, told = Tail(store, found.paths), False
    if follow:
        _await_driver(found)
    while has_log(store, found.paths):
        driven = is_driven(found)  # asked first: what a driver that is gone by then has written is all there
        told = bool(tail.read(observe)) or told
        if not (follow and driven):
            break
        time.sleep(LOOK_S)
    if not told:
        say(one_line(look(open_sweep(store, found.state.id))), aside=True)


def tell_output(found: FoundSweep, trial: int, rank: int | None, follow: bool, as_json: bool) -> None:
    """Print what the workers of a trial printed, of each start; `follow`: on, until nobody drives the sweep.

    Raises Refusal where there is no such trial, or it has no such worker.
    """
    store = open_store(found.store.uri)
    folder = found.paths.output(trial)
    printer = _Objects(found.state.id, trial) if as_json else _Printer()
    reader = Reader(store, folder, rank)
    if follow:
        _await_driver(found)
    else:
        _check(found, trial, rank)
    since = 0.0
    while True:
        driven = follow and is_driven(found)
        printer.print(reader.lines())
        since = 0.0 if driven else since or time.monotonic()
        if not follow or (not driven and time.monotonic() - since > SETTLE_S):
            break
        time.sleep(LOOK_S)
    printer.print(reader.rests())
    if printer.count:
        return
    _check(open_sweep(store, found.state.id), trial, rank)
    say(f"trial {trial} has printed nothing", aside=True)


def tell_job(found: FoundSweep, follow: bool) -> None:
    """Print what the job's driver printed, as its target has it. Raises Refusal where there is none, and TargetError."""
    name = found.state.name or found.state.id
    seen = see_job(found)
    if seen is None:
        raise Refusal(
            f"sweep {name} was not handed to a cluster: its driver printed where it was started", path="--driver"
        )
    if seen.job is None and is_trusted(seen.submission):  # asked, and in vain: no mistake of the request
        raise TargetError(str(seen))
    if seen.job is None:
        raise Refusal(str(seen), path="--driver")
    for line in target_again(seen.submission).logs(seen.job, follow):
        say(line)


def _await_driver(found: FoundSweep) -> None:
    """Return once somebody drives the sweep, or nobody is about to."""
    while not is_driven(found) and (seen := see_job(found)) is not None and seen.is_alive:
        time.sleep(LOOK_S)


class _Printer:
    """Prints lines below a heading for each start and rank. `count`: of lines."""

    def __init__(self) -> None:
        self.count = 0
        self._start: int | None = None
        self._rank = 0

    def print(self, lines: Iterator[Printed]) -> None:
        """Print these."""
        for line in lines:
            self.count += 1
            self.one(line)

    def one(self, line: Printed) -> None:
        """Print one."""
        whose = (line.segment.start, line.segment.rank)
        if whose != (self._start, self._rank):
            self._start, self._rank = whose
            say(f"== start {line.segment.start}, worker {line.segment.rank} ==")
        say(line.text)


class _Objects(_Printer):
    """Prints each line as a JSON object of its own."""

    def __init__(self, sweep: str, trial: int) -> None:
        super().__init__()
        self._of = {"sweep": sweep, "trial": trial}

    def one(self, line: Printed) -> None:
        """Print one."""
        where = {"rank": line.segment.rank, "start": line.segment.start, "step": line.step}
        say(json.dumps({**self._of, **where, "text": line.text}))


def _print(state: SweepState, record: Mapping[str, Any]) -> None:
    for line in tell(state, record):
        say(line)


def _print_json(state: SweepState, record: Mapping[str, Any]) -> None:
    for told in describe_events(state, record):
        say(json.dumps(told))


def _check(found: FoundSweep, trial: int, rank: int | None) -> None:
    """Raise Refusal where the sweep has no such trial, or the trial has no output of such a worker."""
    state = found.state
    if trial not in state.trials:
        raise Refusal(
            f"sweep {state.name} has no trial {trial}; it has {known_trials(state)}", path="--trial", value=trial
        )
    ranks = sorted({segment.rank for segment in segments(found.store, found.paths.output(trial))})
    if rank is not None and ranks and rank not in ranks:
        there = ", ".join(map(str, ranks))
        raise Refusal(
            f"no worker {rank} of trial {trial} has printed anything; has: {there}", path="--rank", value=rank
        )
