"""A sweep file's mapping as the log keeps it, so that a sweep can go on without its file, and from any folder.

A relative path means what it meant where the file was submitted, so places are made absolute before they are kept. None of them
is a part of the sweep's identity: the data and the task network count by their hashes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from data_shards.address import is_remote
from data_shards.store import local_folder
from orchestrator.storage import DEFAULT_STORAGE, canonical


def portable(values: Mapping[str, Any], task: str = "") -> dict[str, Any]:
    """The values of a sweep file that was found right, with absolute places; empty where there was no file.

    task: the address of the task network that was found.
    """
    if not values:
        return {}
    kept = copy.deepcopy(dict(values))
    kept["storage"] = canonical(kept.get("storage", DEFAULT_STORAGE))
    data = kept["data"]
    data["uri"] = _place(data["uri"])
    cache = data.get("cache") or {}
    if cache.get("folder"):
        cache["folder"] = _place(cache["folder"])
    if features := (kept.get("evaluation") or {}).get("features"):
        features["module"] = _place(features["module"])
    if task:
        kept["task"] = task
    return kept


def _place(uri: str) -> str:
    """An address as it is, a path made absolute."""
    return uri if is_remote(uri) else str(local_folder(uri))
