"""The manifests of a sweep: as `submit` would send them, and how they differ from what a cluster has."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cluster.targets.kubernetes import KubernetesTarget
from cluster.targets.kubernetes_manifests import manifests
from cluster.targets.kubernetes_site import Manifest, Site
from cluster.targets.target import Parcel
from orchestrator.errors import Refusal
from orchestrator.manifests.manifest_yaml import to_yaml
from orchestrator.manifests.site import site_of
from orchestrator.parcel import parcel_of
from orchestrator.planning.sizes import Machine
from orchestrator.resume import plan_again
from orchestrator.sweep_file.draft import load_draft

# What a server writes about an object, beside what it was asked for.
SERVER_S = (
    "creationTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "uid",
)
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def render(file: Path, number: int) -> list[Manifest]:
    """All objects of the sweep's job of that number. Raises Refusal, and TargetError where its RayCluster is not reached."""
    parcel, site = _asked(file)
    return manifests(parcel, number, site)


def differences(file: Path) -> Iterator[str]:
    """The lines of a unified diff from what the cluster has of the sweep's newest job to what the file makes; none where they
    are the same. Raises Refusal and TargetError."""
    parcel, site = _asked(file)
    target = KubernetesTarget(site)
    last = target.find(parcel.sweep)
    for manifest in manifests(parcel, last.number if last else 1, site):
        there = target.stored(manifest)
        name = f"{manifest['kind']}/{manifest['metadata']['name']}"
        yield from difflib.unified_diff(
            [] if there is None else _lines(there),
            _lines(target.tried(manifest)),
            f"{target.place}: {name}",
            f"{file}: {name}",
            lineterm="",
        )


def _asked(file: Path) -> tuple[Parcel, Site]:
    """What the file asks of Kubernetes: the sweep's parcel, and its site."""
    draft = load_draft(file)
    part = draft.sweep.cluster.kubernetes
    if part is None:
        problem = f"is {draft.sweep.cluster.place}; write cluster: {{kubernetes: {{image: ...}}}} for manifests"
        raise Refusal(problem, file=str(file), path="cluster")
    site = site_of(part, draft.sweep)
    found = site.capacity if site.ray_cluster is None else KubernetesTarget(site).capacity()
    site = replace(site, offered=found)
    plan, _ = plan_again(draft, str(file), Machine(found.cpus, int(found.gpus), "Kubernetes"))
    return parcel_of(plan), site


def _lines(given: Manifest) -> list[str]:
    made: dict[str, Any] = copy.deepcopy(given)
    made.pop("status", None)
    for key in SERVER_S:
        made["metadata"].pop(key, None)
    annotations = made["metadata"].get("annotations", {})
    annotations.pop(APPLIED, None)
    if not annotations:
        made["metadata"].pop("annotations", None)
    return to_yaml([_sorted(made)]).splitlines()


def _sorted(value: Any) -> Any:
    """Keys in one order on both sides."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value
