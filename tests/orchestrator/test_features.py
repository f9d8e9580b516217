"""`evaluation.features`: a network of the user's own, as the sweep file names it, from the plan to a training's report."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cluster.features import load_features, read_module
from cluster.report import Place, Report
from cluster.run import Run
from cluster.training import train
from data_shards.build.folder import build_folder
from data_shards.errors import DataError
from orchestrator.sweep_file.written import portable
from tests.trainers.judging import Tiny, as_file


@pytest.fixture
def module(tmp_path) -> Path:
    path: Path = tmp_path / "tiny.pt"
    path.write_bytes(as_file(Tiny()))
    return path


def written(module, more=""):
    return f"evaluation: {{features: {{name: tiny, module: {module}, range: [0, 1]{more}}}}}\n"


CYC = "search: {weights.cyc: {log_uniform: [1, 30]}}\ntrials: 4\n"


def test_a_module_is_tried_and_its_scores_can_judge(planned, module):
    plan = planned(
        written(module) + CYC + "objective: {metric: 'eval/kid[tiny]', also: ['eval/fid[tiny]', eval/content]}"
    )
    assert [(one.metric, one.mode) for one in plan.objectives] == [
        ("eval/kid[tiny]", "min"),
        ("eval/fid[tiny]", "min"),
        ("eval/content", "min"),
    ]
    run = plan.run(0, plan.params(0))
    assert run.features is not None and run.features.uri == str(module)
    assert dict(run.features.gives) == {"features": 4, "logits": 2, "lpips": 4, "maps": 2}
    assert Run.from_json(run.to_json()) == run
    old = run.to_json()
    del old["features"]
    assert Run.from_json(old).features is None


def test_what_counts_is_the_file_s_content_and_not_its_place(planned, module, tmp_path):
    plan = planned(written(module))
    elsewhere = tmp_path / "other.pt"
    elsewhere.write_bytes(module.read_bytes())
    assert planned(written(elsewhere)).id == plan.id != planned().id
    elsewhere.write_bytes(as_file(Tiny(), 16))
    assert planned(written(elsewhere)).id != plan.id
    assert planned(written(module, ", image: 16")).id != plan.id


def test_a_relative_file_means_what_it_meant_where_it_was_submitted(module, monkeypatch):
    monkeypatch.chdir(module.parent)
    values = {"data": {"uri": "x"}, "evaluation": {"features": {"name": "tiny", "module": "tiny.pt"}}}
    assert portable(values)["evaluation"]["features"]["module"] == str(module)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: task, module: x.pt", "name: task is the task network's own name; give another one, such as inception"),
        ("name: 'a b', module: x.pt", "name: must be letters, digits, dots or dashes, not 'a b'"),
        ("name: a, module: x.pt, range: [1, 0]", "range: black comes first: [0, 1], not [1, 0]"),
        ("name: a, module: x.pt, range: 3", "range: must be [black, white], such as [0, 1], not 3"),
        ("name: a, module: nowhere.pt", "module: nowhere.pt is not there, or no file"),
    ],
)
def test_what_a_module_cannot_be(refused, text, line):
    (told,) = refused(f"evaluation: {{features: {{{text}}}}}")
    assert told == f"sweep.yaml: evaluation.features.{line}"


def test_a_file_that_is_no_network_hides_no_objective_and_brings_forth_no_mistake(refused, module):
    module.write_bytes(b"none")
    (told,) = refused(written(module) + "objective: {metric: 'eval/kid[tiny]'}")
    assert told.startswith("sweep.yaml: evaluation.features.module: tiny is no TorchScript file (")
    (told,) = refused("objective: {metric: 'eval/kid[tiny]'}")
    assert told.startswith(
        "sweep.yaml: objective.metric: unknown metric 'eval/kid[tiny]' for cyclegan; nearest: eval/kid[task]"
    )


def test_what_cannot_judge_says_why(refused, module):
    (told,) = refused(written(module) + CYC + "objective: {metric: 'eval/kid_spread[tiny]'}")
    assert (
        "eval/kid_spread[tiny] says how far chance moves the kernel distance, and not which trial is better; has: "
        in told
    )
    text = "system: distancegan\nsearch: {weights.dist_ab: {log_uniform: [0.1, 10]}}\ntrials: 2\n"
    (told,) = refused(text + "objective: {metric: eval/distance_correlation}")
    assert "eval/distance_correlation measures what weights.dist_ab weighs, and that is searched: the largest" in told


def test_too_few_pictures_for_a_frechet_distance_are_told_of(planned, module):
    text = written(module, "").replace("{features", "{samples: 4, features") + "objective: {metric: 'eval/fid[tiny]'}"
    assert planned(text).notes == (
        "eval/fid[tiny] is of at most 4 pictures and 4 features: with fewer than 5 it is too large, by an amount that depends on "
        "their number; eval/kid[tiny] is not",
    )
    assert planned(text.replace("samples: 4", "samples: 5")).notes == ()


def test_a_folder_of_this_machine_is_none_of_a_cluster(refused, module):
    text = "cluster: http://head:8265\nstorage: s3://bucket/x?endpoint=http://h:1\n"
    told = refused(text + written(module))
    assert any("evaluation.features.module" in line and "is a folder of this machine" in line for line in told)


def test_a_training_reports_scores_in_it_and_a_changed_file_stops_it(planned, module, tmp_path):
    for domain in "ab":
        (tmp_path / f"source/{domain}").mkdir(parents=True)
        for i in range(12):
            pixels = np.random.default_rng([ord(domain), i]).integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"source/{domain}/{i}.png")
    build_folder(str(tmp_path / "shards"), source=str(tmp_path / "source"), validation=0.5)
    small = "hyper: {blocks: 1, width: 4, critic: patch16, critic_width: 4}"
    data = f"data: {{uri: {tmp_path / 'shards'}, image: 32, batch: 1}}"
    plan = planned(f"storage: {tmp_path / 'runs'}\nsteps: 1\n{written(module, ', image: 16')}{small}\n{data}")
    told: list[Report] = []

    def report(heard: Report) -> bool:
        told.append(heard)
        return True

    train(plan.run(0, {}), Place(attempt=0), report, lambda: None)
    assert {"eval/fid[tiny]", "eval/kid[tiny]", "eval/is[tiny]", "eval/content", "eval/style"} <= set(told[-1].metrics)
    features = plan.run(0, {}).features
    assert features is not None and read_module(features.uri) == module.read_bytes()
    module.write_bytes(as_file(Tiny(), 16))
    with pytest.raises(DataError, match="changed since the sweep was planned; submit the sweep again"):
        load_features(features, torch.device("cpu"))
    with pytest.raises(DataError, match=r"gone\.pt cannot be read"):
        load_features(dataclasses.replace(features, uri=str(module.parent / "gone.pt")), torch.device("cpu"))
