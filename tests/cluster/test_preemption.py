"""Being told to go: by the machine's end that Ray announces, and by a signal."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import Any

import pytest
import ray
import ray._raylet
from ray import tune
from ray.cluster_utils import Cluster
from ray.core.generated import autoscaler_pb2
from ray.exceptions import RaySystemError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cluster.report import Report
from cluster.run import Run
from cluster.workers import trial
from cluster.workers.nodes import draining, free
from cluster.workers.preemption import Draining, node_drains


def answers(*given: object) -> tuple[Callable[[], bool], threading.Event]:
    """A look that answers one after another, and what is set once it has given the last of them."""
    over = threading.Event()
    left = chain(given[:-1], repeat(given[-1]))
    count = iter(range(1, 1_000_000))

    def look() -> bool:
        if next(count) >= len(given):
            over.set()
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    return look, over


def test_it_is_asked_once_the_node_drains():
    look, over = answers(False, False, True)
    with Draining(look, every=0.01) as draining:
        assert over.wait(30)
        draining._thread.join(30)  # it has no more to look for
        assert draining.is_asked()


def test_it_is_not_asked_before():
    look, over = answers(False, False, False)
    with Draining(look, every=0.01) as draining:
        assert over.wait(30)
        assert not draining.is_asked()


def test_a_look_that_fails_is_made_again():
    look, over = answers(RaySystemError("no answer"), True)
    with Draining(look, every=0.01) as draining:
        assert over.wait(30)
        draining._thread.join(30)
        assert draining.is_asked()


def test_a_second_sigterm_ends_the_process():
    code = (
        "import os, signal\n"
        "from cluster.workers.preemption import Draining, heed_sigterm\n"
        "heed_sigterm()\n"
        "with Draining(lambda: False) as draining:\n"
        "    print(draining.is_asked())\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print(draining.is_asked(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('still here')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.getcwd()}, stdout=subprocess.PIPE, check=False
    )
    assert done.stdout == b"False\nTrue\n"
    assert done.returncode == -signal.SIGTERM


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's, about calls of its own
def test_ray_says_which_node_drains_and_what_is_free_on_the_others():
    small: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    try:
        leaving = cluster.add_node(**small).node_id
        ray.init(address=cluster.address, log_to_driver=False)
        there = NodeAffinitySchedulingStrategy(leaving, soft=False)

        class Watcher:
            def drains(self) -> bool:
                return node_drains()

        kind: Any = ray.remote(Watcher)
        watcher = kind.options(num_cpus=0, scheduling_strategy=there).remote()
        assert not ray.get(watcher.drains.remote())
        assert len(free()) == 2
        assert draining() == set()
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")  # type: ignore[attr-defined]
        deadline = int((time.time() + 600) * 1000)
        gcs = ray._raylet.GcsClient(address=cluster.address)  # type: ignore[attr-defined]
        assert gcs.drain_node(leaving, reason, "it goes", deadline)[0]
        assert draining() == {leaving}
        assert ray.get(watcher.drains.remote())
        assert not node_drains(), "this process is on the other node"
        assert [kinds["CPU"] for kinds in free().values()] == [1.0]
        assert leaving not in free()
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_the_actor_of_a_machine_that_is_to_go_is_not_used_again(monkeypatch):
    told: list[dict[str, Report]] = []

    def saves_and_ends(run, place, tell) -> bool:
        return bool(tell(Report(7, {"loss/l1": 1.0}, outcome="preempted")))

    monkeypatch.setattr(trial, "train_or_tell", saves_and_ends)
    monkeypatch.setattr(tune, "report", told.append)
    monkeypatch.setattr(Run, "from_json", lambda values: None)
    with pytest.raises(trial.Leaving, match=r"^saved, and left a machine that was announced to go$"):
        trial.run_trial({"run": {}, "attempt": 1, "gpus_per_worker": 0.0})
    assert [report["report"].outcome for report in told] == ["preempted"], "it is told before"
