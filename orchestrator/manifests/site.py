"""From the keys of a sweep file to what manifests are made of."""

from __future__ import annotations

from cluster.targets.kubernetes_site import Site
from orchestrator.sweep_file.cluster import Kubernetes
from orchestrator.sweep_file.sweep import Sweep

SPARE_S = 3600.0  # that a driver may take longer than its sweep's own limit, to start and to let trials save


def site_of(part: Kubernetes, sweep: Sweep | None = None) -> Site:
    """The site that `cluster.kubernetes` describes; `sweep` also says how much its nodes keep and for how long it may run."""
    if sweep is None:
        return Site(**dict(part))
    wall = sweep.budget.wall
    return Site(**dict(part), cache=sweep.data.cache.limit, deadline=None if wall is None else wall + SPARE_S)
