"""Several workers a trial: a Tune trainable that launches worker groups one after another and hands their reports on.

A group never changes: one that died, is preempted or can grow is replaced by another, which goes on from the last checkpoint
on as many workers as there is room for. Whether it is replaced the conductor decides: `step` reports the end, and is called
again where the trial goes on. A class, not a function: Tune waits for a class's cleanup.
"""

from __future__ import annotations

import dataclasses
import time
from contextlib import suppress
from typing import Any

from ray import tune
from ray.exceptions import RayActorError

from cluster.checkpoints.retention import parse_marker
from cluster.conductor import pause_s
from cluster.layout import SweepPaths
from cluster.microbatches import MicroBatches
from cluster.report import AGAIN, Report
from cluster.run import Run
from cluster.stop import StopRequest
from cluster.tune_bridge import ATTEMPT, REPORT, RUN
from cluster.waiting import TOLD_AFTER_S
from cluster.workers.causes import cause, found_no_room, was_preempted
from cluster.workers.elastic import choose, room
from cluster.workers.group import SHORT_S, Group, bundle
from cluster.workers.nodes import draining, free, remove_orphans
from cluster.workers.watchdog import stalls
from data_shards.errors import DataError
from data_shards.store import open_store

ELASTIC = "elastic"  # in a trial's config: whether it may change its size while it runs
POLL_S = 0.5
LOOK_S = 5.0  # between two looks for room to grow, or for machines that are to go
SETTLE_S = 3.0  # what a group held is free again a moment after its end
WAIT_S = 0.2  # between two looks for room to start
REASONS = {"preempted": "a worker was told to leave", "resize": "there is room for more"}
LESS = "for want of memory"


def grouping(
    cpus: float, gpus: float, *, elastic: bool = False, placement: str = "pack", interface: str = ""
) -> dict[str, Any]:
    """The part of a trial's config that says how its workers are started: what each takes, whether their number may change while
    it runs, on how few nodes they are wished to be, and by which network interface they talk."""
    return {
        "cpus_per_worker": cpus,
        "gpus_per_worker": gpus,
        ELASTIC: elastic,
        "placement": placement,
        "interface": interface,
    }


class WorkerGroupTrial(tune.Trainable):
    """One trial on groups of workers. `step` hands on one report; a group's death is one too, with outcome "crashed"."""

    def setup(self, config: dict[str, Any]) -> None:
        """Remember the run; a group is launched by the first `step`."""
        self._config, self._run = config, Run.from_json(config[RUN])
        self._store, self._paths = open_store(self._run.storage), SweepPaths(self._run.sweep)
        self._stop = StopRequest(self._store, self._paths.stop_request)
        self._micro, self._parts = MicroBatches.of(self._run), 1
        self._group: Group | None = None
        self._outcome: str | None = None  # of the last report
        self._launches = 0  # of groups
        self._starts = 0  # how often the trial went on with another group, which is what the conductor counts
        self._step = 0
        self._crashes = 0  # since the last report of a further step
        self._not_before = 0.0  # when the next group may be launched
        self._waiting: float | None = None  # since when there is no room for one; infinite once that is told
        self._why = ""  # the last group's end
        self._news = ""  # about the present group, for its first report
        self._looked = 0.0
        self._going: set[str] = set()  # nodes of the group that were announced to go
        self._could_grow = self._asked = False  # whether it could at the last look; whether it was asked to

    def step(self) -> dict[str, Any]:
        """The next report. After an outcome of preempted, resize or crashed, it goes on with another group."""
        if self._outcome is not None and self._is_over():
            return {"done": True}
        if self._group is not None:
            self._group.answer(True)
        while True:
            if self._group is None and (instead := self._launch()):
                return self._hand_on(instead)
            assert self._group is not None
            self._look()
            alive = self._group.is_alive()
            try:
                report = self._group.next(POLL_S if alive else SHORT_S)
            except RayActorError:
                self._group.end()
                return self._hand_on(self._death("the mailbox of its worker group died"))
            if report is not None:
                return self._hand_on(report)
            if not alive and self._group.failure is None:
                return {"done": True}
            if not alive and not found_no_room(self._group.failure):
                return self._hand_on(self._death())
            if not alive:
                self.cleanup()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in this process: nothing of the last one stays."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """End the group: tell its workers to stop, and wait for them."""
        if self._group is not None:
            self._group.end()
        self._forget()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the workers commit their own checkpoints."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: the workers find their own checkpoints."""

    def _hand_on(self, report: Report) -> dict[str, Any]:
        if report.step > self._step:
            self._step, self._crashes = report.step, 0
        self._outcome = report.outcome
        if report.metrics and self._news:
            news = self._news + self._origin() + (f" ({self._why})" if self._why else "")
            report = dataclasses.replace(report, notices=(news, *report.notices))
            self._news = self._why = ""
        return {REPORT: report}

    def _is_over(self) -> bool:
        """Let the group that has told its outcome end. Says whether the trial ends with it."""
        outcome, self._outcome = self._outcome, None
        if self._group is not None:
            self._group.finish()
        self._forget()
        if outcome not in AGAIN:
            return True
        self._why = self._why or REASONS.get(outcome, "")
        self._starts += 1
        return False

    def _death(self, text: str | None = None) -> Report:
        """The report that the group died, and of what. It is no failure where a machine of it was announced to go."""
        group = self._group
        assert group is not None
        parts, why = self._micro.read()
        if parts > self._parts:  # a worker's step had no room, and the next group's takes less
            self._why = LESS
            return Report(self._step, outcome="resize", notices=(why,))
        said = self._stalls(group.start)
        text = text or cause(group.failure, group.members, group.size, said)
        self._note_going()
        preempted = not said and (bool(self._going) or was_preempted(group.failure))
        self._not_before = time.monotonic() + (0.0 if preempted else pause_s(1.0, self._crashes))
        self._crashes += not preempted
        self._why = text
        return Report(self._step, outcome="preempted" if preempted else "crashed", error=text)

    def _launch(self) -> Report | None:
        """Launch a group as large as there is room for. A report instead of the group's first where somebody should know that there
        is none yet, or that there is now."""
        run, taken = self._run, bundle(self._config)
        settled = time.monotonic() + (SETTLE_S if self._launches else 0.0)
        while True:
            if self._stop.is_made():
                return Report(self._step, outcome="interrupted")
            remove_orphans()
            nodes, now = list(free().values()), time.monotonic()
            size = choose(run.least_workers, run.workers, run.data.replicas, taken, nodes)
            if size is not None and now >= self._not_before and (size == run.workers or now >= settled):
                break
            if size is None and now >= settled:
                self._waiting = self._waiting or now
                if now - self._waiting >= TOLD_AFTER_S:
                    self._waiting = float("inf")
                    told = f"waiting for {run.least_workers} workers: the cluster has room for {room(taken, nodes)}"
                    return Report(self._step, waits=told)
            time.sleep(WAIT_S)
        found, self._waiting = self._waiting is not None and self._waiting == float("inf"), None
        start = self._config[ATTEMPT] + self._starts
        name = f"{run.sweep}-{run.trial:04d}-{self._config[ATTEMPT]}-{self._launches}"
        self._group = Group(self._config, start, size, name)
        self._parts, _ = self._micro.read()
        self._launches += 1
        if self._starts or size < run.workers:
            verb = "goes on" if self._starts else "trains"
            self._news = f"{verb} with {size} of {run.workers} workers"
        return Report(self._step) if found else None

    def _look(self) -> None:
        """See now and then which machines are to go, and whether the group could be larger; then ask it to end for that."""
        group, run = self._group, self._run
        if group is None or time.monotonic() - self._looked < LOOK_S or len(group.members) < group.size:
            return
        self._looked = time.monotonic()
        self._note_going()
        if self._asked or not self._config[ELASTIC] or group.size == run.workers:
            return
        nodes, taken = free(), bundle(self._config)
        for member in group.members.values():  # what it holds is free for its successor
            node = nodes.get(member.node, {})
            node.update({kind: node.get(kind, 0.0) + amount for kind, amount in taken.items()})
        larger = choose(2 * group.size, run.workers, run.data.replicas, taken, nodes.values())
        self._asked = larger is not None and self._could_grow
        self._could_grow = larger is not None
        if self._asked:
            group.ask("resize")

    def _note_going(self) -> None:
        if self._group is not None:
            self._going |= {member.node for member in self._group.members.values()} & draining()

    def _origin(self) -> str:
        """From which step the group goes on, by the marker that its rank 0 has left."""
        folder = f"{self._paths.checkpoints(self._run.trial)}/"
        with suppress(DataError, OSError):
            markers = [parse_marker(path.removeprefix(folder)) for path in self._store.list(f"{folder}attempt-")]
            start = self._config[ATTEMPT] + self._starts
            return "".join(f" from step {marker.start}" for marker in markers if marker and marker.attempt == start)
        return ""

    def _stalls(self, start: int) -> list[str]:
        with suppress(DataError, OSError):  # the cause is worth less than the training
            return stalls(self._store, self._paths.stalls(self._run.trial), start)
        return []

    def _forget(self) -> None:
        """There is no group."""
        self._group = None
        self._looked, self._going = 0.0, set()
        self._could_grow = self._asked = False
