"""What a trial does when its groups end: which end counts, and when the next one starts as what. Groups and nodes are fakes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from ray.exceptions import RayActorError
from ray.train import ControllerError, WorkerGroupError
from ray.train.v2._internal.exceptions import WorkerGroupStartupTimeoutError, WorkerHealthCheckFailedError

from cluster.layout import SweepPaths
from cluster.report import Report
from cluster.run import Data, Every, Run
from cluster.tune_bridge import ATTEMPT, REPORT, RUN
from cluster.workers import group_trial as worker_group
from cluster.workers.group_trial import ELASTIC, WorkerGroupTrial, grouping
from cluster.workers.mailbox import Member
from cluster.workers.watchdog import of_attempt
from data_shards.store import FolderStore

DEATH = WorkerGroupError("it failed", {1: WorkerHealthCheckFailedError("a check failed", RayActorError())})
NO_ROOM = ControllerError(WorkerGroupStartupTimeoutError(num_workers=2))
WHO = "worker 1 (host, pid 101) of 2 died"


@dataclass
class World:
    """What groups will do, what nodes there are, what was launched, and what time it is."""

    plays: list[list[Report | Exception]] = field(
        default_factory=list
    )  # of each group: its reports, then what it dies of
    free: dict[str, dict[str, float]] = field(default_factory=lambda: {"n0": {"CPU": 1.0}, "n1": {"CPU": 1.0}})
    draining: set[str] = field(default_factory=set)
    launched: list[tuple[int, int, str]] = field(default_factory=list)  # start, size, name
    waited: list[float] = field(default_factory=list)  # before each launch
    wishes: list[str] = field(default_factory=list)
    clock: float = 100.0
    since: float = 100.0

    def monotonic(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds


class FakeGroup:
    """A group that plays what the world has for it."""

    world: World

    def __init__(self, config: dict[str, Any], start: int, size: int, name: str) -> None:
        self.start, self.size = start, size
        self.members = {rank: Member(rank, f"n{rank}", "host", 100 + rank) for rank in range(size)}
        self.failure: Exception | None = None
        self._play = self.world.plays.pop(0)
        self._take(1.0)
        self.world.launched.append((start, size, name))
        self.world.waited.append(round(self.world.clock - self.world.since, 1))

    def is_alive(self) -> bool:
        return bool(self._play)

    def next(self, timeout: float) -> Report | None:
        self.world.clock += timeout
        told = self._play.pop(0) if self._play else None
        if isinstance(told, Exception):
            self.failure, self.world.since = told, self.world.clock
            return None
        return told

    def answer(self, go_on: bool) -> None:
        assert go_on

    def ask(self, why: str) -> None:
        self.world.wishes.append(why)

    def finish(self) -> None:
        self.world.since = self.world.clock
        self.end()

    def _take(self, cpus: float) -> None:
        for member in self.members.values():
            if member.node in self.world.free:
                self.world.free[member.node]["CPU"] -= cpus

    def end(self) -> None:
        self._take(-1.0)


@pytest.fixture
def world(monkeypatch) -> Iterator[World]:
    of = World()
    FakeGroup.world = of
    monkeypatch.setattr(worker_group, "Group", FakeGroup)
    monkeypatch.setattr(worker_group, "free", lambda: {name: dict(kinds) for name, kinds in of.free.items()})
    monkeypatch.setattr(worker_group, "draining", lambda: of.draining)
    monkeypatch.setattr(worker_group, "remove_orphans", lambda: 0)
    monkeypatch.setattr(worker_group, "time", of)
    yield of


@pytest.fixture
def trial(world, tmp_path):
    """A trial on one or two workers, started for the third time."""
    data = Data("shards", "0" * 64, 32, 4, 2, False, 1.0)
    run = Run(
        "s1", 0, 0, "pix2pix", {}, {}, {}, data, 100, Every(5, 100, 20), 2, 1, "fp32", "contiguous", True, "stop",
        storage=str(tmp_path),
    )  # fmt: skip
    config = {RUN: run.to_json(), ATTEMPT: 3, **grouping(1, 0, elastic=True)}
    made = WorkerGroupTrial.__new__(WorkerGroupTrial)  # Tune's part of it wants a Ray
    made.setup(config)
    return made


def told(step: int, **more: Any) -> Report:
    return Report(step, {"loss/l1": 1.0}, **more)


def step(trial: WorkerGroupTrial) -> Report:
    report: Report = trial.step()[REPORT]
    return report


def test_each_start_has_a_number_and_each_launch_a_name(world, trial):
    world.plays = [[told(5), DEATH], [NO_ROOM], [told(5), told(10, outcome="preempted")], [told(15, outcome="done")]]
    assert [step(trial).outcome for _ in range(5)] == [None, "crashed", None, "preempted", "done"]
    assert trial.step() == {"done": True}
    assert [start for start, _, _ in world.launched] == [3, 4, 4, 5], "a launch that found no room started nothing"
    assert [size for _, size, _ in world.launched] == [2, 2, 2, 2]
    assert [name for _, _, name in world.launched] == ["s1-0000-3-0", "s1-0000-3-1", "s1-0000-3-2", "s1-0000-3-3"]


def test_a_pause_doubles_until_a_further_step_is_reported(world, trial):
    world.plays = [[told(5), DEATH], [DEATH], [told(5), DEATH], [told(10), DEATH], [told(15)]]
    outcomes = [step(trial).outcome for _ in range(8)]
    assert outcomes == [None, "crashed", "crashed", None, "crashed", None, "crashed", None]
    assert world.waited[1:] == pytest.approx([1.0, 2.0, 4.0, 1.0], abs=0.3)


def test_what_dies_on_a_machine_that_is_to_go_is_no_failure(world, trial):
    world.plays = [[told(5), DEATH], [told(10)]]
    step(trial)
    world.draining = {"n1"}
    death = step(trial)
    assert (death.outcome, death.error, death.step) == ("preempted", WHO, 5)
    world.draining, world.free = set(), {"n0": {"CPU": 0.0}}  # which the group still has
    assert step(trial).notices == (f"goes on with 1 of 2 workers ({WHO})",)
    assert world.waited[1] == pytest.approx(worker_group.SETTLE_S, abs=0.3), (
        "no pause, but a look whether more is freed"
    )


def test_a_drain_elsewhere_excuses_nothing(world, trial):
    world.plays = [[told(5), DEATH]]
    world.draining = {"n7"}
    assert [step(trial).outcome for _ in range(2)] == [None, "crashed"]


def test_a_stall_is_a_failure_and_names_the_cause(world, trial, tmp_path):
    world.plays = [[told(5), DEATH]]
    line = "step 6 stalled for 600 s on rank 1 (host, pid 101) while training, in store.py:94 read"
    folder = of_attempt(SweepPaths("s1").stalls(0), 3)
    FolderStore(tmp_path).write(f"{folder}/stall-step-00000006-rank-1.txt", f"{line}\n\nMainThread: ...".encode())
    world.draining = {"n1"}
    step(trial)
    death = step(trial)
    assert (death.outcome, death.error) == ("crashed", line)


def test_growing_takes_two_looks_at_room_that_stays(world: World, trial):
    world.free = {"n0": {"CPU": 1.0}}
    world.plays = [[*(told(5 * n) for n in range(1, 9)), told(45, outcome="resize")], [told(50)]]
    assert step(trial).notices == ("trains with 1 of 2 workers",)

    def look(others: float) -> list[str]:
        """What the group was asked so far, after a look at so many CPUs on another node."""
        world.free["n1"] = {"CPU": others}
        world.clock += worker_group.LOOK_S
        step(trial)
        return world.wishes

    assert look(1.0) == []
    assert look(0.0) == []
    assert look(1.0) == []
    assert look(1.0) == ["resize"]
    assert look(1.0) == ["resize"], "once is enough"
    while step(trial).outcome is None:
        pass
    assert step(trial).notices == ("goes on with 2 of 2 workers (there is room for more)",)


def test_a_trial_that_may_not_change_stays_as_it_is(world, trial):
    trial._config[ELASTIC] = False
    world.free = {"n0": {"CPU": 1.0}}
    world.plays = [[told(5 * n) for n in range(1, 10)]]
    step(trial)
    world.free["n1"] = {"CPU": 4.0}
    for _ in range(5):
        world.clock += worker_group.LOOK_S
        step(trial)
    assert world.wishes == []
