"""A task network in a training: loaded by its hash, and the beginning of what is to have its weights."""

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cluster.building import build_engine, build_system
from cluster.estimate import measure
from cluster.model import load_best
from cluster.report import Place
from cluster.task import load_task
from data_shards.address import join
from data_shards.errors import DataError
from data_shards.store import open_store
from tests.orchestrator.tasks import Judged, data_of, flip, trained


@pytest.fixture
def digits(tmp_path: Path) -> str:
    return data_of(tmp_path / "digits")


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def judged(digits: str, storage: Path) -> Judged:
    return Judged(digits, storage)


@pytest.mark.parametrize("task_net", ["frozen", "joint"])
def test_a_training_begins_with_its_weights(judged, digits, storage, task_net):
    folder = Path(trained(storage, digits))
    plan = judged(str(folder), hyper={"task_net": task_net})
    run, shapes = plan.run(0, {}), plan.data.shapes(32)
    task = load_task(run)
    assert task is not None and not task.training
    assert not any(parameter.requires_grad for parameter in task.parameters())
    trained_one: Any = load_best(open_store(str(storage)), folder.name).system
    kept = trained_one.network.state_dict()
    unread: Any = SimpleNamespace(read=None)
    began: Any = build_engine(run, shapes, unread, Place()).system
    for key, value in kept.items():
        assert torch.equal(task.state_dict()[key], value)
        assert torch.equal(began.task.state_dict()[key], value)
    assert all(parameter.requires_grad == (task_net == "joint") for parameter in began.task.parameters())
    alone: Any = build_system(run, shapes)
    assert not torch.equal(alone.task.last.weight, began.task.last.weight)
    assert torch.equal(alone.ab.layers[1].weight, began.ab.layers[1].weight), "the others begin as without it"


def test_it_may_lie_in_a_bucket(judged, digits, storage, bucket):
    folder = Path(trained(storage, digits))
    store = open_store(bucket)
    for file in (folder / "best").iterdir():
        store.write(f"runs/x/best/{file.name}", file.read_bytes())
    plan = judged(join(bucket, "runs/x/best"))
    assert plan.id == judged(str(folder)).id
    assert plan.task is not None and plan.task.uri.startswith("s3://")
    assert load_task(plan.run(0, {})) is not None


def test_without_one_nothing_is_loaded(judged):
    assert load_task(judged(None).run(0, {})) is None


def test_one_that_changed_or_is_gone_stops_the_training(judged, digits, storage):
    folder = Path(trained(storage, digits))
    run = judged(str(folder)).run(0, {})
    where = f"the task network in {folder}/best"
    other = dataclasses.replace(run, task=dataclasses.replace(run.task, sha256="0" * 64))
    with pytest.raises(DataError) as caught:
        load_task(other)
    assert str(caught.value) == f"{where} changed since the sweep was planned; submit the sweep again"
    flip(folder / "best" / "model.safetensors")
    with pytest.raises(DataError) as caught:
        load_task(run)
    assert str(caught.value).startswith(f"{where} cannot be read: model.safetensors is damaged; delete {folder}/best ")
    shutil.rmtree(folder)
    with pytest.raises(DataError) as caught:
        load_task(run)
    assert str(caught.value).startswith(f"{where} cannot be read: ")


def test_a_labelled_system_can_be_timed(judged, digits, storage):
    plan = judged(trained(storage, digits), hyper={"task_net": "frozen"})
    seconds = measure(plan.run(0, {}), plan.data.shapes(32)).seconds_per_step
    assert seconds is not None and seconds > 0
