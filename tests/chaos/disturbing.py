"""Kills at drawn moments, one after another: each only when the sweep has got further than a checkpoint since the last one.

A seed fixes the order of the kinds, and for each kill its victim and how many reports after a checkpoint it comes.
"""

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from tests.beds import CONTROLLER, TRIAL, WORKER, Raylets, kill, until
from tests.chaos.sweeps import Sweep, reported

KINDS = ("worker", "raylet", "trial", "controller", "driver")
RECOVERED_S = 120.0  # a worker group is back after 10 to 25 s where the machine has nothing else to do
PROGRESS_S = 90.0
LATER, WITHIN = 3, 0.25  # the most reports, and then seconds, between a kill and when it was first allowed


@dataclass(frozen=True)
class Kill:
    """One of KINDS, so many reports and seconds after it is allowed; `victim` in [0, 1) says which one of several."""

    kind: str
    reports: int
    seconds: float
    victim: float


@dataclass(frozen=True)
class Moment:
    """What a kill came to: the trial and its last reported step before it, and the seconds until the next training report."""

    kind: str
    trial: int
    step: int
    seconds: float


def drawn(seed: int, times: int) -> list[Kill]:
    """Each of KINDS so many times, in an order and at moments that the seed decides."""
    draw = random.Random(seed)
    kinds = [kind for kind in KINDS for _ in range(times)]
    draw.shuffle(kinds)
    return [Kill(kind, draw.randrange(LATER), draw.uniform(0.0, WITHIN), draw.random()) for kind in kinds]


class Disturber:
    """Carries the kills out on a running sweep and remembers their moments."""

    def __init__(self, bed: Raylets, sweep: Sweep) -> None:
        self.bed, self.sweep = bed, sweep
        self.moments: list[Moment] = []

    def disturb(self, kill: Kill) -> None:
        """Wait until the kill is allowed, kill, and wait until the sweep trains again."""
        trial = until(f"a trial that may be hit by {kill}", lambda: self._allowed(kill), PROGRESS_S, self._state)[0]
        time.sleep(kill.seconds)  # not a wait for anything: it is the moment
        made = self.sweep.committed(trial)
        before = self.sweep.records()
        step = max((record["step"] for record in reported(before, trial)), default=0)
        then = time.time()
        self._carry_out(kill)
        again = until(f"training after {kill}", lambda: self._again(len(before)), RECOVERED_S, self._state)
        if kill.kind != "driver":
            until(f"{kill} is counted", lambda: self._counted(len(before)), RECOVERED_S, self._state)
        if again["trial"] == trial:
            assert again["step"] >= made, f"checkpoint {made} was there, and was not used\n{self._state()}"
        self.moments.append(Moment(kill.kind, trial, step, round(again["at"] - then, 2)))

    def told(self) -> list[dict[str, Any]]:
        """The moments, as plain values."""
        return [asdict(moment) for moment in self.moments]

    def _allowed(self, kill: Kill) -> list[int]:
        """The trial that trains and has reported past a checkpoint that it made since it was last started."""
        assert self.sweep.driving(), f"the sweep ended before {kill}: it needs more steps"
        made = {trial: self.sweep.committed(trial) for trial in _running(self.sweep.records())}
        records = self.sweep.records()  # later than the checkpoints, which come before their reports
        for trial, since in _running(records).items():
            steps = [record["step"] for record in reported(records[since:], trial)]
            if len(steps) > kill.reports and steps[0] < made.get(trial, 0) < steps[-1]:
                return [trial]
        return []

    def _carry_out(self, kill: Kill) -> None:
        if kill.kind == "driver":
            self.sweep.kill()
            self.sweep.start()
        elif kill.kind == "raylet":
            node = until("a node with a worker", lambda: self._nodes(), PROGRESS_S, self._state)
            self.bed.kill_raylet(node[int(kill.victim * len(node))])
            self.bed.add_node()
        else:
            kind = {"worker": WORKER, "trial": TRIAL, "controller": CONTROLLER}[kill.kind]
            until(f"a process to kill: {kill}", lambda: self._shot(kind, kill.victim), PROGRESS_S, self._state)

    def _shot(self, kind: str, victim: float) -> bool:
        """Whether one of the processes of this kind was there to be killed."""
        pids = self.bed.pids(kind)
        with suppress(ProcessLookupError):
            if pids:
                kill(pids[int(victim * len(pids))])
                return True
        return False

    def _nodes(self) -> list[int]:
        nodes = {self.bed.node_of(pid) for pid in self.bed.pids(WORKER)}
        return sorted(node for node in nodes if node is not None)

    def _again(self, seen: int) -> Mapping[str, Any] | None:
        """The first training report of whatever was started after the first `seen` records."""
        assert self.sweep.driving(), f"the driver ended\n{self.sweep.tail()}"
        started: set[int] = set()
        for record in self.sweep.records()[seen:]:
            if record["kind"] == "started":
                started.add(record["trial"])
            elif record["kind"] == "reported" and record["trial"] in started:
                return record
        return None

    def _counted(self, seen: int) -> bool:
        """Whether the log has a failure after the first `seen` records: what it does not know of, nobody tries again."""
        return any(record["kind"] == "failed" for record in self.sweep.records()[seen:])

    def _state(self) -> str:
        processes = [f"{pid} {kind}" for kind in (WORKER, TRIAL, CONTROLLER) for pid in self.bed.pids(kind)]
        return f"{self.bed.look()}\n{processes}\n{self.sweep.tail()}"


def _running(records: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Trials that run by the log, and the number of the record that started them last."""
    found: dict[int, int] = {}
    for number, record in enumerate(records):
        if record["kind"] == "started":
            found[record["trial"]] = number
        elif record["kind"] in ("ended", "failed", "preempted"):
            found.pop(record["trial"], None)
        elif record["kind"] == "opened":
            found.clear()
    return found
