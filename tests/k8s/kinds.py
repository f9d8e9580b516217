"""The kinds of object that the emulated API server has, and how it tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tests.k8s.validate import Object, definitions

VERBS = ["create", "delete", "get", "list", "patch", "update"]


@dataclass(frozen=True)
class Kind:
    """One kind. api: group and version, such as policy/v1. full: as messages name it."""

    name: str
    plural: str
    group: str
    version: str
    namespaced: bool = True

    @property
    def api(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


CORE = (
    Kind("Namespace", "namespaces", "", "v1", namespaced=False),
    Kind("Node", "nodes", "", "v1", namespaced=False),
    Kind("Pod", "pods", "", "v1"),
    Kind("Service", "services", "", "v1"),
    Kind("ConfigMap", "configmaps", "", "v1"),
    Kind("Secret", "secrets", "", "v1"),
    Kind("ServiceAccount", "serviceaccounts", "", "v1"),
    Kind("ResourceQuota", "resourcequotas", "", "v1"),
    Kind("LimitRange", "limitranges", "", "v1"),
    Kind("Role", "roles", "rbac.authorization.k8s.io", "v1"),
    Kind("RoleBinding", "rolebindings", "rbac.authorization.k8s.io", "v1"),
    Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io", "v1"),
    Kind("PodDisruptionBudget", "poddisruptionbudgets", "policy", "v1"),
)


@cache
def kinds() -> tuple[Kind, ...]:
    """All of them: of a custom one the newest version."""
    newest: dict[str, Kind] = {}
    for one in sorted(definitions().values(), key=lambda one: one.version):
        newest[one.kind] = Kind(one.kind, one.plural, one.group, one.version, one.namespaced)
    return (*CORE, *newest.values())


def named(name: str) -> Kind:
    """The kind of that name. Raises KeyError."""
    return {kind.name: kind for kind in kinds()}[name]


def by_plural(group: str, version: str, plural: str) -> Kind | None:
    """The kind at that place of the API; None where there is none."""
    return next((kind for kind in kinds() if (kind.group, kind.version, kind.plural) == (group, version, plural)), None)


def group_lists() -> Object:
    """What /apis answers."""
    groups = []
    for api in sorted({kind.api for kind in kinds() if kind.group}):
        group, version = api.split("/")
        told = {"groupVersion": api, "version": version}
        groups.append({"name": group, "versions": [told], "preferredVersion": told})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def resource_lists(api: str) -> Object | None:
    """What /api/v1 or /apis/GROUP/VERSION answers; None where there is no such group."""
    found = [
        {
            "name": kind.plural,
            "singularName": kind.name.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.name,
            "verbs": VERBS,
        }
        for kind in kinds()
        if kind.api == api
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api, "resources": found} if found else None
