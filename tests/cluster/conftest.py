"""Sweeps for the tests of the conductor, in a folder and in a store that cannot append; a tiny run for those of training."""

import numpy as np
import pytest
from PIL import Image

from cluster.run import Run
from data_shards.build.folder import build_folder
from data_shards.store import FolderStore
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import read_sweep
from tests.cluster.conducting import RemoteStore, Sweep
from tests.cluster.running import Disk

TINY = {"width": 4, "blocks": 1, "critic": "patch16", "critic_width": 4, "pool": 6}


@pytest.fixture(scope="session")
def shards(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp("pictures")
    for domain in "ab":
        (root / f"source/{domain}").mkdir(parents=True)
        for i in range(12):
            pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(root / f"source/{domain}/{domain}{i}.png")
    build_folder(str(root / "shards"), source=str(root / "source"), validation=0.2)
    return str(root / "shards")


@pytest.fixture
def run(shards, tmp_path) -> Run:
    """Four steps of a tiny CycleGAN with a checkpoint after each second one."""
    sweep = {
        "system": "cyclegan",
        "data": {"uri": shards, "image": 32, "batch": 2, "replicas": 2},
        "steps": 4,
        "hyper": TINY,
        "every": {"report": 1, "evaluate": 4, "checkpoint": 2},
        "storage": str(tmp_path / "runs"),
    }
    plan = make_plan(read_sweep(sweep, "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=2, gpus=0))
    return plan.run(0, plan.params(0))


@pytest.fixture(params=[FolderStore, RemoteStore], ids=["folder", "remote"])
def sweep(request, tmp_path):
    """The sweep, and its log closed at the end."""
    of = Sweep(request.param(tmp_path))
    yield of
    of.crash()


@pytest.fixture
def make_sweep(tmp_path):
    """As many of them as wanted, in folders."""
    made: list[Sweep] = []

    def make():
        made.append(Sweep(FolderStore(tmp_path / f"sweep-{len(made)}")))
        made[-1].store.root.mkdir()
        return made[-1]

    yield make
    for of in made:
        of.crash()


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)
