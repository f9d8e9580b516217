"""The process that holds the nodes of a local cluster: started by `up`, in a session of its own, until `down` ends it.

All nodes speak over the loopback address alone. Ray does that by itself only where it takes clusters for impossible, on
macOS; the variable that says so (RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER) is set for every process of the cluster.
"""

from __future__ import annotations

import json
import signal
import sys
import threading

from ray.cluster_utils import Cluster

from cluster.up.state import READY
from data_shards.store import FolderStore

LOOPBACK = "127.0.0.1"
OBJECT_STORE_BYTES = 100_000_000  # nothing large travels through Ray


def main() -> None:
    """Start the nodes that the JSON in the first argument asks for, write down where they are, and wait for SIGTERM."""
    asked = json.loads(sys.argv[1])
    node = {
        "num_cpus": asked["cpus"],
        "node_ip_address": LOOPBACK,
        "dashboard_agent_listen_port": None,  # any that is free: it has one for each machine
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    head = {
        **node,
        "include_dashboard": True,
        "dashboard_host": LOOPBACK,
        "dashboard_port": asked["port"],
        "temp_dir": f"{asked['folder']}/ray",
    }
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(asked["nodes"] - 1):
        cluster.add_node(**node)
    FolderStore(asked["folder"]).write(READY, str(cluster.webui_url).encode())
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()


if __name__ == "__main__":
    main()
