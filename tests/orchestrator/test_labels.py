"""What a conditional GAN is told of a picture: whether the data tell it, and that it reaches the training."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cluster.building import build_engine
from cluster.data import open_data
from cluster.estimate import measure
from cluster.report import Place
from data_shards.build.folder import build_folder
from data_shards.manifest import FILE, Head, Row, manifest_bytes
from orchestrator.errors import Refusal
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import read_sweep
from trainers.replica import attributes

SMALL = {"latent": 4, "width": 4, "critic_width": 4, "embedding": 3}
NAMES = ("old", "red", "round")
MEND = "make the data set again with a column attributes in labels.csv"


def toy(folder: Path, told: tuple[str | None, ...] = (), classes: tuple[str, ...] = (), **channels: int) -> str:
    """A manifest of 8 training and 4 validation pictures of each domain, the same keys in all; told: attributes in turn."""
    shapes = {domain: (count, 32, 32) for domain, count in (channels or {"a": 3, "b": 3}).items()}
    names = tuple(sorted({name for text in told if text for name in text.split()}))
    rows = [
        Row("0.tar", 0, 9, f"{i}", domain, classes[i % len(classes)] if classes else None, None,
            "train" if i < 8 else "validation", 0, told[i % len(told)] if told else None)
        for domain in shapes
        for i in range(12)
    ]  # fmt: skip
    (folder / FILE).write_bytes(manifest_bytes(Head("toy", shapes, {}, classes, {}, attributes=names), rows))
    return str(folder)


def planned(uri: str, labels: str, hyper: dict[str, Any] | None = None, **data: Any) -> Plan:
    values = {
        "system": "cgan",
        "data": {"uri": uri, "image": 32, "batch": 4, **data},
        "steps": 10,
        "hyper": {**SMALL, "labels": labels, **(hyper or {})},
    }
    return make_plan(read_sweep(values, "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=4, gpus=0))


def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(Refusal) as caught:
        planned(*arguments, **options)
    return str(caught.value)


def test_data_without_attributes_are_refused_with_what_they_have(tmp_path: Path) -> None:
    line = f"sweep.yaml: hyper.labels: cgan reads the attributes of domain b, and toy has none; {MEND}"
    assert refused(toy(tmp_path, classes=("cat", "dog")), "attributes") == f"{line}; nearest: class"
    assert refused(toy(tmp_path), "attributes") == f"{line}; nearest: domain"
    assert refused(toy(tmp_path, b=3), "attributes") == line


def test_a_picture_of_which_nobody_told_is_not_one_that_has_none(tmp_path: Path) -> None:
    assert planned(toy(tmp_path, ("red", "")), "attributes").preset.hyper["classes"] == 1
    assert refused(toy(tmp_path, ("red", None)), "attributes") == (
        "sweep.yaml: data.uri: cgan reads the attributes of domain b, and of 4 of its 8 training pictures in toy nobody told "
        "them; make the data set again with a line for each in labels.csv, and an empty cell where it has none"
    )


@pytest.mark.parametrize(
    ("labels", "hyper", "line"),
    [
        ("attributes", {"classes": 2}, "hyper.classes: toy has 3 attributes, not 2; leave it out"),
        ("domain", {"classes": 3}, "hyper.classes: 3 does not fit: there are 2 domains to tell apart; leave it out"),
        ("class", {"classes": 3}, "hyper.classes: toy has 2 classes, not 3; leave it out"),
        ("classes", {}, "hyper.labels: cannot be 'classes'; nearest: class; has: class, attributes, domain"),
    ],
)
def test_labels_that_the_data_do_not_have(tmp_path: Path, labels: str, hyper: dict[str, int], line: str) -> None:
    uri = toy(tmp_path, ("old red", "round", ""), ("cat", "dog"))
    assert refused(uri, labels, hyper) == f"sweep.yaml: {line}"


def test_the_data_say_how_many_labels_there_are(tmp_path: Path) -> None:
    uri = toy(tmp_path, ("old red", "round", ""), ("cat", "dog"))
    assert planned(uri, "attributes").preset.hyper["classes"] == 3
    assert planned(uri, "class").preset.hyper["classes"] == 2
    assert planned(uri, "domain").preset.hyper["classes"] == 2
    assert planned(toy(tmp_path), "domain").preset.hyper["classes"] == 2, "which needs nobody to tell anything"


def test_domains_that_are_not_there_or_not_alike(tmp_path: Path) -> None:
    assert refused(toy(tmp_path, b=3), "domain") == (
        "sweep.yaml: data.uri: cgan reads domain a, which toy does not have; has: b"
    )
    assert refused(toy(tmp_path, a=1, b=3), "domain") == (
        "sweep.yaml: hyper.labels: one generator makes pictures of both domains, and their channels differ (1 of a and 3 of "
        "b); nearest: class"
    )


def test_labels_are_the_same_in_all_trials(tmp_path: Path) -> None:
    values = {
        "system": "cgan",
        "data": {"uri": toy(tmp_path, ("red", "")), "image": 32, "batch": 4},
        "steps": 10,
        "search": {"hyper.labels": {"choice": ["class", "attributes"]}},
        "objective": {"metric": "loss/d"},
        "trials": 2,
    }
    with pytest.raises(Refusal, match=r"hyper\.labels is the same in all trials and cannot be searched"):
        make_plan(read_sweep(values, "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=4, gpus=0))


def test_what_is_made_of_a_domain_has_no_counterpart(tmp_path: Path) -> None:
    """A picture from noise is no translation, though the data know those of all real ones."""
    plan = planned(toy(tmp_path, classes=("cat", "dog")), "domain")
    assert (plan.data.truth, plan.data.labelled) == (False, frozenset())
    assert plan.objective.metric == "loss/adv"


@pytest.fixture
def built(tmp_path: Path) -> str:
    """Pictures of a, and of b with attributes."""
    lines = []
    for i in range(24):
        for domain in "ab":
            pixels = np.random.default_rng([i, ord(domain)]).integers(0, 256, (32, 32, 3), np.uint8)
            file = tmp_path / "s" / domain / f"{domain}{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
        lines.append(f"b{i}.png,{' '.join(name for bit, name in enumerate(NAMES) if i >> bit & 1)}\n")
    (tmp_path / "s/labels.csv").write_text("file,attributes\n" + "".join(lines))
    return build_folder(str(tmp_path / "shards"), source=str(tmp_path / "s"), validation=0.3).uri


@pytest.mark.parametrize("labels", ["attributes", "domain"])
def test_a_planned_run_trains_and_is_measured(built: str, labels: str) -> None:
    plan = planned(built, labels)
    run = plan.run(0, {})
    seconds = measure(run, plan.data.shapes(32)).seconds_per_step
    assert seconds is not None and seconds > 0
    data = open_data(run)
    with data.stream(0, 1) as stream:
        engine = build_engine(run, data.shapes(), stream, Place(0, 1, "cpu"))
        engine.step()
        engine.settle()
        if labels == "attributes":
            told = np.concatenate([stream.read("b", draw, 0)[attributes("b")] for draw in range(8)])
            assert told.dtype == np.bool_
            assert told.shape[1] == 3
            assert told.any(0).all()
            assert not told.all(1).all()
    means = engine.ledger.means()
    assert all(np.isfinite(means[term]) for term in ("d", "adv"))


def test_the_evaluator_is_told_each_picture_s_attributes(built: str) -> None:
    data = open_data(planned(built, "attributes").run(0, {}))
    samples = data.samples(5)
    assert samples.count("b") == 5
    for i, key in enumerate(samples.validation.keys("b")):
        number = int(key.removeprefix("b-b"))
        assert samples.attributes("b", i).tolist() == [bool(number >> bit & 1) for bit in range(3)]


def test_of_a_mixture_the_evaluator_is_told_nothing(built: str, tmp_path: Path) -> None:
    (tmp_path / "s/labels.csv").write_text("file,class\n" + "".join(f"a{i}.png,x\n" for i in range(24)))
    uri = build_folder(str(tmp_path / "classed"), source=str(tmp_path / "s"), validation=0.3).uri
    run = planned(uri, "domain").run(0, {})
    told = open_data(dataclasses.replace(run, system="cyclegan", hyper={})).samples(3)
    samples = open_data(run).samples(3)
    assert [told.label("a", i) for i in range(3)] == [0] * 3
    assert [samples.label("a", i) for i in range(3)] == [-1] * 3
    assert np.array_equal(samples.image("a", 0), told.image("a", 0))


def test_only_a_manifest_knows_attributes(built: str) -> None:
    assert refused(built, "attributes", mode="stream") == (
        "sweep.yaml: data.mode: cgan reads the attributes of domain b, which only a manifest knows; nearest: indexed"
    )
    plan = planned(built, "domain", mode="stream")
    assert (plan.preset.hyper["classes"], plan.data.truth) == (2, False)
    with open_data(plan.run(0, {})).stream(0, 1) as stream:
        assert set(stream.read("a", 0, 0)) == {"a"}
