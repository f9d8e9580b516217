"""`up` and `down`: start a Ray cluster of several nodes on this machine, and end exactly its own processes."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from cluster.background import exit_code, start
from cluster.up.processes import MARK, end, processes_of
from cluster.up.state import READY, ClusterUp, LocalCluster, alone, forget, new_folder, new_token, remember, remembered

READY_S = 180.0  # 14 s on an idle machine
LOOK_S = 0.1
ANSWER_S = 2.0
STOP_S = 60  # what a driver that is asked to end has for its last checkpoints
TAIL = 2_000  # bytes of a log that an error shows


def up(nodes: int, cpus: int | None, port: int, with_token: bool) -> LocalCluster:
    """Start a cluster of `nodes` nodes with `cpus` CPUs each (None: this machine's, divided), its Jobs API on `port`.

    Raises ClusterUp where there is one, or the port is taken, and OSError where it does not start.
    """
    with alone():
        if (before := remembered()) is not None:
            if processes_of(before.mark, before.folder):
                if not _answers(before.address):
                    raise ClusterUp(
                        f"the head of {describe(before)} is gone; `i2i-cluster down` ends what is left of it"
                    )
                raise ClusterUp(f"a cluster is up already: {describe(before)}; `i2i-cluster down` ends it")
            forget(before)  # the machine was started anew, or somebody ended it
        _check_port(port)
        share = cpus or max(1, len(os.sched_getaffinity(0)) // nodes)
        token = new_token() if with_token else ""
        cluster = LocalCluster(f"http://127.0.0.1:{port}", nodes, share, new_folder(), token)
        remember(cluster)
        with ExitStack() as undone:
            undone.callback(_end, cluster)
            _start(cluster, port)
            undone.pop_all()
        return cluster


def down() -> LocalCluster | None:
    """End the cluster of the last `up` and forget it; None where there is none. Raises OSError where a process does not end."""
    with alone():
        cluster = remembered()
        if cluster is not None:
            _end(cluster)
        return cluster


def _end(cluster: LocalCluster) -> None:
    """Remembered until nothing of it runs: a `down` that failed can be given again."""
    end(cluster.mark, cluster.folder)
    forget(cluster)


def describe(cluster: LocalCluster) -> str:
    """For people: where it is and how large."""
    cpus = f"{cluster.cpus} CPU{'s' if cluster.cpus > 1 else ''}"
    return f"{cluster.nodes} node{'s' if cluster.nodes > 1 else ''} with {cpus} each at {cluster.address}"


def _start(cluster: LocalCluster, port: int) -> None:
    """Start the keeper and wait until all nodes are there."""
    asked = {"nodes": cluster.nodes, "cpus": cluster.cpus, "port": port, "folder": cluster.folder}
    command = [sys.executable, "-m", "cluster.up.keeper", json.dumps(asked)]
    ready, code = Path(cluster.folder) / READY, Path(cluster.folder) / "exit"
    start(command, cluster.log, code, _environment(cluster))
    deadline = time.monotonic() + READY_S
    while not ready.exists():
        if exit_code(code) is not None or time.monotonic() > deadline:
            told = cluster.log.read_bytes()[-TAIL:].decode(errors="replace").splitlines() or ["it says nothing"]
            raise OSError(f"the cluster does not start: {told[-1].strip()}")
        time.sleep(LOOK_S)
    if cluster.address != f"http://{ready.read_text(encoding='ascii')}":
        raise OSError(f"port {port} was taken while the cluster started; choose another with --port")


def _environment(cluster: LocalCluster) -> dict[str, str]:
    """Of every process of the cluster, the drivers and workers of sweeps included."""
    mode = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": cluster.token} if cluster.token else {}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "RAY_AUTH_MODE": "disabled",
        **mode,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # see keeper.py
        "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_S),
        "RAY_TMPDIR": cluster.folder,
        "RAY_USAGE_STATS_ENABLED": "0",
        "TMPDIR": cluster.folder,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        MARK: cluster.mark,
    }


def _answers(address: str) -> bool:
    """Whether somebody listens there; a head that starts may not yet, so that it is waited for a moment."""
    where = urlsplit(address)
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            socket.create_connection((str(where.hostname), int(where.port or 0)), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_S)
        else:
            return True


def _check_port(port: int) -> None:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError as error:
            problem = f"port {port} of this machine cannot be had ({(error.strerror or 'error').lower()})"
            raise ClusterUp(f"{problem}: another Ray may have it; choose one with --port") from error
