"""Clusters that grow: what one may come to, and how its autoscaler is asked for it.

Ray tells of the nodes that are there, and adds some only where work waits for them. So a driver that counts what is there would
never ask for more: on Kubernetes two variables say how far the cluster may grow. Trials of one process wait with Ray, which is
asking enough; a group of workers is started once there is room, so its room is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ray.autoscaler.sdk import request_resources

from cluster.targets.target import CPUS, GPUS


def grows() -> bool:
    """Whether the variables say that the cluster may be larger than it is."""
    return CPUS in os.environ


def grown(there: Mapping[str, float]) -> dict[str, float]:
    """What the cluster offers once it has grown; what is there where it does not."""
    most = {"CPU": float(os.environ.get(CPUS, 0)), "GPU": float(os.environ.get(GPUS, 0))}
    return {**there, **{kind: max(there.get(kind, 0.0), amount) for kind, amount in most.items()}}


@contextmanager
def room_for(count: int, bundle: Mapping[str, float]) -> Iterator[None]:
    """Have the cluster's autoscaler make room for `count` workers that take `bundle` each, until the block ends.

    A cluster has one such request: that of another driver on it is replaced.
    """
    asked = {kind: amount for kind, amount in bundle.items() if amount > 0}
    request_resources(bundles=[asked] * count)
    try:
        yield
    finally:
        request_resources(bundles=[])
