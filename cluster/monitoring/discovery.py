"""Endpoints of this machine, for a Prometheus's file_sd_configs: one file each, in one folder for all sweeps of a user.

    file_sd_configs: [{files: [~/.local/state/i2i-cluster/metrics/*.json]}]   # with the home folder written out

A driver that was killed leaves its file behind, so that the Prometheus sees it is down; the next driver on this machine removes it.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.up.state import state_folder
from data_shards.store import FolderStore

NAME = re.compile(r"[0-9a-zA-Z._-]+-(\d+)\.json")
HOST, NAMED, SWEEP = "__meta_i2i_host", "__meta_i2i_name", "__meta_i2i_sweep"  # for relabelling; dropped otherwise


def discovery_folder() -> Path:
    """Where the files are. It is made."""
    folder = state_folder() / "metrics"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def announced(target: str, sweep: str, name: str) -> Iterator[Path]:
    """A file that names `target` (host:port), as long as this lasts. Raises OSError where it cannot be written."""
    folder = discovery_folder()
    _tidy(folder, target)
    told = [{"targets": [target], "labels": {HOST: socket.gethostname(), NAMED: name, SWEEP: sweep}}]
    file = f"{sweep}-{os.getpid()}.json"
    FolderStore(folder).write(file, json.dumps(told).encode())
    try:
        yield folder / file
    finally:
        (folder / file).unlink(missing_ok=True)


def _tidy(folder: Path, target: str) -> None:
    """Remove what drivers of this machine left that are gone; this target is ours by now, whoever had it before."""
    for path in folder.glob("*.json"):
        match = NAME.fullmatch(path.name)
        if match is None:
            continue
        try:
            (told,) = json.loads(path.read_bytes())
            here = told["labels"][HOST] == socket.gethostname()
            taken = told["targets"] == [target]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # none of ours, or gone this moment
        if here and (taken or not Path(f"/proc/{match[1]}").exists()):
            path.unlink(missing_ok=True)
