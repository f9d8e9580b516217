"""Sweeps with a task network, known by manifests alone: nothing is trained for them."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster.building import build_system
from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.log.store import FileLog
from cluster.model import export_best
from data_shards.manifest import FILE, Head, Row, manifest_bytes
from data_shards.store import open_store
from orchestrator.errors import Refusal
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import read_sweep

DIGITS = tuple("0123456789")
TINY = {"width": 4, "blocks": 1, "critic": "patch16", "critic_width": 4, "pool": 2}


def data_of(folder: Path, classes: tuple[str, ...] = DIGITS, **channels: int) -> str:
    """A data set of 20 + 10 pictures in each domain, all with a class, by its manifest alone."""
    folder.mkdir(parents=True, exist_ok=True)
    channels = channels or {"a": 1, "b": 1}
    rows = [
        Row("0.tar", 0, 9, f"{domain}{i}", domain, classes[i % len(classes)] if classes else None, None, split, 0)
        for domain in channels
        for split, numbers in (("train", range(20)), ("validation", range(20, 30)))
        for i in numbers
    ]
    shapes = {domain: (count, 32, 32) for domain, count in channels.items()}
    (folder / FILE).write_bytes(manifest_bytes(Head(folder.name, shapes, {}, classes, {}), rows))
    return str(folder)


def plan_of(values: dict[str, Any], uri: str, **more: Any) -> Plan:
    """The plan of a small sweep over the data at `uri`."""
    data = {"uri": uri, "image": 32, "batch": 4, "replicas": 2}
    sweep = {"data": data, "steps": 10, **values, **more}
    return make_plan(read_sweep(sweep, "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=4, gpus=0))


def model_of(plan: Plan, storage: Path, name: str = "toy") -> str:
    """The id of a sweep in `storage` that stored the plan's networks as they are at the beginning, as its best model."""
    run = plan.run(0, {})
    shapes = plan.data.shapes(run.data.image)
    run = dataclasses.replace(run, storage=str(storage))
    state = {f"model.{key}": value.detach() for key, value in build_system(run, shapes).named_parameters()}
    about = {"run": run.to_json(), "shapes": shapes, "evaluation": {"eval/accuracy": 0.75}}
    store, paths = open_store(str(storage)), SweepPaths(plan.id)
    Checkpoints(store, paths.checkpoints(0)).save(state, 10, about)
    export_best(store, plan.id, 0)
    log = FileLog(storage / plan.id / "log.jsonl")
    log.append("opened", id=plan.id, name=name, attempt=1, about={})
    log.close()
    return plan.id


def trained(storage: Path, uri: str, name: str = "toy", seed: int = 0, **hyper: Any) -> str:
    """The folder of a sweep that trained a classifier on the data at `uri`."""
    plan = plan_of({"system": "classifier", "hyper": {"width": 4, **hyper}, "seed": seed}, uri)
    return str(storage / model_of(plan, storage, name))


@dataclass(frozen=True)
class Judged:
    """judged(task, ...): the plan of a small balanced sweep with that task, over the data at `uri`."""

    uri: str
    storage: Path

    def __call__(self, task: str | None, uri: str = "", **more: Any) -> Plan:
        given = {"task": task} if task is not None else {}
        hyper = {**TINY, **more.pop("hyper", {})}
        values = {"system": "balanced", "storage": str(self.storage), "hyper": hyper, **given}
        return plan_of(values, uri or self.uri, **more)


def told(plan: Callable[..., Plan], *arguments: Any, **more: Any) -> str:
    """The line of the refusal."""
    with pytest.raises(Refusal) as caught:
        plan(*arguments, **more)
    (line,) = caught.value.lines()
    return line


def flip(file: Path) -> None:
    """One byte is another."""
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
