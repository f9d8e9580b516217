"""What StackGAN is told of a picture: whether the data tell it, and that it reaches the training, stage by stage."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cluster.building import build_engine
from cluster.data import open_data
from cluster.estimate import measure
from cluster.report import Place
from cluster.stages import parts_of
from data_shards.build.folder import build_folder
from data_shards.manifest import FILE, Head, Row, manifest_bytes
from data_shards.texts import encoded
from orchestrator.errors import Refusal
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import read_sweep
from tests.cluster.test_training import Told, digest, trained
from trainers.replica import texts

SMALL = {
    "latent": 4,
    "width": 4,
    "critic_width": 4,
    "embedding": 3,
    "condition": 3,
    "second_width": 2,
    "blocks": 1,
    "first_image": 16,
    "first_steps": 3,
    "first_batch": 4,
}
MAKES = (
    "`i2i-cluster shards build openmoji OUT --texts` makes a data set of pictures with texts, and a column text in labels.csv "
    "tells those of your own"
)


def toy(folder: Path, *told: str | None, validation: str | None = "a cat") -> str:
    """A manifest of 8 training and 4 validation pictures of b; told: texts of the training pictures in turn."""
    rows = [
        Row("0.tar", 0, 9, f"{i}", "b", None, told[i % len(told)] if i < 8 else validation,
            "train" if i < 8 else "validation", 0)
        for i in range(12)
    ]  # fmt: skip
    (folder / FILE).write_bytes(manifest_bytes(Head("toy", {"b": (3, 32, 32)}, {}, (), {}), rows))
    return str(folder)


@pytest.fixture
def captioned(tmp_path: Path) -> str:
    """12 pictures of b, each with a text of its own; and of a, with none."""
    for domain in "ab":
        (tmp_path / "source" / domain).mkdir(parents=True)
        for i in range(12):
            pixels = np.random.default_rng([i, ord(domain)]).integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"source/{domain}/{domain}{i}.png")
            if domain == "b":
                (tmp_path / f"source/b/b{i}.txt").write_text(f"cat number {i}")
    return build_folder(str(tmp_path / "shards"), source=str(tmp_path / "source"), validation=0.25).uri


def planned(uri: str, hyper: dict[str, Any] | None = None, **more: Any) -> Plan:
    data = {"uri": uri, "image": 32, "batch": 4, "replicas": 2, **more.pop("data", {})}
    values = {"system": "stackgan", "data": data, "steps": 4, "hyper": {**SMALL, **(hyper or {})}, **more}
    return make_plan(read_sweep(values, "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=4, gpus=0))


def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(Refusal) as caught:
        planned(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize("none", [None, "--- !"])
def test_data_without_texts_are_refused(tmp_path: Path, none: str | None) -> None:
    line = f"sweep.yaml: data.uri: stackgan reads the texts of domain b, and toy has none; {MAKES}"
    assert refused(toy(tmp_path, none, validation=none)) == line


@pytest.mark.parametrize(
    ("told", "validation", "what"),
    [(("a cat", None), "a cat", "4 of its 8 training"), (("a cat",), None, "4 of its 4 validation")],
)
def test_a_picture_without_a_text_is_counted(
    tmp_path: Path, told: tuple[str | None, ...], validation: str | None, what: str
) -> None:
    line = (
        f"stackgan reads the texts of domain b, and {what} pictures in toy have none; leave them out, or give them one"
    )
    assert refused(toy(tmp_path, *told, validation=validation)) == f"sweep.yaml: data.uri: {line}: {MAKES}"


def test_a_note_tells_of_texts_that_are_too_long(tmp_path: Path) -> None:
    long = " ".join(f"w{i}" for i in range(70))
    note = "4 of the 8 texts of domain b have more than the 64 words that are read"
    assert note in planned(toy(tmp_path, "a cat", long)).notes
    assert note not in planned(toy(tmp_path, "a cat")).notes


def test_shards_without_a_manifest_know_no_texts(captioned: str) -> None:
    line = "data.mode: stackgan reads the texts of domain b, which only a manifest knows; nearest: indexed"
    assert line in refused(captioned, data={"mode": "stream"})


@pytest.mark.parametrize(
    ("hyper", "line"),
    [
        ({"first_image": 32}, "hyper.first_image: stage I makes pictures smaller than those of 32 pixels; nearest: 16"),
        ({"first_image": 24}, "hyper.first_image: cannot be 24; has: 8, 16, 32, 64, 128"),
        ({"first_steps": 0}, "hyper.first_steps: must be at least 1, not 0"),
        ({"first_batch": 2}, "hyper.first_batch: stackgan needs 2 samples in each of 2 replicas, so at least 4, not 2"),
    ],
)  # fmt: skip
def test_stages_that_cannot_be_are_refused(captioned: str, hyper: dict[str, Any], line: str) -> None:
    assert line in refused(captioned, hyper)


def test_stage_one_has_a_size_and_a_batch_of_its_own(captioned: str, tmp_path: Path) -> None:
    plan = planned(captioned, storage=str(tmp_path / "runs"))
    run = plan.run(0, {})
    (part,) = parts_of(run)
    assert (part.run.data.image, part.run.data.batch, part.run.steps) == (16, 4, 3)
    assert "before it comes stage first: stage I, small pictures of texts, 3 steps; trained once" in " ".join(
        plan.notes
    )
    larger = replace(run, hyper={**run.hyper, "second_width": 4, "blocks": 2}, weights={**run.weights, "kl": 9.0})
    assert parts_of(larger)[0].id == part.id
    assert parts_of(replace(run, hyper={**run.hyper, "first_image": 8}))[0].id != part.id


def test_the_texts_of_the_shards_reach_the_step(captioned: str, tmp_path: Path) -> None:
    run = planned(captioned, storage=str(tmp_path / "runs")).run(0, {})
    data = open_data(run)
    with data.stream(0, 1) as stream:
        engine = build_engine(run, data.shapes(), stream, Place())
        batch = stream.read("b", 0, 0)
        engine.step()
    known = encoded([f"cat number {i}" for i in range(12)]).tolist()
    assert all(words in known for words in batch[texts("b")].tolist())
    samples = data.samples(4)
    assert all(samples.text("b", i).tolist() in known for i in range(samples.count("b")))


def test_a_step_can_be_measured_without_data(captioned: str, tmp_path: Path) -> None:
    run = planned(captioned, storage=str(tmp_path / "runs")).run(0, {})
    assert measure(run, open_data(run).shapes()) is not None


def test_both_stages_are_trained_and_the_next_trial_takes_the_first(captioned: str, tmp_path: Path) -> None:
    run = planned(captioned, storage=str(tmp_path / "runs")).run(0, {})
    told = trained(run, Told())
    assert told.last.outcome == "done"
    assert 0.0 <= told.last.metrics["eval/text_match"] <= 1.0
    assert any(notice.startswith("stage first: step 3 of 3; adv_first") for notice in told.notices)
    again = trained(replace(run, trial=1), Told())
    assert again.last.outcome == "done"
    assert not again.notices
    assert digest(replace(run, trial=1)) == digest(run)
