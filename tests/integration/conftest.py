"""A small real data set, a small real sweep, and the command line as a user runs it: in its own process."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.log.store import sweeps_in
from data_shards.build.openmoji import build_openmoji
from data_shards.store import Store, open_store
from tests.beds import raylets
from tests.integration.joining import CPUS, Joined
from tests.seaweed import CREDENTIALS
from trainers.state import digest


@dataclass(frozen=True)
class Desk:
    """A folder with a sweep file and a storage folder, and the commands over them."""

    folder: Path

    @property
    def storage(self) -> Path:
        return self.folder / "i2i-runs"

    def command(self, *arguments: object) -> list[str]:
        """The command line, warnings being errors there too."""
        return [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)]

    def run(self, *arguments: object, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run a command in this folder, to its end."""
        return subprocess.run(
            self.command(*arguments), cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False
        )

    def ok(self, *arguments: object) -> str:
        """The standard output of a command that must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, text: str) -> Path:
        """The sweep file."""
        (self.folder / "sweep.yaml").write_text(text)
        return self.folder / "sweep.yaml"

    def results(self) -> Any:
        """`results small -o json`."""
        return json.loads(self.ok("results", "small", "-o", "json"))

    def records(self) -> list[Any]:
        """The sweep's log."""
        (log,) = self.storage.glob("*/log.jsonl")
        return [json.loads(line) for line in log.read_bytes().splitlines() if line.endswith(b"}")]

    @property
    def store(self) -> Store:
        return open_store(str(self.storage))

    def digests(self, trials: int) -> list[str]:
        """The digest of the first trials' training states, trial by trial; "" of one that has saved none."""
        (sweep,) = sweeps_in(self.store)
        newest = [Checkpoints(self.store, SweepPaths(sweep).checkpoints(trial)).newest() for trial in range(trials)]
        return ["" if found is None else digest(found.state) for found in newest]


@pytest.fixture(scope="session")
def shards(tmp_path_factory):
    """60 pairs of OpenMoji at 32 pixels."""
    folder = tmp_path_factory.mktemp("shards")
    build_openmoji(str(folder / "openmoji"), size=32, limit=60)
    return folder / "openmoji"


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def bed():
    """A running Ray of two CPUs, which reaches the tests' S3 server; tests leave it as it was."""
    with raylets(1, cpus=CPUS, more=CREDENTIALS) as running:
        yield running


@pytest.fixture
def joined(bed, tmp_path, shards):
    """Makes sweeps on that Ray, each in a folder of its name; their drivers are ended with the test."""
    made = []

    def join(name, more="", **options):
        made.append(Joined(bed, tmp_path / name, shards, more, **options))
        return made[-1]

    yield join
    for sweep in made:
        if sweep.driver is not None:
            sweep.kill()
