"""A process that holds the nodes of a Ray cluster for a test, and does what it is told on its standard input.

In a process of its own, so that the test's interpreter never connects to Ray, and so that everything the cluster starts is
found: orphans are handed to this process and not to init, so whatever lives below it is the cluster's.
"""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ray.cluster_utils import Cluster

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
OBJECT_STORE_BYTES = 80_000_000
# A node is dead after about 2 s without a sign of life: less would kill healthy ones where the machine is busy.
HEALTH = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}


class Keeper:
    """The head, which does no work itself, and the nodes that do, by their number."""

    def __init__(self) -> None:
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": HEALTH}
        self._cluster = Cluster(
            head_node_args={**head, "object_store_memory": OBJECT_STORE_BYTES}, initialize_head=True
        )
        self._nodes: list[Any] = []

    def head(self) -> dict[str, Any]:
        """Where the cluster is reached, and the number of the head's raylet."""
        return {"address": self._cluster.address, "raylet": _raylet(self._cluster.head_node)}

    def add(self, cpus: float, gpus: float) -> dict[str, Any]:
        """Another node."""
        node = self._cluster.add_node(num_cpus=cpus, num_gpus=gpus, object_store_memory=OBJECT_STORE_BYTES)
        self._nodes.append(node)
        return {"number": len(self._nodes) - 1, "raylet": _raylet(node), "id": node.node_id}

    def kill(self, number: int) -> dict[str, Any]:
        """kill -9 of a raylet. It is waited for: its workers take a zombie for a living one."""
        self._cluster.remove_node(self._nodes[number], allow_graceful=False)
        return {}

    def look(self) -> dict[str, Any]:
        """What the cluster's own tables say: living nodes, CPUs in all and free ones, placement groups that are held."""
        table = self._cluster.global_state
        groups = table.placement_group_table().values()
        return {
            "nodes": [node["NodeID"] for node in table.node_table() if node["Alive"]],
            "cpus": table.cluster_resources().get("CPU", 0.0),
            "free": table.available_resources().get("CPU", 0.0),
            "groups": [str(group["placement_group_id"]) for group in groups if group["state"] != "REMOVED"],
        }


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def main() -> None:
    """Answer each line of standard input, a JSON list of a method and its arguments, by one line."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what ray prints is no answer
    keeper = Keeper()
    methods: Mapping[str, Callable[..., dict[str, Any]]] = {
        "head": keeper.head,
        "add": keeper.add,
        "kill": keeper.kill,
        "look": keeper.look,
    }
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(methods[name](*arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main()
