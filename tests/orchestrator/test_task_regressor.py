"""A regressor as a task network: what it needs of the data it learns from, and of those that it is to judge."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cluster.run import Run
from cluster.task import READS, load_network
from orchestrator.task.cli import ABOUT, Kind, default_name
from orchestrator.task.task import find_task
from tests.orchestrator.tasks import Judged, data_of, model_of, plan_of, told, trained
from trainers.angles import angles_of, off, spread
from trainers.task_maps import KINDS

ANGLES = ("-75", "000", "7.5", "120")
DEGREES = (-75.0, 0.0, 7.5, 120.0)
STILL = {"augment": {"flip": False}}
UNPAIRED = {"system": "cyclegan"}
MAKES = "`i2i-cluster shards build turned OUT` makes a data set that has them"


@pytest.fixture
def turned(tmp_path: Path) -> str:
    return data_of(tmp_path / "turned", ANGLES)


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def judged(turned: str, storage: Path) -> Judged:
    return Judged(turned, storage)


def planned(uri: str, **more):
    data = {"uri": uri, "image": 32, "batch": 4, "replicas": 2, **STILL}
    return plan_of({"system": "regressor", "hyper": {"width": 4, **more.pop("hyper", {})}}, uri, data=data, **more)


def regressor(storage: Path, uri: str, name: str = "toy") -> str:
    """The folder of a sweep that trained a regressor on the data at `uri`."""
    return str(storage / model_of(planned(uri), storage, name))


def test_it_learns_the_angles_that_the_classes_are_named_after(turned):
    plan = planned(turned)
    assert (plan.data.train, plan.data.validation) == ({"b": 20}, {"b": 10})
    assert (plan.objective.metric, plan.objective.mode) == ("eval/angle_error", "min")
    run = plan.run(0, {})
    assert (run.data.classes, run.hyper["degrees"]) == (ANGLES, "-75,000,7.5,120")
    assert planned(turned, hyper={"degrees": "-75.0,0,7.5,120"}).run(0, {}).hyper["degrees"] == "-75.0,0,7.5,120"


def test_it_is_found_with_what_it_knows(turned, storage, judged):
    found = find_task(regressor(storage, turned), str(storage))
    assert (found.classes, found.degrees, found.domain, found.label_map) == (ANGLES, DEGREES, "b", "")
    plan = judged(found.uri, **UNPAIRED, objective={"metric": "eval/angle_spread", "also": ["eval/angle_error"]})
    assert [objective.mode for objective in plan.objectives] == ["min", "min"]
    run = plan.run(0, {})
    assert run.task is not None
    assert (run.task.kind, run.task.degrees, run.task.classes, run.task.width) == ("regressor", DEGREES, 4, 4)
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run
    old = run.to_json()
    del old["task"]["degrees"]
    restored = Run.from_json(old).task
    assert restored is not None and restored.degrees == (), "one of an earlier version reads none"
    network = load_network(run.task)
    assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 2)


def test_classes_that_are_no_numbers_are_told(tmp_path):
    line = told(planned, data_of(tmp_path / "pets", ("000", "cat")))
    assert line == (
        "sweep.yaml: data.uri: pets has the class 'cat', and angles are read by classes that are named after them, such as "
        f"015, 270 or -7.5 in degrees; {MAKES}"
    )


def test_angles_that_are_written_down_are_the_data_s(turned, tmp_path):
    assert told(planned, turned, hyper={"degrees": "0,15"}) == (
        "sweep.yaml: hyper.degrees: turned has other classes; leave it out"
    )
    assert told(planned, data_of(tmp_path / "flat", ("090",))) == (
        "sweep.yaml: hyper.degrees: '090' does not fit: all classes are of one angle, so there is nothing to read"
    )


def test_no_picture_is_mirrored(turned):
    line = told(plan_of, {"system": "regressor"}, turned)
    assert line == (
        "sweep.yaml: data.augment.flip: the mirror image of a picture has another label than the picture, and this system "
        "learns the labels; write data.augment: {flip: false}"
    )


def test_it_knows_no_classes_of_pictures(turned, storage, judged):
    task = regressor(storage, turned)
    assert told(judged, task) == (
        "sweep.yaml: task: it reads angles, and a loss asks for the classes of pictures; name a classifier, or leave it out"
    )
    line = told(judged, task, **UNPAIRED, objective={"metric": "eval/task_accuracy"})
    assert line.startswith(
        "sweep.yaml: objective.metric: eval/task_accuracy needs classes of pictures or of pixels, and the task network has "
        "features, maps of features, angles; has: "
    )
    assert judged(task, **UNPAIRED, objective={"metric": "eval/kid[task]"}).objective.metric == "eval/kid[task]"


def test_a_classifier_reads_no_angles(turned, storage, judged):
    line = told(judged, trained(storage, turned), **UNPAIRED, objective={"metric": "eval/angle_spread"})
    assert line.startswith(
        "sweep.yaml: objective.metric: eval/angle_spread needs angles, and the task network has features, classes of "
        "pictures, maps of features; has: "
    )


def test_the_inputs_alone_judge_nothing(turned, storage, judged):
    line = told(judged, regressor(storage, turned), **UNPAIRED, objective={"metric": "eval/angle_error_input"})
    assert "eval/angle_error_input looks at no translation: every trial would have the same" in line


def test_data_of_other_angles_cannot_be_judged(tmp_path, turned, storage, judged):
    assert told(judged, regressor(storage, turned), data_of(tmp_path / "quarters", ("0", "90")), **UNPAIRED) == (
        "sweep.yaml: task: it knows the classes -75, 000, 7.5, 120, and quarters has 0, 90; "
        "`i2i-cluster task train` makes one that fits"
    )


def test_show_tells_of_angles(run, turned, storage):
    folder = regressor(storage, turned, "angles")
    card = Path(folder, "best/model.json")
    told = json.loads(card.read_text())
    told["evaluation"] = {"eval/angle_error": 12.345}
    card.write_text(json.dumps(told))
    code, out, _ = run("task", "show", "angles", "--storage", storage, "-o", "json")
    assert code == 0
    shown = json.loads(out)
    assert (shown["kind"], shown["labels"], shown["accuracy"]) == ("regressor", None, None)
    assert shown["angle_error"] == 12.345
    code, out, _ = run("task", "show", folder)
    assert code == 0
    assert "4 angles of domain b: -75, 000, 7.5, 120" in out
    assert "12.3 degrees off in its validation pictures, on average, after 10 steps" in out


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--labels", "parts"), "--labels: a regressor reads no label maps; add --kind segmenter"),
        (("--flip",), "--flip: a mirrored picture is turned the other way; leave it out"),
        (("--image", "7"), "--image: the regressor needs an image of at least 8 pixels, not 7; nearest: 8"),
    ],
)
def test_a_wrong_option_of_train_is_told_by_its_name(run, turned, storage, options, line):
    code, out, err = run(
        "task", "train", "--data", turned, "--kind", "regressor", "--batch", 4, "--storage", storage, *options
    )
    assert (code, out, err) == (2, "", f"error: {line}\n")


def test_train_tells_of_classes_that_are_no_numbers(run, tmp_path, storage):
    pets = data_of(tmp_path / "pets", ("cat", "dog"))
    code, out, err = run("task", "train", "--data", pets, "--kind", "regressor", "--batch", 4, "--storage", storage)
    assert (code, out) == (2, "")
    assert err == (
        "error: --data: pets has the class 'cat', and angles are read by classes that are named after them, such as 015, "
        f"270 or -7.5 in degrees; {MAKES}\n"
    )


def test_of_every_kind_it_is_known_what_it_reads():
    assert READS.keys() == KINDS.keys() == {kind.value for kind in Kind} == {kind.value for kind in ABOUT}


def test_a_regressor_has_a_name_of_its_own():
    assert default_name("shards/turned", "b", Kind.regressor) == "task-turned-b-angle"


def test_folders_are_read_by_it(run, turned, storage, tmp_path):
    """`evaluate --task`: the angles in the folder of the inputs, against those that labels.csv tells."""
    regressor(storage, turned)
    pixels = {
        kind: np.random.default_rng(ord(kind[0])).integers(0, 200, (6, 32, 32), np.uint8) for kind in ("real", "fake")
    }
    for kind, pictures in pixels.items():
        (tmp_path / kind).mkdir()
        for i, picture in enumerate(pictures):
            Image.fromarray(picture).save(tmp_path / kind / f"{i}.png")
    folders = ("--real", tmp_path / "real", "--fake", tmp_path / "fake")
    command = ("evaluate", *folders, "--task", "toy", "--storage", storage)
    code, out, _ = run(*command, "-o", "json")
    told = json.loads(out)
    assert code == 0 and not any("angle" in name for name in told["scores"])
    assert told["notes"][-1] == (
        "no labels.csv tells the classes of the pictures, so nobody knows how far the task network is off"
    )
    rows = [f"{i}.png,{ANGLES[i % 4]}" for i in range(5)]
    (tmp_path / "fake" / "labels.csv").write_text("\n".join(["file,class", *rows]) + "\n")
    code, out, _ = run(*command, "-o", "json")
    scores = json.loads(out)["scores"]
    network = load_network(find_task("toy", str(storage)).part)
    said = angles_of(network(torch.from_numpy(pixels["fake"][:5])[:, None].float() / 127.5 - 1.0))
    truth = torch.tensor([DEGREES[i % 4] for i in range(5)], dtype=torch.float64)
    apart = off(said, truth)
    assert scores["angle_error"] == {
        "value": pytest.approx(apart.mean().item(), rel=1e-4),
        "n": 5,
        "spread": pytest.approx(apart.std(correction=0).item(), rel=1e-4),
    }
    assert scores["angle_spread"] == {"value": pytest.approx(spread(said, truth), rel=1e-4), "n": 5, "spread": None}
    assert {"kid[task]", "fid[task]", "style"} <= set(scores)
    assert not {"task_accuracy", "is[task]", "angle_error_input"} & set(scores)
