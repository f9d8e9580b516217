"""What a sweep names and a namespace does not have: told before anything is made, and not by a pod that never starts.

Who may not look is not told here: the pods' state will say it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from cluster.targets.kubernetes_api import Api, Refused, no_namespace
from cluster.targets.kubernetes_site import GPU, GPU_LABEL, RAY_GROUP, Manifest, Site
from cluster.targets.target import NotThere

KUEUE_GROUP, KUEUE_VERSIONS = "kueue.x-k8s.io", ("v1beta2", "v1beta1")
FORBIDDEN, ABSENT = 403, 404
Look = Callable[[], Manifest]


def check_site(api: Api, site: Site) -> None:
    """Raise NotThere for what the site names and the cluster does not have, as far as one may look."""
    core, space = api.core, api.namespace
    if site.ray_cluster is not None:
        ray_cluster(api, site.ray_cluster)
        return
    if _is_absent(partial(api.call, core.read_namespaced_service_account, site.service_account, space)):
        if _is_absent(partial(api.call, core.read_namespace, space)):
            raise NotThere(f"{api.place}: {no_namespace(space)}", "namespace")
        how = "`kubectl apply -k k8s/overlays/prod` makes i2i-cluster's"
        raise NotThere(f"{api.place}: there is no service account {site.service_account}; {how}", "service_account")
    if site.secret is not None and _is_absent(partial(api.call, core.read_namespaced_secret, site.secret, space)):
        how = f"`kubectl -n {space} create secret generic {site.secret} --from-env-file=FILE` makes it"
        raise NotThere(f"{api.place}: there is no secret {site.secret}; {how}", "secret")
    if site.queue is not None:
        _check_queue(api, site.queue)
    if site.gpus_per_node:
        _check_gpus(api, site)


def ray_cluster(api: Api, name: str) -> Manifest:
    """The RayCluster of that name. Raises NotThere where there is none."""
    clusters: tuple[Any, ...] = (RAY_GROUP, "v1", api.namespace, "rayclusters")
    try:
        return api.call(api.custom.get_namespaced_custom_object, *clusters, name)
    except Refused as refused:
        if refused.status != ABSENT:
            raise
    others = _named(look_at(partial(api.call, api.custom.list_namespaced_custom_object, *clusters)))
    raise NotThere(f"{api.place}: there is no RayCluster {name}{_instead(name, others)}", "ray_cluster")


def worker_limits(group: Manifest) -> dict[str, str]:
    """What a pod of a worker group may use at most."""
    limits: dict[str, str] = group["template"]["spec"]["containers"][0].get("resources", {}).get("limits", {})
    return limits


def quantity(text: str | float) -> float:
    """The number that Kubernetes means by "4", "500m" or "16Gi"."""
    from kubernetes.utils.quantity import parse_quantity

    return float(parse_quantity(text))


def _check_queue(api: Api, name: str) -> None:
    for version in KUEUE_VERSIONS:
        queues: tuple[Any, ...] = (KUEUE_GROUP, version, api.namespace, "localqueues")
        if not _is_absent(partial(api.call, api.custom.get_namespaced_custom_object, *queues, name)):
            return
        others = look_at(partial(api.call, api.custom.list_namespaced_custom_object, *queues))
        if others is not None:
            raise NotThere(f"{api.place}: there is no LocalQueue {name}{_instead(name, _named(others))}", "queue")
    how = "the cluster has no Kueue; install it, or leave out queue"
    raise NotThere(f"{api.place}: there is no LocalQueue {name}: {how}", "queue")


def _check_gpus(api: Api, site: Site) -> None:
    """Nodes of the kind that are there must hold a pod. Where there are none, some may be added when they are needed."""
    nodes = look_at(partial(api.call, api.core.list_node)) or {"items": []}
    kind = f" {site.gpu}" if site.gpu else ""
    most = [_gpus(node) for node in nodes["items"] if _is_of(node, site.gpu) and _gpus(node)]
    if most and max(most) < site.gpus_per_node:
        problem = f"no node holds a pod with {site.gpus_per_node}{kind} GPUs: the largest has {max(most)}"
        how = "lower gpus_per_node and raise nodes, or name another gpu"
        raise NotThere(f"{api.place}: {problem}; {how}", "gpus_per_node")


def _is_of(node: Manifest, product: str | None) -> bool:
    return product is None or node["metadata"].get("labels", {}).get(GPU_LABEL) == product


def _gpus(node: Manifest) -> int:
    return int(node.get("status", {}).get("allocatable", {}).get(GPU, 0))


def _is_absent(look: Look) -> bool:
    """Whether the object is certainly not there."""
    try:
        look()
    except Refused as refused:
        if refused.status not in (FORBIDDEN, ABSENT):
            raise
        return refused.status == ABSENT
    return False


def look_at(look: Look) -> Manifest | None:
    """What there is; None where one may not look, or there is no such kind."""
    try:
        return look()
    except Refused as refused:
        if refused.status not in (FORBIDDEN, ABSENT):
            raise
        return None


def _named(listed: Manifest | None) -> list[str]:
    return [one["metadata"]["name"] for one in (listed or {}).get("items", [])]


def _instead(name: str, others: Iterable[str]) -> str:
    there = sorted(others)
    near = difflib.get_close_matches(name, there, n=1)
    return f"; nearest: {near[0]}" if near else f"; has: {', '.join(there) or 'none'}"
