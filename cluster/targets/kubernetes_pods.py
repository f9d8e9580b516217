"""The pods of a sweep: the head, where the driver runs; workers, where trials train; and the one that hands the job in.

All of them keep Kubernetes' `restricted` rules, and write to memory and to volumes of their own alone. What may be lost, a node, is
announced: Ray turns a pod's SIGTERM into a drain, upon which workers save and end; the head's pod asks its drivers to do so first.
"""

from __future__ import annotations

import copy

from cluster.targets.kubernetes_site import (
    COMPONENT,
    GPU,
    GPU_LABEL,
    HEAD,
    HEAD_CONTAINER,
    HEAD_PORTS,
    INSTANCE,
    PRODUCT,
    SUBMITTER,
    SUBMITTER_CONTAINER,
    WORKER,
    WORKER_CONTAINER,
    WORKER_PORTS,
    Manifest,
    Site,
    labels,
)

USER = 1000  # of the image
GRACE_S = 120  # from a pod's announced end to its real one
DRAIN_S = 90  # of it for checkpoints; the rest is for processes to end in
HEAD_CPUS = 2
TMP, CACHE, SHM = "/tmp", "/cache", "/dev/shm"
SWEEP_KEY = "sweep.yaml"
SWEEP_FILE = f"/etc/i2i/{SWEEP_KEY}"
TMP_LIMIT = "20Gi"
SUBMITTER_TMP_LIMIT = "1Gi"
TOKEN, TOKEN_PLACE = "kube-api-access", "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_S = 3607  # as the API server asks of tokens that it mounts by itself
ARRANGED = {
    # Whoever makes room by moving pods leaves these alone; a spot node is taken away without asking.
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
# How node pools mark machines that may be taken away: label, its value, and whether pods must tolerate it as a taint.
SPOT_MARKS = (
    ("karpenter.sh/capacity-type", "spot", False),
    ("eks.amazonaws.com/capacityType", "SPOT", False),
    ("cloud.google.com/gke-spot", "true", True),
    ("kubernetes.azure.com/scalesetpriority", "spot", True),
)
CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
}
POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}


def head_pod(site: Site, instance: str, extra: dict[str, str], sweep: str | None = None) -> Manifest:
    """The template of the head's pod. extra: further labels. sweep: the ConfigMap that holds the sweep file, if any."""
    container = _container(HEAD_CONTAINER, site, f"{HEAD_CPUS}", site.head_memory)
    container["env"] += [
        _env("RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", "10"),  # the drivers have gone before
        _env("RAY_JOB_STOP_WAIT_TIME_S", f"{DRAIN_S}"),
    ]
    container["ports"] = _ports(HEAD_PORTS)
    container["volumeMounts"].append({"name": "shm", "mountPath": SHM})
    container["lifecycle"] = {"preStop": {"exec": {"command": [PRODUCT, "k8s", "farewell", "--wait", f"{DRAIN_S}"]}}}
    volumes = [_scratch("tmp", TMP_LIMIT), _memory("shm", "1Gi")]
    if site.scales:
        volumes.append(api_token())
    pod = _pod(site, instance, HEAD, extra, container, volumes)
    pod["spec"]["affinity"] = {"nodeAffinity": _off_spot()}
    if sweep is not None:
        container["env"] += [_env(name, value) for name, value in site.growth.items()]
        # Mounted as a file, not as a folder, it is one and no link to one.
        volumes.append({"name": "sweep", "configMap": {"name": sweep}})
        mounted = {"name": "sweep", "mountPath": SWEEP_FILE, "subPath": SWEEP_KEY, "readOnly": True}
        container["volumeMounts"].append(mounted)
    return pod


def worker_pod(site: Site, instance: str, extra: dict[str, str]) -> Manifest:
    """The template of a worker's pod."""
    container = _container(WORKER_CONTAINER, site, cpus(site.cpus_per_node), site.memory_per_node)
    container["env"] += [
        _env("RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", f"{DRAIN_S}"),
        _env("I2I_CACHE_DIR", CACHE),
    ]
    container["ports"] = _ports(WORKER_PORTS)
    container["volumeMounts"] += [{"name": "shm", "mountPath": SHM}, {"name": "cache", "mountPath": CACHE}]
    volumes = [
        _scratch("tmp", TMP_LIMIT),
        _memory("shm", site.shared_memory),
        _scratch("cache", f"{site.cache * 11 // 10 // 2**20 + 1}Mi"),  # beyond it the pod is evicted: some room to err
    ]
    pod = _pod(site, instance, WORKER, extra, container, volumes)
    spec = pod["spec"]
    same = {"matchLabels": {INSTANCE: instance, COMPONENT: WORKER}}
    spec["affinity"] = {"podAffinity": _near(same)} | ({} if site.spot else {"nodeAffinity": _off_spot()})
    spec["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": same,
        }
    ]
    tolerations = [_tolerated(mark, value) for mark, value, taint in SPOT_MARKS if taint] if site.spot else []
    if site.gpus_per_node:
        for side in ("requests", "limits"):
            container["resources"][side][GPU] = f"{site.gpus_per_node}"
        container["env"] += [_env("NCCL_DEBUG", "WARN"), _env("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1")]
        tolerations.append({"key": GPU, "operator": "Exists", "effect": "NoSchedule"})
    if site.gpu is not None:
        spec["nodeSelector"] = {GPU_LABEL: site.gpu}
    if tolerations:
        spec["tolerations"] = tolerations
    return pod


def submitter_pod(site: Site, instance: str, extra: dict[str, str]) -> Manifest:
    """The template of the pod that hands the job in and prints what its driver says."""
    container = _container(SUBMITTER_CONTAINER, site, "500m", "1Gi")
    container.pop("envFrom", None)  # it reads and writes no storage
    pod = _pod(site, instance, SUBMITTER, extra, container, [_scratch("tmp", SUBMITTER_TMP_LIMIT)])
    pod["spec"]["affinity"] = {"nodeAffinity": _off_spot()}
    pod["spec"]["terminationGracePeriodSeconds"] = 10  # a shell that heeds no signal, and holds nothing
    return pod


def api_token() -> Manifest:
    """The token of the pod's service account, as a volume: only the autoscaler's container mounts it, and no code of ours."""
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_S}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    return {"name": TOKEN, "projected": {"sources": sources}}


def cpus(number: float) -> str:
    """CPUs as Kubernetes writes them: "4" or "500m"."""
    return f"{number:.0f}" if number == int(number) else f"{max(1, round(number * 1000))}m"


def _container(name: str, site: Site, cpu: str, memory: str) -> Manifest:
    """A container whose requests are its limits, so that it is never squeezed or killed for a neighbour's sake."""
    amounts = {"cpu": cpu, "memory": memory}
    secret = {"envFrom": [{"secretRef": {"name": site.secret}}]} if site.secret else {}
    return {
        "name": name,
        "image": site.image,
        "imagePullPolicy": "IfNotPresent",
        "env": [_env("HOME", TMP), _env("PYTHONUNBUFFERED", "1")],
        **secret,
        "resources": {"requests": dict(amounts), "limits": dict(amounts)},
        "securityContext": copy.deepcopy(CONTAINER_SECURITY),
        "volumeMounts": [{"name": "tmp", "mountPath": TMP}],
    }


def _pod(
    site: Site, instance: str, component: str, extra: dict[str, str], container: Manifest, volumes: list[Manifest]
) -> Manifest:
    return {
        "metadata": {"labels": labels(instance, component) | extra, "annotations": dict(ARRANGED)},
        "spec": {
            "serviceAccountName": site.service_account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_S,
            "securityContext": copy.deepcopy(POD_SECURITY),
            "containers": [container],
            "volumes": volumes,
        },
    }


def _env(name: str, value: str) -> Manifest:
    return {"name": name, "value": value}


def _ports(ports: dict[str, int]) -> list[Manifest]:
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()]


def _scratch(name: str, limit: str) -> Manifest:
    return {"name": name, "emptyDir": {"sizeLimit": limit}}


def _memory(name: str, limit: str) -> Manifest:
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": limit}}


def _tolerated(mark: str, value: str) -> Manifest:
    return {"key": mark, "operator": "Equal", "value": value, "effect": "NoSchedule"}


def _off_spot() -> Manifest:
    """Only nodes that are not taken away: whoever has none of these labels is one."""
    terms = [{"key": mark, "operator": "NotIn", "values": [value]} for mark, value, _ in SPOT_MARKS]
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": terms}]}}


def _near(same: Manifest) -> Manifest:
    """Preferably one zone: gradients cross the network at every step."""
    term = {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": same}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}
