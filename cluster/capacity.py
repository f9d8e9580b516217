"""What a running Ray cluster offers, asked of its head before anything connects to it.

`ray.init` would do, but a driver connects once, with settings that a plan decides: so the head's table is read without
it. Ray has no public call for that; the private one stands in this file alone. Verified with Ray 2.60.
"""

from __future__ import annotations

import ray
from ray._private.services import canonicalize_bootstrap_address_or_die
from ray._private.state import GlobalState
from ray._raylet import GcsClientOptions  # type: ignore[attr-defined]
from ray.exceptions import RayError

from cluster.growing import grown
from cluster.targets.target import Capacity, Node, capacity_of


class NoCluster(OSError):
    """RAY_ADDRESS names no cluster that answers."""


def of_running_ray(address: str) -> Capacity:
    """The CPUs and GPUs of the cluster whose head is at `address`, as RAY_ADDRESS has it: of all living nodes, or of all that
    there may be, where a variable says so; then nobody knows what each node has."""
    assert not ray.is_initialized(), "a driver that is connected knows"
    head = canonicalize_bootstrap_address_or_die(address)
    table = GlobalState()
    options = GcsClientOptions.create(head, None, allow_cluster_id_nil=True, fetch_cluster_id_if_nil=False)
    try:
        table._initialize_global_state(options)
        there = table.cluster_resources()
        resources = grown(there)
        held = [node["Resources"] for node in table.node_table() if node["Alive"]]
    except RayError as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NoCluster(f"the Ray cluster at {head} (RAY_ADDRESS) does not answer: {text}") from error
    finally:
        table.disconnect()
    most = Capacity(resources.get("CPU", 0.0), resources.get("GPU", 0.0))
    if (most.cpus, most.gpus) != (there.get("CPU", 0.0), there.get("GPU", 0.0)):
        return most
    return capacity_of(Node(one.get("CPU", 0.0), one.get("GPU", 0.0)) for one in held)
