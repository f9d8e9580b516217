"""Which places of a sweep mean nothing where it is to run: a folder of this machine is none of another one's, and a network
interface may be missing.

It is asked before anything travels. A cluster whose head is this machine by its address reaches the same folders.
"""

from __future__ import annotations

import os
import socket

from data_shards.address import is_remote
from orchestrator.errors import Refusal, nearest, show
from orchestrator.sweep_file.sweep import Sweep


def check_places(sweep: Sweep) -> list[Refusal]:
    """What is refused: where the sweep runs elsewhere, folders of this machine, which mean nothing there; where it runs here, what
    this machine lacks."""
    if sweep.cluster.shares_files:
        return [] if os.environ.get("RAY_ADDRESS") else _check_interface(sweep.resources.interface)
    places = [("storage", sweep.storage, "write"), ("data.uri", sweep.data.uri, "read")]
    # By a name or an id both are found in the storage.
    named = (("task", sweep.task), ("warm_start", sweep.warm_start))
    features = sweep.evaluation.features
    places += [("evaluation.features.module", features.module, "read")] if features else []
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


def _check_interface(name: str | None) -> list[Refusal]:
    there = [interface for _, interface in socket.if_nameindex()]
    if name is None or name in there:
        return []
    problem = f"this machine has no network interface {show(name)}"
    return [Refusal(problem, path="resources.interface", value=name, nearest=nearest(name, there), has=there)]
