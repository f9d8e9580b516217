"""A sweep's identity: what the user wrote, as read (`20k` is 20000), and the hashes of the data's manifest and of the task
network.

The same sweep always finds its old results, and a changed one never mixes with them. Defaults that were not
written do not enter: writing a default down makes another sweep.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from orchestrator.search.space import spell_axis
from orchestrator.sweep_file.sweep import Sweep

ID_DIGITS = 12
# What may change between two submits of one sweep: nothing here acts on a trial's result.
FREE = (
    "name",
    "cluster",
    "storage",
    "metrics",
    "budget",
    "trials",
    "finalists",
    "data.cache",
    "every.report",
    "keep",
    "recompute",
    "resources",
)
# The exceptions inside an exception: both change the order of sums.
BOUND = ("resources.threads", "resources.cpu_capability")


def identity_of(sweep: Sweep, manifest: str, task: str = "", features: str = "") -> dict[str, Any]:
    """Dotted key -> value for every key that was written and that acts on a result.

    manifest, task, features: the hashes of the data, of the task network's weights and of the module of features, which count in
    place of their addresses.
    """
    written = sweep.model_dump(exclude_unset=True, exclude={"search"})
    written["search"] = {key: spell_axis(axis) for key, axis in sweep.search.items()}
    flat = _flat(written, "")
    bound = {key: value for key, value in flat.items() if _is_under(key, BOUND) or not _is_under(key, FREE)}
    bound |= {"task": f"model {task}"} if task else {}
    bound |= {"evaluation.features.module": f"module {features}"} if features else {}
    return {**bound, "data.uri": f"manifest {manifest}"}


def sweep_id(identity: Mapping[str, Any]) -> str:
    """The id of the sweep with this identity."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The dotted keys in which two identities differ, sorted."""
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key))


def _flat(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        flat |= _flat(value, f"{path}.") if isinstance(value, dict) and value else {path: value}
    return flat


def _is_under(key: str, prefixes: tuple[str, ...]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)
