"""A run on shards without a manifest, stopped and resumed: it ends where an undisturbed one ends."""

import io
from dataclasses import replace

import numpy as np
import pytest
import webdataset
from PIL import Image

from cluster.checkpoints.folder import Checkpoints
from cluster.data import open_data
from cluster.layout import SweepPaths
from cluster.report import Place
from cluster.run import Run
from cluster.training import train
from data_shards.errors import DataError
from data_shards.store import open_store
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import read_sweep
from trainers.state import digest

STEPS = 9
TINY = {"width": 4, "blocks": 1, "critic": "patch16", "critic_width": 4, "pool": 6}


def noise(seed: int) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)).save(sink, "JPEG")
    return sink.getvalue()


@pytest.fixture
def run(tmp_path) -> Run:
    """A tiny CycleGAN on 40 pictures of a and 24 of b, as its plan makes it."""
    for domain, name, count in (("a", "horses", 40), ("b", "zebras", 24)):
        (tmp_path / "data").mkdir(exist_ok=True)
        with webdataset.ShardWriter(str(tmp_path / f"data/{name}-%03d.tar"), maxcount=8, verbose=0) as writer:
            for i in range(count):
                writer.write({"__key__": f"{name}/{i:04d}", "jpg": noise(i + 1000 * ord(domain))})
    sweep = {
        "system": "cyclegan",
        "data": {
            "uri": str(tmp_path / "data"),
            "mode": "stream",
            "domains": {"a": "horses-*.tar", "b": "zebras-*.tar:jpg"},
            "image": 32,
            "batch": 2,
            "replicas": 2,
        },
        "steps": STEPS,
        "hyper": TINY,
        "every": {"report": 1, "evaluate": 4, "checkpoint": 3},
        "storage": str(tmp_path / "runs"),
    }
    plan = make_plan(read_sweep(sweep, "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=2, gpus=0))
    return plan.run(0, plan.params(0))


def trained(run: Run, steps: int | None = None) -> list[int]:
    """Train to the end, or for so many steps; the steps that were reported."""
    reported: list[int] = []

    def tell(report) -> bool:
        assert report.outcome != "failed", report.error
        reported.append(report.step)
        return True

    train(run, Place(), tell, lambda: "interrupted" if steps is not None and len(reported) + 1 >= steps else None)
    return reported


def state(run: Run) -> str:
    found = Checkpoints(open_store(run.storage), SweepPaths(run.sweep).checkpoints(run.trial)).newest()
    assert found is not None
    return f"{found.about['evaluated_at']} {digest(found.state)}"


def test_a_resumed_run_ends_as_an_undisturbed_one(run):
    undisturbed = replace(run, trial=1)
    assert trained(undisturbed) == list(range(1, STEPS + 1))
    assert trained(run, 2) == [1, 2]
    assert trained(run, 3) == [3, 4, 5]
    assert trained(run) == [6, 7, 8, 9]
    assert state(run) == state(undisturbed)
    assert state(run).startswith(f"{STEPS} ")


def test_a_run_knows_its_shards(run, tmp_path):
    data = open_data(run)
    assert data.shapes() == {"a": (3, 32, 32), "b": (3, 32, 32)}
    samples = data.samples(3)
    assert not samples.truth
    assert samples.image("a", samples.count("a") - 1).shape == (32, 32, 3)
    (tmp_path / "data/zebras-002.tar").unlink()
    with pytest.raises(DataError, match=r"the data set changed since the sweep was planned; submit the sweep again$"):
        trained(run)
