"""Worker groups on a real Ray: one worker killed, room that turns up, room that is missing. The trial is driven by hand."""

import os
import platform
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psutil
import pytest
import ray
from ray.util.placement_group import placement_group_table

from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.report import Place, Report
from cluster.run import Run
from cluster.stop import StopRequest
from cluster.training import train
from cluster.tune_bridge import ATTEMPT, INDEX, REPORT, RUN
from cluster.workers import group_trial as worker_group
from cluster.workers.group_trial import WorkerGroupTrial, grouping
from cluster.workers.nodes import free, remove_orphans
from data_shards.build.openmoji import build_openmoji
from data_shards.store import open_store
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.draft import Draft
from orchestrator.sweep_file.sweep import Sweep, read_sweep
from orchestrator.systems.scaffold import OWN_SYSTEM, TEMPLATE
from trainers.state import digest

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Ray Data's, about settings of its own
]
STEPS = 60
TINY = {"width": 4, "critic": "patch16", "critic_width": 4}


@pytest.fixture(scope="module", name="here")
def ray_fixture() -> Iterator[None]:
    """Ray with two CPUs."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    build_openmoji(str(folder / "openmoji"), size=32, limit=24)
    return folder / "openmoji"


@pytest.fixture
def run(shards, tmp_path) -> Run:
    """A tiny pix2pix on two workers at most, as its plan makes it."""
    sweep = {
        "system": "pix2pix",
        "data": {"uri": str(shards), "image": 32, "batch": 4, "replicas": 2},
        "steps": STEPS,
        "hyper": TINY,
        "every": {"report": 5, "evaluate": STEPS, "checkpoint": 20},
        "resources": {"workers": 2},
        "storage": str(tmp_path / "runs"),
    }
    plan = make_plan(read_sweep(sweep, "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=2, gpus=0))
    return plan.run(0, plan.params(0))


@pytest.fixture
def trial(here: None) -> Iterator[Callable[..., WorkerGroupTrial]]:
    """Makes the trials of a test; they are cleaned up at its end."""
    made: list[WorkerGroupTrial] = []

    def make(run: Run, elastic: bool = False, interface: str = "") -> WorkerGroupTrial:
        config = {RUN: run.to_json(), INDEX: 0, ATTEMPT: 1}
        one = WorkerGroupTrial.__new__(WorkerGroupTrial)  # Tune's part of it would make a folder at home
        one.setup({**config, **grouping(1, 0, elastic=elastic, interface=interface)})
        made.append(one)
        return one

    yield make
    for one in made:
        one.cleanup()


def report(trial: WorkerGroupTrial, until: Callable[[Report], bool]) -> Report:
    """The first report for which `until` holds; those before it are answered and forgotten."""
    while True:
        told: Report = trial.step()[REPORT]
        if until(told):
            return told
        assert told.outcome is None, told.error


def to_the_end(trial: WorkerGroupTrial) -> list[Report]:
    """All further reports; the last of them is of a training that is done."""
    told = []
    while REPORT in (result := trial.step()):
        told.append(result[REPORT])
        assert told[-1].outcome in (None, "done"), told[-1].error
    assert result == {"done": True}
    assert (told[-1].step, told[-1].outcome) == (STEPS, "done")
    return told


def state(run: Run) -> str:
    """The digest of what a run has ended with."""
    found = Checkpoints(open_store(run.storage), SweepPaths(run.sweep).checkpoints(run.trial)).newest()
    assert found is not None
    assert found.step == STEPS
    return digest(found.state)


def undisturbed(run: Run) -> str:
    """What the same run ends with in this process."""
    alone = replace(run, trial=1)
    train(alone, Place(), lambda told: told.error is None, lambda: None)
    return state(alone)


def wait(condition: Callable[[], bool], what: str) -> None:
    """Look until it holds, for a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def cpus_free() -> float:
    return sum(node.get("CPU", 0.0) for node in free().values())


def actor(kind: type, num_cpus: float) -> Any:
    """One of the kind, in a process of its own."""
    return ray.remote(kind).options(num_cpus=num_cpus).remote()


class Blocker:
    """Somebody else's work on a CPU."""

    def pid(self) -> int:
        return os.getpid()


def test_a_killed_worker_is_a_crash_and_the_next_group_goes_on(run, trial):
    killed = trial(run)
    told = report(killed, lambda report: report.step >= 25)
    assert told.notices == (), "it has as many workers as it may have"
    assert killed._group is not None
    members = killed._group.members
    os.kill(members[1].pid, signal.SIGKILL)
    crash = report(killed, lambda report: report.outcome is not None)
    assert (crash.outcome, crash.metrics) == ("crashed", {})
    who = f"worker 1 ({members[1].host}, pid {members[1].pid}) of 2 died"
    assert crash.error == who
    first, *_ = after = to_the_end(killed)
    assert first.notices == (f"goes on with 2 of 2 workers from step 20 ({who})",)
    assert first.step == 25
    assert all(report.notices == () for report in after[1:])
    assert state(run) == undisturbed(run)
    wait(lambda: cpus_free() == 2, "its workers hold nothing any more")
    assert {group["state"] for group in placement_group_table().values()} == {"REMOVED"}
    assert not psutil.pid_exists(members[0].pid), "the one that was left is gone too"


def test_workers_talk_by_the_interface_that_is_named(run, trial):
    lost = trial(run, interface="ib9")
    crash = report(lost, lambda report: report.outcome is not None)
    there = ", ".join(name for _, name in socket.if_nameindex())
    problem = f"resources.interface is 'ib9', and {platform.node()} has {there}"
    assert (crash.outcome, crash.error) == ("crashed", f"the worker group could not start: {problem}")
    lost.cleanup()
    wait(lambda: remove_orphans() == 0 and cpus_free() == 2, "what it held is free again")

    local = trial(replace(run, trial=2), interface="lo")
    to_the_end(local)
    assert state(replace(run, trial=2)) == undisturbed(run)


def test_a_group_grows_into_room_that_turns_up(run, trial, monkeypatch):
    monkeypatch.setattr(worker_group, "LOOK_S", 0.2)
    blocker = actor(Blocker, num_cpus=1)
    ray.get(blocker.pid.remote())
    wait(lambda: cpus_free() == 1, "one of two CPUs is taken")
    growing = trial(replace(run, least_workers=1), elastic=True)
    told = report(growing, lambda report: bool(report.metrics))
    assert told.notices == ("trains with 1 of 2 workers from step 0",)
    ray.kill(blocker)
    wait(lambda: cpus_free() == 1, "the other one is free again")  # the trial has the first
    grown = report(growing, lambda report: report.outcome is not None)
    assert (grown.outcome, grown.error) == ("resize", None)
    assert grown.step < STEPS
    first, *_ = to_the_end(growing)
    assert first.notices == (f"goes on with 2 of 2 workers from step {grown.step} (there is room for more)",)
    assert state(run) == undisturbed(run)


def test_waiting_for_room_is_told_once_with_its_end_and_can_be_ended(run, trial, monkeypatch):
    monkeypatch.setattr(worker_group, "TOLD_AFTER_S", 0.2)
    blocker = actor(Blocker, num_cpus=1)
    ray.get(blocker.pid.remote())
    wait(lambda: cpus_free() == 1, "one of two CPUs is taken")
    waiting = trial(run)
    told = waiting.step()[REPORT]
    assert told == Report(0, waits="waiting for 2 workers: the cluster has room for 1")
    StopRequest(open_store(run.storage), SweepPaths(run.sweep).stop_request).make()
    assert waiting.step()[REPORT].outcome == "interrupted"
    assert waiting.step() == {"done": True}

    made = []
    monkeypatch.setattr(worker_group, "Group", lambda *arguments: made.append(arguments))
    StopRequest(open_store(run.storage), SweepPaths(run.sweep).stop_request).withdraw()
    lucky = trial(run)
    assert lucky.step()[REPORT].waits
    ray.kill(blocker)
    wait(lambda: cpus_free() == 2, "it is free again")
    assert (lucky.step()[REPORT], len(made)) == (Report(0), 1), "somebody should know that it waits no longer"


def test_the_room_of_a_killed_maker_is_taken_back(here):
    class Maker:
        def make(self) -> int:
            group = ray.util.placement_group([{"CPU": 1}] * 2)
            ray.get(group.ready())
            return os.getpid()

    maker = actor(Maker, num_cpus=0)
    pid = ray.get(maker.make.remote())
    assert remove_orphans() == 0, "its maker lives"
    os.kill(pid, signal.SIGKILL)
    wait(lambda: remove_orphans() == 1, "nobody else will give back its CPUs")
    wait(lambda: cpus_free() == 2, "they are free again")


def test_a_worker_without_room_is_no_failure_and_the_next_group_takes_less_at_a_time(run, trial):
    lacking = "        if len(a) > 1 and t >= 2:\n            torch.zeros(10**13)\n"
    code = TEMPLATE.read_text(encoding="utf-8").replace(
        "        fake_b = self.ab(a)\n", f"{lacking}        fake_b = self.ab(a)\n"
    )
    values = {
        "system": OWN_SYSTEM,
        "code": f"import torch\n{code}",
        "steps": STEPS,
        "exact": False,
        "storage": run.storage,
        "data": {"uri": run.data.uri, "image": 32, "batch": 4, "replicas": 2},
        "hyper": {"width": 4, "blocks": 0},
        "every": {"report": 1, "evaluate": STEPS, "checkpoint": 1},
        "resources": {"workers": 2},
    }
    plan = make_plan(Draft(Sweep.model_validate(values)), "sweep.yaml", machine=Machine(cpus=2, gpus=0))
    short = trial(plan.run(0, plan.params(0)))
    ended = report(short, lambda report: report.outcome is not None)
    (notice,) = ended.notices
    assert (ended.outcome, ended.error) == ("resize", None)
    assert notice.startswith("step 3 is out of memory on cpu, 2 samples at a time (")
    assert notice.endswith("; on with 1 sample at a time, since exact: false allows it")
    first, *_ = to_the_end(short)
    assert first.notices == ("goes on with 2 of 2 workers from step 2 (for want of memory)",)
