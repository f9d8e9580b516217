"""A Ray cluster of several raylets on this machine, to be broken: nodes come and go, and any of its processes can be found.

All raylets share one address and one file system, so this bed shows the death of processes; for hosts that lose each other
see `hosts.py`. The surprise is who holds the nodes: a process of its own (`raylet_keeper.py`), to which orphans are handed,
so that what lives below it is the cluster and nothing else is.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
ANSWER_S = 90.0  # a head takes 4 s, a node 2 s, where the machine is idle
WORKER, TRIAL, CONTROLLER = "RayTrainWorker", "ResourceTrainable", "TrainController"  # as `title` tells them
# Of every node, or kept by Ray itself for the next driver.
STANDING = ("DashboardAgent", "RuntimeEnvAgent", "IDLE", "_AutoscalingCoordinatorActor", "PlacementGroupCleaner")


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of every process of a bed, the driver's too. What they leave in a temporary folder is in `folder`."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PYTHONDONTWRITE"))},
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder),
        "RAY_TMPDIR": str(folder),  # also Ray's word about a running cluster, which the machine's others must not find
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
        **(more or {}),
    }


def own_folder(prefix: str) -> Path:
    """A folder in /tmp with a short name, since a socket's path is 107 bytes at most; those of dead test runs are removed."""
    for stale in Path("/tmp").glob(f"{prefix}-*-*"):
        if not psutil.pid_exists(int(stale.name.split("-")[1])):
            shutil.rmtree(stale, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir="/tmp"))


def until(what: str, happened: Callable[[], Any], seconds: float, state: Callable[[], str] = str) -> Any:
    """The first true answer of `happened`, asked again and again; an AssertionError that holds `state()` after `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := happened()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}\n{state()}"
        time.sleep(0.05)
    return answer


def title(process: psutil.Process) -> str:
    """What a process calls itself: of a Ray worker the class of its actor, else its command; empty once it is gone."""
    try:
        line = process.cmdline() if process.status() != psutil.STATUS_ZOMBIE else []
    except psutil.Error:
        return ""
    text = " ".join(line).strip()
    return text[5:].partition(".")[0].partition(":")[0].partition("(")[0] if text.startswith("ray::") else text


def end_all(processes: list[psutil.Process]) -> None:
    """kill -9, and wait until they are gone. A dead one whose parent has not looked for it yet is."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    until("what was killed is dead", lambda: not any(map(title, processes)), 10)


def left_in(folder: Path) -> list[str]:
    """The temporary folders of ours that nobody removed."""
    return [f"{path} is left behind" for path in sorted(folder.glob("i2i-*"))]


class Raylets:
    """The running cluster: a head without CPUs, and numbered nodes that work. `env` reaches it, RAY_ADDRESS included."""

    def __init__(self, nodes: int, cpus: float, more: Mapping[str, str] | None = None, gpus: int = 0) -> None:
        self.folder = own_folder("bed")
        self.env = environment(self.folder, more)
        self.cpus, self.gpus = cpus, gpus
        self.log = self.folder / "keeper.log"
        self.raylets: dict[int, int] = {}  # number of a living node -> its raylet's process
        with self.log.open("wb") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.raylet_keeper"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.env,
                text=True,
                start_new_session=True,
            )
        try:
            self.env["RAY_ADDRESS"] = self._ask("head")["address"]
            for _ in range(nodes):
                self.add_node()
        except BaseException:
            self.close()
            raise

    def add_node(self) -> int:
        """Start another node; returns its number."""
        added = self._ask("add", self.cpus, self.gpus)
        self.raylets[added["number"]] = added["raylet"]
        return int(added["number"])

    def kill_raylet(self, number: int) -> None:
        """kill -9 of a node's raylet; the processes below it notice that by themselves."""
        self._ask("kill", number)
        del self.raylets[number]

    def look(self) -> dict[str, Any]:
        """The cluster's own tables, see `Keeper.look`."""
        return self._ask("look")

    def processes(self) -> list[psutil.Process]:
        """Every living process of the cluster."""
        found = psutil.Process(self._keeper.pid).children(recursive=True)
        return [process for process in found if title(process)]

    def pids(self, kind: str) -> list[int]:
        """The processes that hold an actor of this class, such as WORKER, in order of their numbers."""
        return sorted(process.pid for process in self.processes() if title(process) == kind)

    def node_of(self, pid: int) -> int | None:
        """The number of the node that a process runs on; None for one of the head, or of a node that is no more."""
        with suppress(psutil.NoSuchProcess):
            above = {process.pid for process in psutil.Process(pid).parents()}
            return next((number for number, raylet in self.raylets.items() if raylet in above), None)
        return None

    def leftovers(self) -> list[str]:
        """What there is beyond an idle cluster: actors, placement groups, CPUs that are taken, temporary folders."""
        seen = self.look()
        actors = [process for process in self.processes() if is_actor(process)]
        found = [f"process {process.pid}: {title(process)}" for process in actors]
        found += [f"placement group {group}" for group in seen["groups"]]
        if len(seen["nodes"]) != len(self.raylets) + 1:
            found.append(f"{len(seen['nodes'])} nodes are alive in the head's eyes, not {len(self.raylets)} and itself")
        if seen["free"] != seen["cpus"]:
            found.append(f"{seen['free']:g} of {seen['cpus']:g} CPUs are free")
        return found + left_in(self.folder)

    def close(self) -> None:
        """End every process of the cluster, and remove its folder."""
        try:
            for _ in range(3):  # a raylet may be starting something
                end_all(psutil.Process(self._keeper.pid).children(recursive=True))
        finally:
            self._keeper.kill()
            self._keeper.communicate()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, *words: Any) -> dict[str, Any]:
        """Send the keeper a command and wait for its answer."""
        assert self._keeper.stdin is not None and self._keeper.stdout is not None
        self._keeper.stdin.write(json.dumps(words) + "\n")
        self._keeper.stdin.flush()
        ready, _, _ = select.select([self._keeper.stdout], [], [], ANSWER_S)
        line = self._keeper.stdout.readline() if ready else ""
        assert line, f"no answer to {words} within {ANSWER_S:g} s\n{self.log.read_text(errors='replace')[-3000:]}"
        return dict(json.loads(line))


def is_actor(process: psutil.Process) -> bool:
    """Whether it holds an actor of ours, or of what we use, and not one that belongs to an idle node."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline()).startswith("ray::") and title(process) not in STANDING
    return False


@contextmanager
def raylets(nodes: int, cpus: float, more: Mapping[str, str] | None = None, gpus: int = 0) -> Iterator[Raylets]:
    """A cluster of `nodes` nodes with `cpus` CPUs each beside the head. Takes about 8 s. gpus: that a node only says it has."""
    bed = Raylets(nodes, cpus, more, gpus)
    try:
        yield bed
    finally:
        bed.close()


def kill(pid: int) -> None:
    """kill -9."""
    os.kill(pid, signal.SIGKILL)
