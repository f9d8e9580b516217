"""Who reaches whom by the NetworkPolicies of a namespace, as Kubernetes defines it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from tests.k8s.validate import Object

Labels = dict[str, str]


@dataclass(frozen=True)
class Pod:
    """A pod by its labels and those of its namespace."""

    labels: Labels
    namespace: str = "i2i"


def selects(selector: Object, labels: Labels) -> bool:
    """Whether a label selector takes an object; the empty one takes all."""
    fits = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    for one in selector.get("matchExpressions", []):
        there, values = labels.get(one["key"]), one.get("values", [])
        fits &= {
            "In": there in values,
            "NotIn": there not in values,
            "Exists": there is not None,
            "DoesNotExist": there is None,
        }[one["operator"]]
    return fits


def may(policies: list[Object], source: Pod | str, target: Pod | str, port: int, protocol: str = "TCP") -> bool:
    """Whether `source` gets through to a port of `target`; a text is an address outside."""
    return _allowed(policies, "Egress", source, target, port, protocol) and _allowed(
        policies, "Ingress", target, source, port, protocol
    )


def _allowed(policies: list[Object], way: str, own: Pod | str, other: Pod | str, port: int, protocol: str) -> bool:
    if isinstance(own, str):
        return True
    acting = [
        one["spec"]
        for one in policies
        if one["metadata"].get("namespace") == own.namespace
        and way in one["spec"]["policyTypes"]
        and selects(one["spec"]["podSelector"], own.labels)
    ]
    rules: list[Any] = [rule for spec in acting for rule in spec.get(way.lower(), [])]
    side = "to" if way == "Egress" else "from"
    return not acting or any(
        _is_peer(rule.get(side), other, own.namespace) and _is_port(rule.get("ports"), port, protocol) for rule in rules
    )


def _is_port(ports: list[Object] | None, port: int, protocol: str) -> bool:
    return ports is None or any(one["port"] == port and one.get("protocol", "TCP") == protocol for one in ports)


def _is_peer(peers: list[Object] | None, other: Pod | str, here: str) -> bool:
    return peers is None or any(_is_one(peer, other, here) for peer in peers)


def _is_one(peer: Object, other: Pod | str, here: str) -> bool:
    if "ipBlock" in peer:
        if not isinstance(other, str):
            return False
        address, block = ipaddress.ip_address(other), peer["ipBlock"]
        without = [ipaddress.ip_network(one) for one in block.get("except", [])]
        return address in ipaddress.ip_network(block["cidr"]) and not any(address in one for one in without)
    if isinstance(other, str):
        return False
    named = {"kubernetes.io/metadata.name": other.namespace}
    space = selects(peer["namespaceSelector"], named) if "namespaceSelector" in peer else other.namespace == here
    return space and selects(peer.get("podSelector", {}), other.labels)
