"""Writes the parts of k8s/ that are made from the same declaration as a sweep's own manifests: cluster/targets/kubernetes_pods.py.

    python -m scripts.k8s_manifests

A test holds the files against it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.targets.kubernetes_manifests import disruption_budget, ray_cluster, worker_group
from cluster.targets.kubernetes_site import HEAD, PRODUCT, WORKER, Site
from orchestrator.manifests.manifest_yaml import to_yaml

FOLDER = Path(__file__).parent.parent / "k8s"
NAME = "i2i"  # of the RayCluster that stays
NOTE = "# Written by scripts/k8s_manifests.py from cluster/targets/kubernetes_pods.py; patch it, or change it there.\n"
# `i2i-cluster` is the name that each overlay replaces by its image.
CPU = Site(image=PRODUCT, nodes=(0, 4), cpus_per_node=4, memory_per_node="16Gi")
GPU = Site(image=PRODUCT, nodes=(0, 8), cpus_per_node=8, memory_per_node="48Gi", shared_memory="16Gi", gpus_per_node=1)
SPOT = Site(
    image=PRODUCT,
    nodes=(0, 8),
    cpus_per_node=8,
    memory_per_node="48Gi",
    shared_memory="16Gi",
    gpus_per_node=1,
    spot=True,
)


def files() -> dict[str, str]:
    """Path below k8s/ -> text, of every file that is written here."""
    budgets = [disruption_budget(f"{NAME}-{part}", None, NAME, part) for part in (HEAD, WORKER)]
    return {
        "base/ray-cluster.yaml": NOTE + to_yaml([ray_cluster(CPU, NAME, token=False)]),
        "base/disruption-budgets.yaml": NOTE + to_yaml(budgets),
        "components/gpu/worker-group.yaml": NOTE + to_yaml([_added(GPU)]),
        "components/spot/worker-group.yaml": NOTE + to_yaml([_added(SPOT)]),
    }


def _added(site: Site) -> list[dict[str, Any]]:
    """A JSON patch that adds the site's worker group to the RayCluster."""
    return [{"op": "add", "path": "/spec/workerGroupSpecs/-", "value": worker_group(site, NAME, {})}]


def main() -> None:
    """Write them all."""
    for path, text in files().items():
        (FOLDER / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
