"""What KubeRay 1.7 makes of a RayCluster or a RayJob: its pods, with all that the operator adds to them, and what it refuses.

Read from the source of the operator (common/pod.go, common/job.go and utils/validation.go), which itself runs nowhere here.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator

from tests.k8s.validate import Object

IMMUTABLE = ("ray.io/cluster", "ray.io/node-type", "ray.io/group")
FINDS_HEADS_BY = ("app.kubernetes.io/name", "app.kubernetes.io/created-by")
ORDER = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")


def pods_of(owner: Object) -> list[Object]:
    """The head's pod, one of each worker group, and of a RayJob the one that hands it in."""
    name, spec = owner["metadata"]["name"], owner["spec"]
    space = owner["metadata"].get("namespace", "i2i")
    cluster = spec if owner["kind"] == "RayCluster" else spec.get("rayClusterSpec")
    made = []
    if cluster is not None:
        made.append(_head(name, cluster))
        made += [_worker(name, group) for group in cluster["workerGroupSpecs"]]
    if owner["kind"] == "RayJob":
        submitter = _pod(f"{name}-submitter", spec["submitterPodTemplate"], {"job-name": name})
        made.append(submitter)
    for pod in made:
        pod["metadata"]["namespace"] = space
    return made


def _pod(name: str, template: Object, labels: dict[str, str]) -> Object:
    made = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(template)}
    own = made["metadata"].get("labels", {})
    made["metadata"]["name"] = name
    made["metadata"]["labels"] = labels | {key: value for key, value in own.items() if key not in IMMUTABLE}
    return made


def _labels(cluster: str, node: str, group: str) -> dict[str, str]:
    return {
        "ray.io/is-ray-node": "yes",
        "ray.io/cluster": cluster,
        "ray.io/node-type": node,
        "ray.io/group": group,
        "ray.io/identifier": f"{cluster}-{node}",
        "app.kubernetes.io/name": "kuberay",
        "app.kubernetes.io/created-by": "kuberay-operator",
    }


def _head(cluster: str, spec: Object) -> Object:
    pod = _pod(f"{cluster}-head", spec["headGroupSpec"]["template"], _labels(cluster, "head", "headgroup"))
    if spec.get("enableInTreeAutoscaling"):
        options = spec.get("autoscalerOptions", {})
        beside = {
            "name": "autoscaler",
            "image": pod["spec"]["containers"][0]["image"],
            "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/bash", "-c", "--"],
            "args": ["ray kuberay-autoscaler"],
            "env": [{"name": "KUBERAY_CRD_VER", "value": "v1"}, *options.get("env", [])],
            "resources": options.get("resources", {}),
            "volumeMounts": list(options.get("volumeMounts", [])),
        }
        if "securityContext" in options:
            beside["securityContext"] = options["securityContext"]
        pod["spec"]["containers"].append(beside)
        for container in pod["spec"]["containers"]:
            _mount(pod, container, "ray-logs", "/tmp/ray", {})
    _mount(pod, pod["spec"]["containers"][0], "shared-mem", "/dev/shm", {"medium": "Memory"})
    return pod


def _worker(cluster: str, group: Object) -> Object:
    name = f"{cluster}-{group['groupName']}"
    pod = _pod(name, group["template"], _labels(cluster, "worker", group["groupName"]))
    container = pod["spec"]["containers"][0]
    small = {"cpu": "200m", "memory": "256Mi"}
    waits = {
        key: copy.deepcopy(container[key])
        for key in ("image", "env", "volumeMounts", "securityContext")
        if key in container
    }
    waits |= {"name": "wait-gcs-ready", "resources": {"limits": small, "requests": small}}
    pod["spec"]["initContainers"] = [*pod["spec"].get("initContainers", []), waits]
    _mount(pod, container, "shared-mem", "/dev/shm", {"medium": "Memory"})
    return pod


def _mount(pod: Object, container: Object, name: str, path: str, volume: Object) -> None:
    """A volume where nothing is mounted yet."""
    mounts = container.setdefault("volumeMounts", [])
    if any(one["mountPath"] == path for one in mounts):
        return
    mounts.append({"name": name, "mountPath": path})
    if all(one["name"] != name for one in pod["spec"]["volumes"]):
        pod["spec"]["volumes"].append({"name": name, "emptyDir": volume})


def refusals(owner: Object) -> list[str]:
    """Why the operator would not take a RayCluster or a RayJob that the API server has taken."""
    return [
        *_name(owner["metadata"]["name"]),
        *(_of_job(owner) if owner["kind"] == "RayJob" else _of_cluster(owner["spec"])),
    ]


def _name(name: str) -> Iterator[str]:
    if len(name) > 47:
        yield f"{name} is longer than 47"
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name):
        yield f"{name} is no DNS-1035 label"


def _of_job(job: Object) -> Iterator[str]:
    spec = job["spec"]
    rules = spec.get("deletionStrategy", {}).get("deletionRules", [])
    shuts, selects = spec.get("shutdownAfterJobFinishes"), spec.get("clusterSelector")
    cluster = spec.get("rayClusterSpec")
    if rules and shuts:
        yield "deletionRules and shutdownAfterJobFinishes exclude each other"
    if spec.get("ttlSecondsAfterFinished") and not shuts:
        yield "ttlSecondsAfterFinished needs shutdownAfterJobFinishes"
    if spec.get("suspend") and (not shuts or selects):
        yield "suspend needs shutdownAfterJobFinishes and a cluster of its own"
    if cluster is None and not selects:
        yield "one of rayClusterSpec and clusterSelector must be set"
    for rule in rules:
        if selects and rule["policy"] in ORDER[:2]:
            yield f"{rule['policy']} with a clusterSelector"
        if cluster and cluster.get("enableInTreeAutoscaling") and rule["policy"] == "DeleteWorkers":
            yield "DeleteWorkers with autoscaling"
    if selects and not selects.get("ray.io/cluster"):
        yield "clusterSelector names no cluster"
    if cluster is not None:
        yield from _of_cluster(cluster)


def _of_cluster(spec: Object) -> Iterator[str]:
    groups = [("head", spec["headGroupSpec"]), *((one["groupName"], one) for one in spec["workerGroupSpecs"])]
    scales = spec.get("enableInTreeAutoscaling", False)
    for name, group in groups:
        params = group.get("rayStartParams", {})
        if not all(isinstance(value, str) for value in params.values()):
            yield f"{name}: rayStartParams are texts"
        if "labels" in params:
            yield f"{name}: labels are no start parameter"
        if group.get("resources") and {"num-cpus", "num-gpus", "memory", "resources"} & params.keys():
            yield f"{name}: resources twice"
        if scales and group["template"]["spec"].get("restartPolicy", "Never") != "Never":
            yield f"{name}: restartPolicy must be Never with the autoscaler"
        if set(FINDS_HEADS_BY) & group["template"]["metadata"].get("labels", {}).keys():
            yield f"{name}: a label by which the operator finds its pods"
    if spec.get("authOptions", {}).get("mode") == "token" and not spec.get("rayVersion"):
        yield "token auth needs rayVersion"
    if scales is False and "autoscalerOptions" in spec:
        yield "options for an autoscaler that is not there"


def kueue_refusals(job: Object) -> list[str]:
    """Why Kueue would not admit a RayJob."""
    spec = job["spec"]
    found = [] if spec.get("shutdownAfterJobFinishes") else ["shutdownAfterJobFinishes must be true"]
    found += ["clusterSelector"] if spec.get("clusterSelector") else []
    found += ["autoscaling"] if spec.get("rayClusterSpec", {}).get("enableInTreeAutoscaling") else []
    found += (
        ["more than 7 worker groups"] if len(spec.get("rayClusterSpec", {}).get("workerGroupSpecs", [])) > 7 else []
    )
    return found
