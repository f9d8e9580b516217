"""What a namespace has for a sweep, before anything is made: nodes that hold its pods, what quotas leave, what a queue may give.

Nodes come and go, and quotas are used by others: what is short here is told and not refused. Who may not look is told so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from cluster.targets.kubernetes_api import Api
from cluster.targets.kubernetes_checks import KUEUE_GROUP, KUEUE_VERSIONS, look_at, quantity
from cluster.targets.kubernetes_manifests import AUTOSCALER
from cluster.targets.kubernetes_pods import SPOT_MARKS, head_pod, submitter_pod, worker_pod
from cluster.targets.kubernetes_site import GPU, GPU_LABEL, Manifest, Site
from cluster.targets.target import Need, Survey

KINDS = ("cpu", "memory", GPU)
BLOCKING = ("NoSchedule", "NoExecute")
GIB = 2**30


def survey(api: Api, site: Site, need: Need) -> Survey:
    """What is there for the pods of `site`. Raises TargetError where the API server does not answer."""
    if site.ray_cluster is not None:
        return Survey({"Ray cluster": f"{site.ray_cluster}, which keeps its own pods"})
    parts = [_nodes(api, site), _quotas(api, site), _queue(api, site), _memory(site, need)]
    return Survey(
        {name: told for part in parts for name, told in part.facts.items()},
        tuple(line for part in parts for line in part.short),
        tuple(line for part in parts for line in part.unknown),
    )


def _nodes(api: Api, site: Site) -> Survey:
    """How many of the sweep's worker pods the nodes hold that are there now, other pods apart."""
    listed = look_at(partial(api.call, api.core.list_node))
    if listed is None:
        return Survey(unknown=(f"whether nodes hold the pods: {api.place} does not let you list nodes",))
    least, most = site.nodes
    pod = _asked(worker_pod(site, "", {}))
    fitting = [node["status"].get("allocatable", {}) for node in listed["items"] if _takes(node, site)]
    places = sum(_times(pod, has) for has in fitting)
    told = (
        f"{len(fitting)} of {len(listed['items'])} nodes may take worker pods, and hold {min(places, most)} of {most}"
    )
    facts, unknown = {"nodes": told}, ("what other pods take of the nodes",)
    if places >= most:
        return Survey(facts, unknown=unknown)
    short = f"the nodes that are there hold {places} of {most} worker pods ({_words(pod)})"
    if not places and fitting:
        short += f": the largest has {_words({kind: max(_amount(has, kind) for has in fitting) for kind in pod})}"
    end = "the sweep waits for a node" if places < least else "the rest waits for nodes"
    return Survey(
        facts, (f"{short}; {end}, as an autoscaler may add them, or lower nodes or what a pod asks for",), unknown
    )


def _quotas(api: Api, site: Site) -> Survey:
    """What the namespace's quotas leave, for the most pods that the sweep may have."""
    listed = look_at(partial(api.call, api.core.list_namespaced_resource_quota, api.namespace))
    if listed is None:
        return Survey(unknown=(f"what quotas leave: {api.place} does not let you list resourcequotas",))
    facts, short = {}, []
    for quota in listed["items"]:
        name, status = quota["metadata"]["name"], quota.get("status", {})
        hard = status.get("hard") or quota.get("spec", {}).get("hard", {})
        left = {kind: quantity(most) - quantity(status.get("used", {}).get(kind, "0")) for kind, most in hard.items()}
        counted = {kind: left[kind] for kind in left if _of_quota(kind) is not None}
        if counted:
            facts[f"quota {name}"] = "leaves " + ", ".join(f"{_shown(k, v)} of {k}" for k, v in counted.items())
        for kind, room in counted.items():
            alone, each = _pods(site, kind)
            asked = alone + each * site.nodes[1]
            if asked > room:
                fit = int((room - alone) / each) if room >= alone else -1
                held = f"{fit} worker pods fit" if fit >= site.nodes[0] else "not even the least nodes fit"
                asks = f"the sweep asks for {_shown(kind, asked)} at its most: {held}"
                end = f"lower nodes, end what else runs in {api.namespace}, or have it raised"
                short.append(f"quota {name} leaves {_shown(kind, room)} of {kind}, and {asks}; {end}")
    return Survey(facts, tuple(short))


def _queue(api: Api, site: Site) -> Survey:
    """Whether Kueue's queue may ever admit the sweep: all of it at once, from what the ClusterQueue has."""
    if site.queue is None:
        return Survey()
    for version in KUEUE_VERSIONS:
        own: tuple[Any, ...] = (KUEUE_GROUP, version, api.namespace, "localqueues", site.queue)
        local = look_at(partial(api.call, api.custom.get_namespaced_custom_object, *own))
        if local is None:
            continue
        name = local.get("spec", {}).get("clusterQueue", "")
        waits = local.get("status", {}).get("pendingWorkloads", 0)
        facts = {f"queue {site.queue}": f"of ClusterQueue {name or 'none'}; {waits} workloads wait in it"}
        whole: tuple[Any, ...] = (KUEUE_GROUP, version, "clusterqueues", name)
        found = look_at(partial(api.call, api.custom.get_cluster_custom_object, *whole)) if name else None
        if found is None:
            return Survey(facts, unknown=(f"what ClusterQueue {name} has: {api.place} does not let you see it",))
        return Survey(facts, tuple(_never(site, name, found.get("spec", {}))))
    return Survey(unknown=(f"what queue {site.queue} has: {api.place} does not let you see it",))


def _never(site: Site, name: str, spec: Mapping[str, Any]) -> Iterator[str]:
    """What the queue never has for the sweep. Where it may borrow from others, nobody knows."""
    if spec.get("cohort") or spec.get("cohortName"):
        return
    most: dict[str, float] = {}
    for group in spec.get("resourceGroups", []):
        for flavor in group["flavors"]:
            for one in flavor["resources"]:
                most[one["name"]] = most.get(one["name"], 0.0) + quantity(one["nominalQuota"])
    for kind, room in most.items():
        alone, each = _pods(site, kind)
        asked = alone + each * site.nodes[1]
        if asked > room:
            yield (
                f"ClusterQueue {name} has {_shown(kind, room)} of {kind}, and the sweep asks for {_shown(kind, asked)} at once: "
                "it would never be admitted; lower nodes"
            )


def _memory(site: Site, need: Need) -> Survey:
    """Whether a worker pod has the memory that its workers' steps take on a CPU."""
    if need.memory is None or need.gpus:
        return Survey()
    workers = max(1, int(site.cpus_per_node / need.cpus + 1e-9))
    has = quantity(site.memory_per_node) - quantity(site.shared_memory)
    if workers * need.memory <= has:
        return Survey()
    asked = f"{workers} workers on a pod take up to {workers * need.memory / GIB:.1f}Gi of memory for their steps"
    return Survey(short=(f"{asked}, and it has {has / GIB:.1f}Gi beside shared_memory; raise memory_per_node",))


def _takes(node: Manifest, site: Site) -> bool:
    """Whether a worker pod may be put there, room apart."""
    labels, spec = node["metadata"].get("labels", {}), node.get("spec", {})
    ready = [one["status"] for one in node.get("status", {}).get("conditions", []) if one["type"] == "Ready"]
    tolerated = {mark for mark, _, taint in SPOT_MARKS if taint and site.spot} | (
        {GPU} if site.gpus_per_node else set()
    )
    barred = any(taint["key"] not in tolerated for taint in spec.get("taints", []) if taint.get("effect") in BLOCKING)
    is_spot = any(labels.get(mark) == value for mark, value, _ in SPOT_MARKS)
    is_kind = site.gpu is None or labels.get(GPU_LABEL) == site.gpu
    return (
        is_kind and not barred and not spec.get("unschedulable") and "False" not in ready and (site.spot or not is_spot)
    )


def _asked(pod: Manifest) -> dict[str, float]:
    """What a pod's containers request."""
    found: dict[str, float] = {}
    for container in pod["spec"]["containers"]:
        for kind, amount in container["resources"]["requests"].items():
            found[kind] = found.get(kind, 0.0) + quantity(amount)
    return found


def _pods(site: Site, kind: str) -> tuple[float, float]:
    """What the sweep's head and submitter ask for together, and each of its workers, of the resource of a quota."""
    if kind == "pods":
        return 2.0, 1.0
    name = _of_quota(kind) or kind
    alone = sum(_asked(pod(site, "", {})).get(name, 0.0) for pod in (head_pod, submitter_pod))
    if site.scales:
        alone += quantity(AUTOSCALER.get(name, "0"))
    return alone, _asked(worker_pod(site, "", {})).get(name, 0.0)


def _of_quota(kind: str) -> str | None:
    """The resource that a key of a quota is about; None where it is none of a sweep's. Limits are what is requested."""
    bare = kind.removeprefix("requests.").removeprefix("limits.")
    return bare if bare in (*KINDS, "pods") else None


def _times(pod: Mapping[str, float], has: Mapping[str, str]) -> int:
    return min(int(_amount(has, kind) / asked + 1e-9) for kind, asked in pod.items() if asked)


def _amount(has: Mapping[str, str], kind: str) -> float:
    return quantity(has.get(kind, "0"))


def _words(amounts: Mapping[str, float]) -> str:
    return ", ".join(f"{kind} {_shown(kind, amount)}" for kind, amount in amounts.items())


def _shown(kind: str, amount: float) -> str:
    return f"{amount / GIB:.1f}Gi" if "memory" in kind else f"{amount:g}"
