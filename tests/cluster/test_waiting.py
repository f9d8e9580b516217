"""What is said of trials that no node has room for, and what that costs them: told after a while, once, and paid by nobody."""

import time

import pytest

from cluster.job import Limits
from cluster.log.records import read_records
from cluster.log.store import read_log
from cluster.waiting import TOLD_AFTER_S, Cluster, Waiting, lack
from tests.cluster.conducting import PATHS, started

CPU = {"CPU": 2.0}


@pytest.fixture
def clock(monkeypatch):
    """The seconds that all clocks show."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def kinds(sweep):
    return [record["kind"] for record in read_records(read_log(sweep.store, PATHS))]


def test_it_is_told_once_and_costs_nothing(sweep, clock):
    conductor = sweep.attempt(trials=2, limits=Limits(cpu_hours=1.0))
    waiting = Waiting(conductor, lambda: Cluster(1, {"CPU": 3.0}, [{"CPU": 1.0}, {}]))
    assert started(conductor) == [0, 1]
    for seconds in (0, TOLD_AFTER_S - 1, 0.5):
        clock[0] += seconds
        waiting.look({1: CPU})
    assert "waits" not in kinds(sweep)
    for seconds in (0.5, 3600, 3600):
        clock[0] += seconds
        waiting.look({1: CPU})
    assert kinds(sweep).count("waits") == 1
    trial = conductor.state.trials[1]
    assert trial.notices == [
        (0, "waiting for 2 CPUs on one node: the cluster has 3 CPUs, and at most 1 CPU free on one node")
    ]
    waiting.look({})
    assert kinds(sweep)[-1] == "placed"
    clock[0] += 60
    assert conductor.reported(1, 1, {"eval/l1": 1.0}, True) == "continue"
    assert trial.seconds == 60
    assert not sweep.stop.is_made(), "two hours of waiting are not two hours of a CPU"
    waiting.look({})
    assert kinds(sweep).count("placed") == 1
    assert sweep.logged().trials[1] == trial


def test_who_was_placed_in_time_has_nothing_to_tell(sweep, clock):
    conductor = sweep.attempt(trials=1)
    waiting = Waiting(conductor, lambda: pytest.fail("nobody needs to know"))
    started(conductor)
    waiting.look({0: CPU})
    clock[0] += TOLD_AFTER_S - 1
    waiting.look({0: CPU})
    waiting.look({})
    clock[0] += 2
    waiting.look({0: CPU})
    assert kinds(sweep) == ["opened", "suggested", "started"]


def test_a_process_that_is_slow_to_start_waits_for_nothing(sweep, clock):
    conductor = sweep.attempt(trials=3)
    wanted = [0]
    waiting = Waiting(conductor, lambda: Cluster(wanted[0], {"CPU": 2.0}, [{"CPU": 0.0}]))
    started(conductor)
    for wanted[0], told in ((0, []), (1, [2]), (5, [2, 0, 1])):
        waiting.look(dict.fromkeys(range(3), CPU))
        clock[0] += TOLD_AFTER_S
        waiting.look(dict.fromkeys(range(3), CPU))
        assert [r["trial"] for r in read_records(read_log(sweep.store, PATHS)) if r["kind"] == "waits"] == told


def test_who_ended_while_it_waited_is_not_told_of(sweep, clock):
    conductor = sweep.attempt(trials=1)
    waiting = Waiting(conductor)
    started(conductor)
    waiting.tell(0, "waiting for 2 workers")
    conductor.ended(0, "failed", "its data are gone")
    waiting.end(0)
    waiting.tell(0, "waiting for 2 workers")
    assert kinds(sweep)[-2:] == ["waits", "ended"]


@pytest.mark.parametrize(
    ("asked", "there", "text"),
    [
        ({"CPU": 1.0}, {}, "1 CPU on one node: the cluster has 0 CPUs, and at most 0 CPUs free on one node"),
        (
            {"CPU": 0.5, "GPU": 1.0, "memory": 9.0},
            {"CPU": 4.0, "GPU": 1.0},
            "0.5 CPUs and 1 GPU on one node: the cluster has 4 CPUs and 1 GPU, and at most 2 CPUs and 0 GPUs free on one node",
        ),
    ],
)
def test_the_line_says_what_is_asked_what_is_there_and_what_is_free(asked, there, text):
    nodes = [{"CPU": 2.0}, {"CPU": 1.5, "memory": 1e9}] if there else []
    assert lack(asked, Cluster(1, there, nodes)) == f"waiting for {text}"
