"""Hosts that lose each other, on one machine: network namespaces on a bridge, each with a Ray node, and S3 as the only storage.

A host is a namespace: all that runs in it can be killed at once, and its link can be cut. Files, process numbers and names of
machines are shared by all of them, so what a host must not share (temporary folders, caches) is told apart by variables, and
a test that claims the loss of a host must keep its data and its results in S3.
"""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.beds import end_all, environment, is_actor, left_in, own_folder, title
from tests.seaweed import Seaweed, seaweedfs

PORT = 6379
OBJECT_STORE_BYTES = 80_000_000
START_S = 120.0  # a node takes 6 s where the machine is idle; a node that finds no head tries for ever
REQUIRE = "I2I_REQUIRE_NETNS"  # where it is 1, a machine without namespaces fails the tests that need them
# Read by the head: a host that is silent is dead after about 4 s.
HEALTH = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
_numbers = itertools.count()


def missing() -> str:
    """Why there can be no hosts here, found by making one; empty where there can."""
    if shutil.which("ip") is None:
        return "the command `ip` is not installed: apt-get install iproute2"
    name = f"i2i-{os.getpid()}-probe"
    try:
        _ip("netns", "add", name)
        try:
            _ip("link", "add", f"p{os.getpid()}", "type", "veth", "peer", "name", "eth0", "netns", name)
        finally:
            _ip("netns", "delete", name)
    except subprocess.CalledProcessError as error:
        return f"needs network namespaces (CAP_SYS_ADMIN and CAP_NET_ADMIN): {error.stderr.strip()}"
    return ""


class Hosts:
    """Hosts 0, 1, ... of one network. The first is for the head, the driver and S3; `start_ray` makes a host a node."""

    def __init__(self, count: int) -> None:
        self.folder = own_folder("net")
        self.count = count
        self._tag = f"{os.getpid()}-{next(_numbers)}"
        self._bridge = f"b{self._tag}"
        self._net = f"10.{64 + os.getpid() % 128}.{os.getpid() // 128 % 256}"
        self._more: dict[str, str] = {}
        _remove_stale()
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("addr", "add", f"{self._net}.254/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for host in range(count):
                self._add(host)
        except BaseException:
            self.close()
            raise

    def address(self, host: int) -> str:
        """A host's address in this network, which the test's own process reaches, too."""
        return f"{self._net}.{host + 1}"

    def inside(self, host: int) -> list[str]:
        """What to put before a command so that it runs on a host, which is also what it takes for its machine's name."""
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', self.name(host)]
        return ["ip", "netns", "exec", self.name(host), *named]

    def env(self, host: int) -> dict[str, str]:
        """The variables of processes on a host."""
        own = self.folder / f"h{host}"
        own.mkdir(exist_ok=True)
        return {
            **environment(own, self._more),
            "RAY_ADDRESS": f"{self.address(0)}:{PORT}",
            "GLOO_SOCKET_IFNAME": "eth0",  # by itself it takes the address of the host's name, which is that of no namespace
            "I2I_CACHE_DIR": str(own / "cache"),
        }

    @contextmanager
    def s3(self) -> Iterator[Seaweed]:
        """SeaweedFS on host 0, reached by all, its variables set on all of them."""
        with seaweedfs(self.folder / "s3", self.address(0), self.inside(0)) as server:
            self._more.update(server.env)
            yield server

    def start_ray(self, *hosts: int, cpus: float = 1.0) -> None:
        """Make these hosts nodes, all at once; host 0 becomes the head, which has no CPUs, and must be started before others."""
        for host, process in [self._ray(host, cpus) for host in hosts]:
            try:
                code = process.wait(START_S)
            finally:
                process.kill()
            assert code == 0, (self.folder / f"ray-{host}.log").read_text(errors="replace")[-3000:]

    def processes(self, host: int) -> list[psutil.Process]:
        """Everything that runs on a host."""
        found = []
        for pid in _ip("netns", "pids", self.name(host)).split():
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(int(pid)))
        return [process for process in found if title(process)]

    def pids(self, host: int, kind: str) -> list[int]:
        """The processes on a host that hold an actor of this class, such as WORKER."""
        return sorted(process.pid for process in self.processes(host) if title(process) == kind)

    def kill(self, host: int) -> None:
        """kill -9 of everything on a host, and the loss of its files."""
        for _ in range(3):  # a raylet may be starting something
            end_all(self.processes(host))
        shutil.rmtree(self.folder / f"h{host}", ignore_errors=True)

    def cut(self, host: int) -> None:
        """Cut the host's link: both sides live on and hear nothing of each other."""
        _ip("link", "set", self._link(host), "down")

    def heal(self, host: int) -> None:
        """Mend the link."""
        _ip("link", "set", self._link(host), "up")

    def leftovers(self, hosts: Sequence[int]) -> list[str]:
        """Actors and temporary folders of ours on these hosts."""
        found = [f"process {p.pid} on host {h}: {title(p)}" for h in hosts for p in self.processes(h) if is_actor(p)]
        return found + [one for host in hosts for one in left_in(self.folder / f"h{host}")]

    def close(self) -> None:
        """End everything on all hosts and remove them; an AssertionError where something is left."""
        for host in range(self.count):
            with suppress(subprocess.CalledProcessError):
                self.kill(host)
                _ip("netns", "delete", self.name(host))
        with suppress(subprocess.CalledProcessError):
            _ip("link", "delete", self._bridge)
        shutil.rmtree(self.folder, ignore_errors=True)
        left = [line for line in _ip("netns", "list").splitlines() if line.startswith(f"i2i-{self._tag}-")]
        assert not left, f"left behind: {left}"

    def _add(self, host: int) -> None:
        name, link = self.name(host), self._link(host)
        _ip("netns", "add", name)
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", link, "master", self._bridge, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "link", "set", "eth0", "up")
        _ip("-n", name, "addr", "add", f"{self.address(host)}/24", "dev", "eth0")

    def _ray(self, host: int, cpus: float) -> "tuple[int, subprocess.Popen[bytes]]":
        env = self.env(host)
        where = (
            ["--head", f"--port={PORT}", "--include-dashboard=false"]
            if host == 0
            else [f"--address={env.pop('RAY_ADDRESS')}"]
        )
        command = [str(Path(sys.executable).parent / "ray"), "start", *where, "--disable-usage-stats"]
        command += [f"--node-ip-address={self.address(host)}", f"--num-cpus={cpus if host else 0:g}"]
        command += [f"--temp-dir={env['RAY_TMPDIR']}", f"--object-store-memory={OBJECT_STORE_BYTES}"]
        with open(self.folder / f"ray-{host}.log", "ab") as log:
            process = subprocess.Popen(
                [*self.inside(host), *command],
                env={**env, **HEALTH},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return host, process

    def name(self, host: int) -> str:
        """The host's name."""
        return f"i2i-{self._tag}-{host}"

    def _link(self, host: int) -> str:
        return f"v{self._tag}-{host}"


@contextmanager
def hosts(count: int) -> Iterator[Hosts]:
    """So many hosts. Takes a second; SeaweedFS and Ray on them take about 15 s."""
    bed = Hosts(count)
    try:
        yield bed
    finally:
        bed.close()


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True, timeout=30).stdout


def _remove_stale() -> None:
    """Remove the hosts of test runs that were killed; what still ran there is killed, too."""
    for line in _ip("netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith("i2i-") and not psutil.pid_exists(int(name.split("-")[1])):
            for pid in _ip("netns", "pids", name).split():
                with suppress(psutil.Error):
                    end_all([psutil.Process(int(pid))])
            _ip("netns", "delete", name)
    for line in _ip("-o", "link", "show", "type", "bridge").splitlines():
        name = line.split(": ")[1]
        if (
            name[:1] == "b"
            and name[1:].partition("-")[0].isdigit()
            and not psutil.pid_exists(int(name[1:].partition("-")[0]))
        ):
            _ip("link", "delete", name)
