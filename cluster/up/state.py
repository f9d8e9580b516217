"""What `up` remembers of its cluster: a file in the user's state folder, written before the first process is started.

So a cluster whose `up` was killed half way is known as well, and one that a reboot ended is told by having no process.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from data_shards.store import FolderStore

FORMAT = 1
STATE, TOKEN, LOCK = "cluster.json", "token", "cluster.lock"
READY = "ready"  # in a cluster's folder once all its nodes are there: where its dashboard is


class ClusterUp(ValueError):
    """There is a cluster already, or what was asked of one cannot be."""


@dataclass(frozen=True)
class LocalCluster:
    """A cluster on this machine. mark: in the environment of its processes. folder: what Ray writes, sockets included.

    token: the file of its token; empty where it asks for none. at: seconds since 1970.
    """

    address: str
    nodes: int
    cpus: int
    folder: str
    token: str
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    at: float = field(default_factory=time.time)

    @property
    def log(self) -> Path:
        """What the process that holds the nodes says."""
        return Path(self.folder) / "keeper.log"


def state_folder() -> Path:
    """Where this user's state is kept: $XDG_STATE_HOME/i2i-cluster, or the same in ~/.local/state. It is made."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    folder = Path(base).expanduser() / "i2i-cluster"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def alone() -> Iterator[None]:
    """Hold the state for this process. Raises ClusterUp where another one does."""
    with (state_folder() / LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterUp("another `i2i-cluster up` or `down` is at work; wait for it") from None
        yield


def remembered() -> LocalCluster | None:
    """The cluster of the last `up`, whether it still runs or not. Raises ClusterUp where the file cannot be read as one."""
    path = state_folder() / STATE
    try:
        values = json.loads(path.read_bytes())
        if int(values["format"]) > FORMAT:
            raise ClusterUp(f"{path} is of a newer i2i-cluster: end its cluster with that one")
        return LocalCluster(**{name: values[name] for name in LocalCluster.__dataclass_fields__})
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ClusterUp(f"{path} is damaged; end what runs of the cluster by hand, and delete it") from error


def remember(cluster: LocalCluster) -> None:
    """Write it down."""
    FolderStore(state_folder()).write(STATE, json.dumps({"format": FORMAT, **asdict(cluster)}).encode())


def forget(cluster: LocalCluster) -> None:
    """Remove what it wrote, its token, and the memory of it."""
    shutil.rmtree(cluster.folder, ignore_errors=True)
    (state_folder() / TOKEN).unlink(missing_ok=True)
    (state_folder() / STATE).unlink(missing_ok=True)


def new_token() -> str:
    """A new token in a file that only this user may read; returns its path."""
    path = state_folder() / TOKEN
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    return str(path)


def new_folder() -> str:
    """An empty folder with a short name, since a socket's path is 107 bytes at most."""
    short = "/tmp" if os.access("/tmp", os.W_OK) else None
    return tempfile.mkdtemp(prefix="i2i-up-", dir=short)
