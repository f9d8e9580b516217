"""A Prometheus of one's own on this machine: it finds the sweeps that run here, scrapes them, and evaluates the rules.

`make monitoring` and the tests start the same one. It ends with the process that started it, however that ends.
"""

from __future__ import annotations

import ctypes
import errno
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.monitoring.discovery import SWEEP, discovery_folder
from orchestrator.manifests.manifest_yaml import to_yaml
from orchestrator.sweep_file.metrics import LARGEST_PORT
from scripts.monitoring.alert import JOB
from scripts.monitoring.asking import Prometheus
from scripts.monitoring.promql import Clock, span
from scripts.monitoring.rules import REAL, groups

PORT, TRIED = 9090, 100  # Prometheus's own, and how many from there on
HOST = "127.0.0.1"
SCRAPE_S, LEAST_S = (
    5.0,
    0.5,
)  # between two scrapes; at another pace, and never less: a busy driver needs a moment to answer
READY_S, GOODBYE_S = 60.0, 60.0
PR_SET_PDEATHSIG = 1
MISSING = (
    "prometheus is not installed: `apt-get install prometheus` where there is Debian's, or put the program from"
    " https://prometheus.io/download into PATH"
)


class CannotServe(RuntimeError):
    """There is no Prometheus here, no port for it, or it does not start. One line."""


@dataclass(frozen=True)
class Server:
    """A running one. log: the file of what it says."""

    asked: Prometheus
    process: subprocess.Popen[bytes]
    log: Path

    def last(self) -> str:
        """The last line that it said, empty where it said nothing."""
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""


def configuration(found: str, clock: Clock = REAL) -> dict[str, Any]:
    """Prometheus's own configuration. found: the folder in which drivers announce themselves; the rules lie beside this file."""
    every = span(max(LEAST_S, SCRAPE_S * clock.scale))
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {
                "job_name": JOB,
                "file_sd_configs": [{"files": [f"{found}/*.json"]}],
                "honor_labels": True,
                "relabel_configs": [{"source_labels": [SWEEP], "target_label": "sweep"}],
            }
        ],
    }


def program() -> str:
    """The path of Prometheus. Raises CannotServe where there is none."""
    found = shutil.which("prometheus")
    if found is None:
        raise CannotServe(MISSING)
    return found


def free_port(named: int | None = None) -> int:
    """The port that was named (0: any), or the first that is free from PORT on. Raises CannotServe."""
    if named is not None and not 0 <= named <= LARGEST_PORT:
        raise CannotServe(f"--port: must be a port up to {LARGEST_PORT}, not {named}")
    for port in (named,) if named is not None else range(PORT, PORT + TRIED):
        try:
            with closing(socket.create_server((HOST, port))) as one:
                return int(one.getsockname()[1])
        except OSError as error:
            if named is not None:
                why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
                raise CannotServe(f"--port: port {named} of {HOST} {why}") from error
    raise CannotServe(f"no port is free from {PORT} to {PORT + TRIED - 1}: name one with --port")


@contextmanager
def serving(folder: Path, port: int, clock: Clock = REAL) -> Iterator[Server]:
    """A Prometheus that keeps everything in `folder`, ready, as long as this lasts. Raises CannotServe."""
    command = [program(), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    (folder / "rules.yaml").write_text(to_yaml([groups(clock)]), encoding="utf-8")
    (folder / "prometheus.yml").write_text(to_yaml([configuration(str(discovery_folder()), clock)]), encoding="utf-8")
    log = folder / "prometheus.log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={HOST}:{port}"],
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            start_new_session=True,  # a Ctrl-C in the terminal is for whoever started it, who then ends it
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
    server = Server(Prometheus(f"http://{HOST}:{port}"), process, log)
    try:
        _await_ready(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(server: Server) -> None:
    end = time.monotonic() + READY_S
    while not server.asked.is_ready():
        if server.process.poll() is not None or time.monotonic() > end:
            raise CannotServe(f"prometheus does not start: {server.last() or 'it said nothing'}")
        time.sleep(0.05)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
