"""What Ray knows about its machines: what is free on each, which were announced to go, and what dead processes still hold.

Ray has no public call for any of it; the private one stands in this file alone. Verified with Ray 2.60.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import ray
import ray._private.state
from ray.core.generated.gcs_pb2 import PlacementGroupTableData  # type: ignore[attr-defined]
from ray.util.placement_group import PlacementGroup, remove_placement_group


def this_node() -> str:
    """The id of the node that this process runs on."""
    return str(ray.get_runtime_context().get_node_id())


def any_alive() -> bool:
    """Whether one node lives, as far as Ray's head knows."""
    return any(node["Alive"] for node in ray.nodes())


def total() -> dict[str, float]:
    """What the living nodes have together, free or not."""
    found: Counter[str] = Counter()
    for node in ray.nodes():
        if node["Alive"]:
            found.update(node["Resources"])
    return dict(found)


def draining() -> set[str]:
    """The ids of the living nodes that were announced to go."""
    return set(ray._private.state.state.get_draining_nodes())


def free() -> dict[str, dict[str, float]]:
    """What is free on each node that is to stay. It may be a moment old."""
    leaving = draining()
    nodes = ray._private.state.state.available_resources_per_node()
    return {node: dict(kinds) for node, kinds in nodes.items() if node not in leaving}


def remove_orphans() -> int:
    """Take away this job's placement groups whose makers are dead, and say how many there were.

    Ray keeps the group of an actor that was killed until the job's end: its resources would be missing from the next launch.
    """
    found = 0
    for data in _groups():
        if not _is_drivers(data) and data.creator_actor_dead:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(data.placement_group_id)))
            found += 1
    return found


def places_wanted() -> int:
    """How many of the places that Tune asked for no node has room for: a trial runs in each."""
    return sum(_is_drivers(data) and data.state == PlacementGroupTableData.PENDING for data in _groups())


def _groups() -> Iterator[Any]:
    """This job's placement groups that are not removed, as Ray's head keeps them."""
    job = ray.JobID.from_hex(ray.get_runtime_context().get_job_id()).binary()
    accessor = ray._private.state.state._connect_and_get_accessor()
    for data in map(PlacementGroupTableData.FromString, accessor.get_placement_group_table()):
        if data.creator_job_id == job and not data.is_detached and data.state != PlacementGroupTableData.REMOVED:
            yield data


def _is_drivers(data: Any) -> bool:
    """Whether the driver made it, and not an actor."""
    return bool(ray.ActorID(data.creator_actor_id).is_nil())
