"""What a Ray head tells over HTTP of its cluster: nodes with what they have and what is free now, versions, clock, token.

No job is needed for it. Torch's and this package's versions, /dev/shm and the nodes' credentials are in no answer of a head; a
probe finds them, which is a job.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from cluster.clock import MEND, MOST_SKEW_S, clock_finding, date_of
from cluster.finding import Finding
from cluster.targets.ray_client import Client, connect, find_token, told
from cluster.targets.target import Capacity, Need, Node, Survey, TargetError, capacity_of

NODES = "/api/v0/nodes?limit=10000"
SUMMARY = "/nodes?view=summary"
METADATA = "/api/v0/cluster_metadata"
MODE = "/api/authentication_mode"
USAGE = re.compile(r"([0-9.]+)/([0-9.]+) (CPU|GPU)\b")
LEAST_MEMORY = 10**9  # bytes free on a node: a small trial
LEAST_DISK = 10**9  # bytes free where Ray keeps its files
GB = 10**9
OPEN = "start the head with RAY_AUTH_MODE=token, as `i2i-cluster up` does: who reaches the port may run anything there"


@dataclass(frozen=True)
class NodeNow:
    """A living node as it was some seconds ago. memory, disk: bytes free; None where the node does not say."""

    name: str
    memory: int | None
    total: int | None
    disk: int | None
    gpus: tuple[str, ...]
    at: float | None


def capacity(client: Client) -> Capacity:
    """Of the living nodes."""
    nodes = client.json(NODES)["data"]["result"]["result"]
    held = [node["resources_total"] for node in nodes if node["state"] == "ALIVE"]
    return capacity_of(Node(one.get("CPU", 0.0), one.get("GPU", 0.0)) for one in held)


def survey(client: Client, need: Need) -> Survey:
    """What is free now, and whether the nodes have the memory for a sweep's steps."""
    data = client.json(SUMMARY)["data"]
    nodes, free = nodes_of(data), _free(data)
    facts = {}
    short: list[str] = []
    if free is not None:
        facts["free now"] = f"{free.cpus:g} CPUs" + (f", {free.gpus:g} GPUs" if need.gpus else "")
        places = [_places(node, need) for node in free.nodes]
        if sum(places) < need.workers:
            short.append("nothing is free for the first trial now: it waits for what runs there")
        elif sum(places) < need.workers * need.trials:
            held = sum(places) // need.workers
            short.append(
                f"of {need.trials} trials at once there is room for {held} now: the rest waits for what runs there"
            )
    totals = [node.total for node in nodes if node.total is not None]
    if need.memory is not None and not need.gpus and totals and need.memory > max(totals):
        short.append(
            f"a worker's step takes up to {need.memory / GB:.3g} GB of memory, and the largest node has {max(totals) / GB:.3g} GB; "
            "take smaller networks, batches or pictures"
        )
    unknown = () if free is not None else ("what is free now: the head does not say",)
    return Survey(facts, tuple(short), unknown)


def examine(address: str) -> Iterator[Finding]:
    """What was found, up to what makes the rest pointless."""
    try:
        client = connect(address)
        with told(address):
            answer = client.get(METADATA)
            metadata = answer.json()["data"]
            mode = client.json(MODE)["authentication_mode"]
            nodes = nodes_of(client.json(SUMMARY)["data"])
    except TargetError as error:
        yield Finding("cluster: way", False, str(error), "do what the line says (docs/clusters.md, Token and TLS)")
        return
    yield Finding("cluster: way", True, f"{address}, {len(nodes)} nodes")
    _, source = find_token(address)
    if mode == "token":
        yield Finding("cluster: token", True, f"that of {source} is taken")
    else:
        yield Finding("cluster: token", None, "the head asks for none", OPEN)
    yield Finding("cluster: ray", True, f"{metadata['rayVersion']}, {ray.__version__} here")
    yield _python(str(metadata["pythonVersion"]))
    head = date_of(answer.headers)
    yield clock_finding("cluster: clock", head, "the head's")
    yield from _nodes(nodes, head)


def nodes_of(data: Mapping[str, Any]) -> list[NodeNow]:
    """The living nodes of a summary."""
    return [_node(one) for one in data["summary"] if one["raylet"].get("state") == "ALIVE"]


def _node(one: Mapping[str, Any]) -> NodeNow:
    total, available, *_ = one.get("mem") or (None, None)
    folders = [disk["free"] for path, disk in (one.get("disk") or {}).items() if path != "/"]
    gpus = tuple(str(gpu["name"]) for gpu in one.get("gpus") or ())
    name = f"{one.get('hostname', '?')} ({one.get('ip', '?')})"
    return NodeNow(name, available, total, min(folders, default=None), gpus, one.get("now"))


def _free(data: Mapping[str, Any]) -> Capacity | None:
    """What is not taken on each node, as Ray's own table tells it; None where there is none."""
    found = []
    for text in data.get("nodeLogicalResources", {}).values():
        usage = {kind: float(total) - float(used) for used, total, kind in USAGE.findall(text)}
        found.append(Node(usage.get("CPU", 0.0), usage.get("GPU", 0.0)))
    return capacity_of(found) if found else None


def _places(node: Node, need: Need) -> int:
    room = node.cpus / need.cpus
    return int((min(room, node.gpus / need.gpus) if need.gpus else room) + 1e-9)


def _python(there: str) -> Finding:
    here = platform.python_version()
    is_same = there.split(".")[:2] == here.split(".")[:2]
    return Finding("cluster: python", is_same, f"{there}, {here} here", "use one version of Python on both")


def _nodes(nodes: Sequence[NodeNow], head: float | None) -> Iterator[Finding]:
    """What each node lacks, a finding for each kind."""
    gpus = [gpu for node in nodes for gpu in node.gpus]
    named = ", ".join(f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus)) or "none that they tell of"
    yield Finding("cluster: GPUs", True, named)
    for check, least, values, mend in (
        ("cluster: memory", LEAST_MEMORY, [(n.name, n.memory) for n in nodes], "end what else runs there"),
        (
            "cluster: disk",
            LEAST_DISK,
            [(n.name, n.disk) for n in nodes],
            "free some, or start Ray with another --temp-dir",
        ),
    ):
        known = [(amount, name) for name, amount in values if amount is not None]
        if not known:
            yield Finding(check, None, "the nodes do not tell", "`i2i-cluster doctor` on them tells")
            continue
        amount, name = min(known)
        yield Finding(check, amount >= least, f"at least {amount / GB:.3g} GB free, on {name}", mend)
    # What a node tells is some time old: only that its clock is ahead is certain.
    far = [node.name for node in nodes if head and node.at and node.at - head > MOST_SKEW_S]
    if far:
        ahead = f"the clocks of {', '.join(far)} are more than {MOST_SKEW_S:g} s ahead of the head's"
        yield Finding("cluster: nodes' clocks", False, ahead, MEND)
