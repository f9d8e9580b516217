"""What travels to a target: the sweep's file as it was written, with places that mean the same there, and nothing else.

No secret is ever in it: an address holds no credentials, and no variable of this machine is sent along. The cluster has
its own. The text is JSON, which is YAML that no reader can take for anything else: `1e3` stays a text, 20000 a number.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cluster.targets.target import Parcel
from orchestrator.planning.plan import Plan
from orchestrator.sweep_file.cluster import LOCAL, Cluster
from orchestrator.sweep_file.written import portable
from orchestrator.sweep_file.yaml_file import parse_yaml

EXPECT, ONLY, INEXACT = "--expect", "--only", "--allow-inexact"


def parcel_of(plan: Plan, *, allow_inexact: bool = False, only: frozenset[int] | None = None) -> Parcel:
    """The parcel of a plan, with the options of its driver as of `submit`."""
    values = {**portable(plan.written, plan.task.uri if plan.task else ""), "cluster": LOCAL}
    text = json.dumps(values, ensure_ascii=False, indent=1)
    assert parse_yaml(text, plan.file) == values, "what arrives is what was sent"
    options = [EXPECT, plan.id]
    options += [INEXACT] if allow_inexact else []
    for trial in sorted(only or ()):
        options += [ONLY, str(trial)]
    return Parcel(key_of(plan), plan.sweep.name, text, tuple(options))


def key_of(plan: Plan) -> str:
    """What a target knows a sweep by: one sweep may lie in two storages, and is then driven twice."""
    return f"{plan.id}-{hashlib.sha256(plan.storage.encode()).hexdigest()[:4]}"


def spelled(cluster: Cluster) -> Any:
    """The value of the file's `cluster` key, as JSON has it."""
    if cluster.is_local:
        return LOCAL
    return cluster.address or cluster.model_dump(mode="json", exclude_unset=True)
