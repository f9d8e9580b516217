"""What the manifests of a sweep are made of, and the names that they, the operator and the manifests of k8s/ agree on.

One declaration makes everything that is written for Kubernetes: what `submit` sends, what `k8s render` prints, and the RayCluster
and the worker groups that are kept in k8s/. The surprise are two labels that are not here: KubeRay finds a head's pod by
`app.kubernetes.io/name` and `created-by`, which are the operator's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cluster.job import METRICS_PORT
from cluster.targets.target import CPUS, GPUS, Capacity, Node, capacity_of

Manifest = dict[str, Any]

RAY_VERSION = "2.60.0"  # of the image; constraints.txt pins the same
PRODUCT = "i2i-cluster"
RAY_GROUP, RAY_API, RAY_KIND = "ray.io", "ray.io/v1", "RayJob"
CLUSTER_LABEL = "ray.io/cluster"  # of the operator's, on every pod of a RayCluster
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
GPU_LABEL = "nvidia.com/gpu.product"
GPU = "nvidia.com/gpu"

SWEEP_LABEL = f"{PRODUCT}/sweep"
NUMBER_LABEL = f"{PRODUCT}/number"
CONTENT = f"{PRODUCT}/content"  # annotation: the hash of what was asked for
SWEEP_NAME = f"{PRODUCT}/name"  # annotation: for people

INSTANCE, COMPONENT = "app.kubernetes.io/instance", "app.kubernetes.io/component"
HEAD, WORKER, SUBMITTER = "head", "worker", "submitter"
HEAD_CONTAINER, WORKER_CONTAINER, SUBMITTER_CONTAINER = "ray-head", "ray-worker", "ray-job-submitter"

# Port names as KubeRay and its PodMonitors have them.
METRICS = "i2i-metrics"  # the port of a sweep's own metrics
HEAD_PORTS = {
    "gcs": 6379,
    "dashboard": 8265,
    "metrics": 8080,
    "as-metrics": 44217,
    "dash-metrics": 44227,
    METRICS: METRICS_PORT,
}
WORKER_PORTS = {"metrics": 8080}


@dataclass(frozen=True)
class Site:
    """Where on Kubernetes a sweep runs and what its pods are given: the keys of `cluster.kubernetes`, and three more.

    cache: most bytes of shards that a node keeps. deadline: seconds that one driver may take before the job is ended from
    outside; None: no limit. offered: by a cluster that is there already, once it was asked.
    """

    image: str
    context: str | None = None
    namespace: str | None = None
    queue: str | None = None
    gpu: str | None = None
    nodes: tuple[int, int] = (1, 8)
    cpus_per_node: float = 4.0
    gpus_per_node: int = 0
    memory_per_node: str = "16Gi"
    shared_memory: str = "4Gi"
    head_memory: str = "8Gi"
    spot: bool = False
    service_account: str = PRODUCT
    secret: str | None = None
    ray_cluster: str | None = None
    keep_on_failure: bool = False
    cache: int = 20_000_000_000
    deadline: float | None = None
    offered: Capacity | None = None

    @property
    def scales(self) -> bool:
        """Whether Ray's autoscaler adds and takes away worker pods. Kueue holds a place of one size."""
        return self.queue is None and self.nodes[0] < self.nodes[1]

    @property
    def capacity(self) -> Capacity:
        """What all worker pods that there may be offer together."""
        if self.offered is not None:
            return self.offered
        return capacity_of([Node(self.cpus_per_node, float(self.gpus_per_node))] * self.nodes[1])

    @property
    def growth(self) -> dict[str, str]:
        """The variables that tell a driver of it: Ray tells of the nodes that are there."""
        return {CPUS: f"{self.capacity.cpus:g}", GPUS: f"{self.capacity.gpus:g}"}


def labels(instance: str, component: str) -> dict[str, str]:
    """The labels of an object that is part of `instance`: a job, or a RayCluster that stays."""
    return {
        "app.kubernetes.io/part-of": PRODUCT,
        "app.kubernetes.io/managed-by": PRODUCT,
        INSTANCE: instance,
        COMPONENT: component,
    }
