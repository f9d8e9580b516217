"""Which targets a record in a storage may lead to: those that this user has submitted that very sweep to, from this machine.

Whoever may write a storage could otherwise name any address in it, and be shown a token, or any image, and have it run. So the
record says where a sweep went, and the user's own state folder whether to believe it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from cluster.submission import Submission
from cluster.up.state import state_folder
from data_shards.store import FolderStore
from orchestrator.sweep_file.cluster import read_cluster

FOLDER = "submitted"


def remember(key: str, cluster: Any) -> None:
    """This user submits the sweep of that key there. Where the folder may not be written, --cluster has to say it again."""
    with suppress(OSError):
        FolderStore(state_folder() / FOLDER).write(f"{key}.json", _text(cluster))


def is_trusted(made: Submission) -> bool:
    """Whether this user has submitted it so, or it leads nowhere but to this machine."""
    try:
        if read_cluster(made.cluster).shares_files:
            return True
    except ValueError:  # nothing that a file may hold
        return False
    try:
        return (state_folder() / FOLDER / f"{made.key}.json").read_bytes() == _text(made.cluster)
    except OSError:
        return False


def _text(cluster: Any) -> bytes:
    return json.dumps({"format": 1, "cluster": cluster}, sort_keys=True).encode()
