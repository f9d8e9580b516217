"""Pods without Kubernetes: a container of a manifest, run by what containers are made of.

Each gets namespaces of its own (network, mounts, processes), a root that cannot be written, the volumes of its template, its
user and none of root's capabilities. The image is this machine with this checkout. What KubeRay adds (the command, addresses,
the token) is put in as its source says. Not there: limits of CPU and memory, seccomp, probes, the autoscaler's container, and
everything that places and replaces pods.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from cluster.targets.kubernetes_pods import USER
from tests.beds import ROOT, until
from tests.hosts import Hosts
from tests.k8s.validate import Object

BIN = Path(sys.executable).parent
HEAD_START = "ray start --head --block --dashboard-host=0.0.0.0 --num-cpus=0"
WORKER_START = "ray start --address={head}:6379 --block --num-cpus={cpus}"
COMMON = (
    " --dashboard-agent-listen-port=52365 --metrics-export-port=8080 --memory=2000000000 --object-store-memory={store}"
)
PRIVILEGED = [
    "setpriv",
    f"--reuid={USER}",
    f"--regid={USER}",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
]
SUBMIT = """
until wget -q -O- {url}/api/gcs_healthz; do sleep 1; done
if ! ray job status --address {url} {job} >/dev/null 2>&1; then
  ray job submit --address {url} --submission-id {job} --no-wait {runtime} -- {entrypoint}; fi
ray job logs --address {url} --follow {job}
"""
# $1: a folder for the root, $2: its name; then pairs of a size and a place, `--`, pairs of a file and a place, `--`, the command.
CONTAINER = r"""
set -e
mount --make-rprivate /
cow=$1/$2 new=$1/$2/root; shift 2
mkdir -p "$cow"; mount -t tmpfs tmpfs "$cow"; mkdir "$cow/up" "$cow/work" "$new"
mount -t overlay overlay -o "lowerdir=/,upperdir=$cow/up,workdir=$cow/work" "$new"
at=$new; for part in $(echo "$BASE" | tr / ' '); do at=$at/$part; chmod o+x "$at"; done
mount -t proc proc "$new/proc"; mount --rbind /dev "$new/dev"; mount --rbind /sys "$new/sys"
while [ "$1" != -- ]; do mkdir -p "$new$2"; mount -t tmpfs -o "mode=1777,size=$1" tmpfs "$new$2"; shift 2; done; shift
while [ "$1" != -- ]; do mkdir -p "$(dirname "$new$2")"; touch "$new$2"; mount --bind "$1" "$new$2"; shift 2; done; shift
mount -o remount,ro "$new"
exec chroot "$new" "$@"
"""


class Bottle:
    """One container on one host."""

    def __init__(self, hosts: Hosts, host: int, pod: Object, more: dict[str, str], files: dict[str, Path]) -> None:
        self._hosts, self._host, self._files = hosts, host, files
        self.container = pod["spec"]["containers"][0]
        self._pod = pod
        self.log = hosts.folder / f"{pod['metadata']['name']}-{host}.log"
        declared = {one["name"]: one["value"] for one in self.container["env"]}
        self._env = declared | more | {"PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: str) -> None:
        """Start it as KubeRay does: by a shell, which puts Ray into its place."""
        volumes = {one["name"]: one for one in self._pod["spec"]["volumes"]}
        scratch, files = [], []
        for mount in self.container["volumeMounts"]:
            if "emptyDir" in volumes[mount["name"]]:
                size = min(_bytes(volumes[mount["name"]]["emptyDir"]["sizeLimit"]), 2 << 30)
                scratch += [str(size), mount["mountPath"]]
            elif mount["mountPath"] in self._files:
                files += [str(self._files[mount["mountPath"]]), mount["mountPath"]]
        words = [*self._inside(), "unshare", "--mount", "--pid", "--fork", "sh", "-c", CONTAINER, "sh"]
        words += [
            str(self._hosts.folder),
            self.log.stem,
            *scratch,
            "--",
            *files,
            "--",
            *self._as_user("bash", "-c", "--", command),
        ]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                words, env={**os.environ, "BASE": sys.base_prefix}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def exec(self, command: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a command in the container, as a hook or a probe of the kubelet."""
        root = f"/proc/{self.pid}/root"
        words = ["nsenter", f"--target={self.pid}", "--net", "--pid", "--mount", f"--root={root}", "--wd=/tmp"]
        return subprocess.run(
            [*words, *self._as_user(*command)], capture_output=True, text=True, timeout=timeout, check=False
        )

    @property
    def pid(self) -> int:
        """Of the container's first process, as this machine knows it; waits until it is the one of the template."""
        process = self._process
        assert process is not None
        below = Path(f"/proc/{process.pid}/task/{process.pid}/children")

        def first() -> int:
            assert process.poll() is None, self.said()
            pids = below.read_text().split()
            return int(pids[0]) if pids and _is_rooted(int(pids[0])) else 0

        return int(until("the container starts", first, 60.0, self.said))

    def terminate(self) -> None:
        """What a kubelet sends first."""
        subprocess.run(["kill", "-TERM", str(self.pid)], check=True)

    def wait(self, timeout: float) -> int:
        """The exit code of the container. Raises subprocess.TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(timeout)

    def kill(self) -> None:
        """What a kubelet sends last."""
        if self._process is not None and self._process.poll() is None:
            below = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            subprocess.run(["kill", "-KILL", *(below or [str(self._process.pid)])], check=False)
            self._process.wait(30)

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _inside(self) -> list[str]:
        return self._hosts.inside(self._host)

    def _as_user(self, *command: str) -> list[str]:
        variables = [f"{name}={value}" for name, value in self._env.items()]
        return [*PRIVILEGED, "--no-new-privs", "env", "-i", *variables, *command]


def _is_rooted(pid: int) -> bool:
    """Whether a process has its own root already, and its user."""
    try:
        return os.readlink(f"/proc/{pid}/root") != "/" and f"Uid:\t{USER}" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 2**20, "Gi": 2**30}[quantity[-2:]]


def head_command(store: str) -> str:
    return f"ulimit -n 65536; {HEAD_START}{COMMON.format(store=store)}"


def worker_command(head: str, cpus: int, store: str) -> str:
    return f"ulimit -n 65536; {WORKER_START.format(head=head, cpus=cpus)}{COMMON.format(store=store)}"


def submit_command(url: str, job: str, entrypoint: str, runtime: str = "") -> str:
    """What the operator makes of a RayJob for the pod that hands it in."""
    asked = f"--runtime-env-json {shlex.quote(runtime)}" if runtime else ""
    return SUBMIT.format(url=url, job=job, entrypoint=entrypoint, runtime=asked)
