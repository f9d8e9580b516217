"""The objects that a sweep is on Kubernetes: a RayJob, and what belongs to it and goes with it.

They are plain mappings, made without a cluster and without a library for one. The surprise is how little may stand in a
command: the operator puts `entrypoint` and `runtimeEnvYAML` into a line for a shell, so a sweep's text travels beside them.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re

from cluster.targets.kubernetes_pods import (
    CONTAINER_SECURITY,
    SWEEP_FILE,
    SWEEP_KEY,
    TMP,
    TOKEN,
    TOKEN_PLACE,
    head_pod,
    submitter_pod,
    worker_pod,
)
from cluster.targets.kubernetes_site import (
    CLUSTER_LABEL,
    COMPONENT,
    CONTENT,
    HEAD,
    INSTANCE,
    NUMBER_LABEL,
    QUEUE_LABEL,
    RAY_API,
    RAY_KIND,
    RAY_VERSION,
    SWEEP_LABEL,
    SWEEP_NAME,
    Manifest,
    Site,
    labels,
)
from cluster.targets.target import PACKED, Parcel, TargetError, pack

SAFE = re.compile(r"[A-Za-z0-9._/=+-]+\Z")  # words that every shell leaves as they are
LONGEST_NAME = 47  # characters of a RayJob's, says the operator
MOST_PACKED = 60_000  # characters: half of what Linux takes as one word of a command, which the operator makes of it
MOST_TEXT = 900_000  # bytes; a ConfigMap holds a MiB
RETRIES = 2  # new clusters for a job whose head was lost: the sweep goes on from its log
PATIENCE_S = 3600  # for nodes, images and a place to be found, until the job is given up
KEPT_S, KEPT_FAILED_S = 60, 86_400  # how long a finished sweep's pods stay; a failed one's, where asked
IDLE_S = 300  # until a worker pod without work is given back; a group that is replaced takes half a minute
OBJECT_STORE = "200000000"  # bytes of /dev/shm: nothing large travels through Ray
AUTOSCALER = {"cpu": "500m", "memory": "1Gi"}


def manifests(parcel: Parcel, number: int, site: Site) -> list[Manifest]:
    """All objects of the sweep's job of that number, the RayJob first: the others belong to it. Raises TargetError."""
    job = ray_job(parcel, number, site)
    if site.ray_cluster is not None:
        return [job]
    name = parcel.job(number)
    guard = disruption_budget(name, site.namespace, name, HEAD, _marks(parcel, number))
    return [job, config_map(parcel, number, site), guard]


def ray_job(parcel: Parcel, number: int, site: Site) -> Manifest:
    """The RayJob, with the hash of all that was asked for. Raises TargetError for what no RayJob can hold."""
    name, marks = parcel.job(number), _marks(parcel, number)
    spec = _on_running(parcel, name, marks, site) if site.ray_cluster else _on_its_own(parcel, name, marks, site)
    spec |= {
        "submissionMode": "K8sJobMode",  # its pod's log is the driver's output
        "submitterConfig": {"backoffLimit": 2},
        "preRunningDeadlineSeconds": PATIENCE_S,
    }
    if site.deadline is not None:
        spec["activeDeadlineSeconds"] = max(1, round(site.deadline)) * (spec["backoffLimit"] + 1)
    asked = json.dumps([parcel.text, parcel.options, spec, site.queue], sort_keys=True)
    found: Manifest = {
        "apiVersion": RAY_API,
        "kind": RAY_KIND,
        "metadata": _metadata(name, site.namespace, marks, "job"),
        "spec": spec,
    }
    found["metadata"]["annotations"] = {
        CONTENT: hashlib.sha256(asked.encode()).hexdigest(),
        SWEEP_NAME: parcel.name,
    }
    if site.queue is not None:
        found["metadata"]["labels"][QUEUE_LABEL] = site.queue
    return found


def config_map(parcel: Parcel, number: int, site: Site) -> Manifest:
    """The ConfigMap that holds the sweep's file. Raises TargetError where it is too long for one."""
    size = len(parcel.text.encode())
    if size > MOST_TEXT:
        raise TargetError(f"sweep {parcel.name}: its file has {size:,} bytes, a ConfigMap holds {MOST_TEXT:,}")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(parcel.job(number), site.namespace, _marks(parcel, number), "sweep"),
        "immutable": True,
        "data": {SWEEP_KEY: parcel.text},
    }


def disruption_budget(
    name: str, namespace: str | None, instance: str, component: str, marks: dict[str, str] | None = None
) -> Manifest:
    """Keeps one pod of a component from being moved. A whole number: shares need a scale that RayClusters do not have."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(name, namespace, marks or {}, component, instance),
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {INSTANCE: instance, COMPONENT: component}}},
    }


def ray_cluster(site: Site, name: str, token: bool) -> Manifest:
    """A RayCluster that stays, for sweeps with `ray_cluster`."""
    return {
        "apiVersion": RAY_API,
        "kind": "RayCluster",
        "metadata": _metadata(name, site.namespace, {}, "cluster"),
        "spec": cluster_spec(site, name, {}, token=token),
    }


def cluster_spec(
    site: Site, instance: str, extra: dict[str, str], sweep: str | None = None, *, token: bool = True
) -> Manifest:
    """The spec of a RayCluster. extra: further labels of all pods. sweep: the ConfigMap that the head reads, if any.

    token: whether all that reaches Ray must show a token, which the operator makes.
    """
    spec: Manifest = {
        "rayVersion": RAY_VERSION,
        "enableInTreeAutoscaling": site.scales,
        "headGroupSpec": {
            "serviceType": "ClusterIP",
            "rayStartParams": {  # no trial on the head: it is the one pod that must not be lost
                "num-cpus": "0",
                "dashboard-host": "0.0.0.0",
                "object-store-memory": OBJECT_STORE,
            },
            "template": head_pod(site, instance, extra, sweep),
        },
        "workerGroupSpecs": [worker_group(site, instance, extra)],
    }
    if site.scales:
        spec["autoscalerOptions"] = _autoscaler()
    if token:
        spec["authOptions"] = {"mode": "token"}
    return spec


def worker_group(site: Site, instance: str, extra: dict[str, str]) -> Manifest:
    """A group of worker pods, named by what they are."""
    least, most = site.nodes if site.scales else (site.nodes[1], site.nodes[1])
    return {
        "groupName": group_name(site),
        "replicas": least,
        "minReplicas": least,
        "maxReplicas": most,
        "rayStartParams": {"object-store-memory": OBJECT_STORE},
        "template": worker_pod(site, instance, extra),
    }


def group_name(site: Site) -> str:
    """Such as gpu-spot."""
    return ("gpu" if site.gpus_per_node else "cpu") + ("-spot" if site.spot else "")


def _on_its_own(parcel: Parcel, name: str, marks: dict[str, str], site: Site) -> Manifest:
    """A RayJob with a cluster that is made for it and goes with it."""
    return {
        "entrypoint": _command(parcel, SWEEP_FILE),
        "backoffLimit": RETRIES,
        **_endings(site),
        "rayClusterSpec": cluster_spec(site, name, marks, sweep=name),
        "submitterPodTemplate": submitter_pod(site, name, marks),
    }


def _on_running(parcel: Parcel, name: str, marks: dict[str, str], site: Site) -> Manifest:
    """A RayJob on a cluster that was there before and stays. Its head cannot mount anything anew: the file comes packed."""
    packed = pack(parcel.text)
    if len(packed) > MOST_PACKED:
        raise TargetError(
            f"sweep {parcel.name}: its file is too long for a running cluster, {len(packed):,} characters packed"
        )
    variables = "".join(f"  {name}: {value}\n" for name, value in {**_quoted(site.growth), PACKED: packed}.items())
    return {
        "entrypoint": _command(parcel, "-"),
        "runtimeEnvYAML": f"env_vars:\n{variables}",
        "clusterSelector": {CLUSTER_LABEL: site.ray_cluster},
        "backoffLimit": 0,
        "submitterPodTemplate": submitter_pod(site, name, marks),
    }


def _quoted(variables: dict[str, str]) -> dict[str, str]:
    """As YAML writes texts that look like numbers: Ray takes texts alone."""
    return {name: f"'{value}'" for name, value in variables.items()}


def _endings(site: Site) -> Manifest:
    """What is deleted when. A rule knows no job that was stopped by hand, so there are rules only where they are asked for."""
    if not site.keep_on_failure:
        return {"shutdownAfterJobFinishes": True, "ttlSecondsAfterFinished": KEPT_S}
    ends = [
        {"jobStatus": "SUCCEEDED", "ttlSeconds": KEPT_S},
        {"jobStatus": "FAILED", "ttlSeconds": KEPT_FAILED_S},
        {"jobDeploymentStatus": "Failed", "ttlSeconds": KEPT_FAILED_S},
    ]
    rules = [{"policy": "DeleteCluster", "condition": condition} for condition in ends]
    return {"shutdownAfterJobFinishes": False, "deletionStrategy": {"deletionRules": rules}}


def _autoscaler() -> Manifest:
    """The container beside the head that asks for worker pods. It alone holds the pod's token."""
    return {
        "version": "v2",
        "idleTimeoutSeconds": IDLE_S,
        "upscalingMode": "Default",
        "resources": {"requests": dict(AUTOSCALER), "limits": dict(AUTOSCALER)},
        "securityContext": copy.deepcopy(CONTAINER_SECURITY),
        "env": [{"name": "HOME", "value": TMP}],
        "volumeMounts": [
            {"name": "tmp", "mountPath": TMP},
            {"name": TOKEN, "mountPath": TOKEN_PLACE, "readOnly": True},
        ],
    }


def _command(parcel: Parcel, file: str) -> str:
    words = parcel.command(file)
    odd = [word for word in words if not SAFE.match(word)]
    if odd:
        raise TargetError(f"sweep {parcel.name}: {odd[0]!r} cannot stand in a job's command on Kubernetes")
    return " ".join(words)


def _marks(parcel: Parcel, number: int) -> dict[str, str]:
    """The labels by which a sweep's objects are found."""
    name = parcel.job(number)
    if len(name) > LONGEST_NAME:
        raise TargetError(f"sweep {parcel.name}: {name} is longer than {LONGEST_NAME} characters")
    return {SWEEP_LABEL: parcel.sweep, NUMBER_LABEL: f"{number}"}


def _metadata(
    name: str, namespace: str | None, extra: dict[str, str], component: str, instance: str | None = None
) -> Manifest:
    where = {"namespace": namespace} if namespace else {}
    return {"name": name, **where, "labels": labels(instance or name, component) | extra}
