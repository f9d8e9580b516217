"""What is demanded of every pod: Kubernetes' `restricted` standard, and what this project adds to it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.k8s.validate import Object

VOLUMES = {
    "name",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
HOST = ("hostNetwork", "hostPID", "hostIPC")
TOKEN_PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"


def containers(pod: Object) -> list[Object]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def breaches(pod: Object) -> list[str]:
    """What a pod does that `restricted` forbids, as its admission says it: https://kubernetes.io/docs/concepts/security/."""
    return list(_of_pod(pod["spec"])) + [
        f"{one['name']}: {what}" for one in containers(pod) for what in _of_container(one, pod["spec"])
    ]


def _of_pod(spec: Object) -> Iterator[str]:
    yield from (name for name in HOST if spec.get(name))
    for volume in spec.get("volumes", []):
        if not volume.keys() <= VOLUMES:
            yield f"volume {volume['name']}"
    if spec.get("securityContext", {}).get("runAsUser") == 0:
        yield "runAsUser 0"


def _of_container(container: Object, spec: Object) -> Iterator[str]:
    own, shared = container.get("securityContext", {}), spec.get("securityContext", {})
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if own.get("privileged"):
        yield "privileged"
    if "ALL" not in own.get("capabilities", {}).get("drop", []) or own.get("capabilities", {}).get("add"):
        yield "capabilities"
    if not own.get("runAsNonRoot", shared.get("runAsNonRoot")):
        yield "runAsNonRoot"
    if own.get("runAsUser") == 0:
        yield "runAsUser 0"
    if own.get("seccompProfile", shared.get("seccompProfile", {})).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    yield from (f"host port {one['hostPort']}" for one in container.get("ports", []) if "hostPort" in one)


def carelessness(pod: Object) -> list[str]:
    """What this project demands beyond that."""
    spec, found = pod["spec"], []
    if spec.get("automountServiceAccountToken") is not False:
        found.append("a token in every container")
    if not isinstance(spec.get("terminationGracePeriodSeconds"), int):
        found.append("no time to save")
    for one in containers(pod):
        found += [f"{one['name']}: {what}" for what in _careless(one, spec)]
    return found


def _careless(one: Object, spec: Object) -> Iterator[str]:
    limits, requests = one.get("resources", {}).get("limits", {}), one.get("resources", {}).get("requests", {})
    if not {"cpu", "memory"} <= limits.keys() or limits != requests:
        yield "requests are not limits"
    if not one.get("securityContext", {}).get("readOnlyRootFilesystem"):
        yield "a file system that can be written"
    mounts = {mount["mountPath"]: mount["name"] for mount in one.get("volumeMounts", [])}
    if "/tmp" not in mounts:
        yield "no place for temporary files"
    unknown = set(mounts.values()) - {volume["name"] for volume in spec.get("volumes", [])}
    yield from (f"no volume {name}" for name in sorted(unknown))
    if TOKEN_PLACE in mounts and one["name"] != "autoscaler":
        yield "a token that only the autoscaler needs"
    for variable in one.get("env", []):
        if any(word in variable["name"] for word in ("SECRET", "TOKEN", "PASSWORD", "KEY")) and "value" in variable:
            yield f"{variable['name']} in plain sight"
