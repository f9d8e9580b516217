"""Which places of a sweep mean nothing where it is to run: a folder of this machine is none of another one's.

It is asked before anything travels. A cluster whose head is this machine by its address reaches the same folders.
"""

from __future__ import annotations

from data_shards.address import is_remote
from orchestrator.errors import Refusal
from orchestrator.sweep import Sweep


def check_places(sweep: Sweep) -> list[Refusal]:
    """What is refused where the sweep runs elsewhere: folders of this machine, which mean nothing there."""
    if sweep.cluster.shares_files:
        return []
    places = [("storage", sweep.storage, "write"), ("data.uri", sweep.data.uri, "read")]
    # By a name or an id both are found in the storage.
    named = (("task", sweep.task), ("warm_start", sweep.warm_start))
    places += [(path, place, "read") for path, place in named if place is not None and "/" in place]
    return [
        Refusal(
            f"{place} is a folder of this machine, which {sweep.cluster.place} cannot {verb}: use s3://bucket/prefix",
            path=path,
            value=place,
        )
        for path, place, verb in places
        if not is_remote(place)
    ]
