"""Systems whose losses compare the layers of a task network: either kind will do, and the plan says which it is."""

from pathlib import Path
from typing import Any

import pytest

from cluster.building import build_system
from tests.orchestrator.tasks import data_of, plan_of, told, trained
from tests.orchestrator.test_task_segmenter import maps_of, segmenter
from trainers.networks.classifier import Classifier, Segmenter

CRN: dict[str, Any] = {"system": "crn", "hyper": {"width": 4}}
SRGAN: dict[str, Any] = {"system": "srgan", "preset": "features", "hyper": {"width": 4, "critic_width": 4, "blocks": 1}}


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.mark.parametrize("values", [CRN, {**CRN, "preset": "label-maps"}, SRGAN], ids=["crn", "crn of maps", "srgan"])
def test_a_segmenter_is_asked_for_its_layers(tmp_path, storage, values):
    emoji = maps_of(tmp_path / "emoji")
    plan = plan_of({**values, "task": segmenter(storage, emoji)}, emoji)
    run = plan.run(0, {})
    assert [run.hyper[f"task_{name}"] for name in ("kind", "width", "classes")] == ["segmenter", 4, 5]
    assert isinstance(build_system(run, plan.data.shapes(32)).frozen["task"], Segmenter)


def test_and_so_is_a_classifier(tmp_path, storage):
    digits = data_of(tmp_path / "digits")
    plan = plan_of({**SRGAN, "task": trained(storage, digits)}, digits)
    run = plan.run(0, {})
    assert [run.hyper[f"task_{name}"] for name in ("kind", "width", "classes")] == ["classifier", 4, 10]
    assert isinstance(build_system(run, plan.data.shapes(32)).frozen["task"], Classifier)


@pytest.mark.parametrize(
    ("hyper", "line"),
    [
        ({"task_kind": "classifier"}, "hyper.task_kind: the task network is a segmenter, not classifier; leave it out"),
        ({"task_width": 8}, "hyper.task_width: the task network has a width of 4, not 8; leave it out"),
        ({"task_classes": 4}, "hyper.task_classes: the task network knows 5 classes, not 4; leave it out"),
    ],
)
def test_what_is_written_of_it_must_be_so(tmp_path, storage, hyper, line):
    emoji = maps_of(tmp_path / "emoji")
    values = {**CRN, "hyper": {**CRN["hyper"], **hyper}, "task": segmenter(storage, emoji)}
    assert told(plan_of, values, emoji) == f"sweep.yaml: {line}"


def test_without_what_they_need_they_are_refused(tmp_path):
    emoji, digits = maps_of(tmp_path / "emoji"), data_of(tmp_path / "digits")
    asks = "asks a trained task network under these hyper settings; `i2i-cluster task train` makes one"
    assert told(plan_of, CRN, emoji) == f"sweep.yaml: task: crn {asks}"
    assert told(plan_of, SRGAN, digits) == f"sweep.yaml: task: srgan {asks}"
    assert plan_of({**CRN, "preset": "pixels"}, emoji).task is None
    makes = "`i2i-cluster shards build openmoji OUT --labels` makes a data set that has them"
    maps = {**CRN, "hyper": {**CRN["hyper"], "input": "label_map", "features": "none"}}
    assert told(plan_of, maps, digits) == f"sweep.yaml: data.uri: crn reads label maps, and digits has none; {makes}"


def test_how_much_they_count_is_not_searched_by_what_the_same_network_reads(tmp_path, storage):
    emoji = maps_of(tmp_path / "emoji")
    search = {"search": {"weights.task": {"log_uniform": [0.1, 10]}}, "trials": 2}
    values = {**CRN, **search, "task": segmenter(storage, emoji)}
    assert "eval/task_accuracy" in told(plan_of, {**values, "objective": {"metric": "eval/task_accuracy"}}, emoji)
    assert plan_of({**values, "objective": {"metric": "eval/ssim"}}, emoji).objective.mode == "max"


def test_the_scores_of_enlarged_pictures_judge_a_search_and_the_baseline_does_not(tmp_path):
    digits = data_of(tmp_path / "digits")
    values = {**SRGAN, "preset": "default", "search": {"weights.adv": {"log_uniform": [1e-4, 1e-2]}}, "trials": 2}
    assert plan_of({**values, "objective": {"metric": "eval/psnr"}}, digits).objective.mode == "max"
    line = told(plan_of, {**values, "objective": {"metric": "eval/psnr_bicubic"}}, digits)
    assert line.startswith("sweep.yaml: objective.metric: eval/psnr_bicubic")
