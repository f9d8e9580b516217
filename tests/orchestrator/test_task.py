"""A task network in a sweep file: how it is found, what it must fit, and that the weights count, wherever they lie."""

import json
import shutil
from pathlib import Path

import pytest

from cluster.run import Run
from orchestrator.errors import Refusal
from orchestrator.task.task import find_task
from tests.orchestrator.tasks import DIGITS, TINY, Judged, data_of, flip, model_of, plan_of, told, trained


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


def test_it_is_found_by_whatever_a_person_calls_it(digits, storage, judged):
    folder = trained(storage, digits, "my-task")
    names = (folder, "my-task", Path(folder).name, f"{folder}/best")
    found = [find_task(name, str(storage)) for name in names]
    assert all(one == found[0] for one in found)
    assert (found[0].classes, found[0].domain, found[0].shape, found[0].width) == (DIGITS, "b", (1, 32, 32), 4)
    assert (found[0].accuracy, found[0].uri) == (0.75, f"{folder}/best")
    assert len({judged(name).id for name in names}) == 1


def test_its_weights_count_and_not_where_they_lie(digits, storage, judged, tmp_path):
    folder = trained(storage, digits)
    copied = shutil.copytree(f"{folder}/best", tmp_path / "elsewhere")
    assert judged(folder).id == judged(str(copied)).id
    assert judged(folder).identity["task"] == f"model {find_task(folder, '').sha256}"
    assert judged(None).id != judged(folder).id != judged(trained(storage, digits, seed=1)).id


def test_a_sweep_without_one_keeps_its_identity(judged):
    assert "task" not in judged(None).identity


def test_a_run_with_one_survives_json_and_one_of_earlier_versions_has_none(digits, storage, judged):
    run = judged(trained(storage, digits)).run(0, {})
    assert run.task is not None
    assert (run.task.kind, run.task.domain, run.task.channels, run.task.classes, run.task.width) == (
        "classifier", "b", 1, 10, 4,
    )  # fmt: skip
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run
    old = run.to_json()
    del old["task"], old["data"]["classes"]
    assert Run.from_json(old).task is None


@pytest.mark.parametrize("domain", ["a", "b"])
def test_a_classifier_reads_its_own_domain(digits, domain):
    plan = plan_of({"system": "classifier", "hyper": {"domain": domain}}, digits)
    assert (plan.data.train, plan.data.validation) == ({domain: 20}, {domain: 10})
    assert (plan.objective.metric, plan.objective.mode) == ("eval/accuracy", "max")
    assert plan.run(0, {}).data.classes == DIGITS
    assert plan.run(0, {}).hyper["classes"] == 10


def test_the_domain_cannot_be_searched(digits):
    search, objective = {"hyper.domain": {"choice": ["a", "b"]}}, {"metric": "eval/accuracy"}
    line = told(plan_of, {"system": "classifier", "search": search, "trials": 2, "objective": objective}, digits)
    assert line == (
        "sweep.yaml: search.hyper.domain: hyper.domain is the same in all trials and cannot be searched; "
        "make a sweep for each value"
    )


def test_the_number_of_classes_is_the_data_s(digits, tmp_path):
    line = told(plan_of, {"system": "classifier", "hyper": {"classes": 9}}, digits)
    assert line == "sweep.yaml: hyper.classes: digits has 10 classes, not 9; leave it out"
    one = data_of(tmp_path / "same", ("x",))
    assert told(plan_of, {"system": "classifier"}, one) == (
        "sweep.yaml: hyper.classes: 1 does not fit: there is nothing to tell apart; nearest: 2"
    )


def test_pictures_without_a_class_cannot_be_learned_from(tmp_path):
    assert told(plan_of, {"system": "classifier"}, data_of(tmp_path / "plain", ())) == (
        "sweep.yaml: data.uri: classifier reads the classes of domain b, and 20 of its 20 training pictures in plain have "
        "none; make the data set again with a class for each"
    )


def test_a_task_head_with_wrong_classes(storage, judged, tmp_path):
    animals = trained(storage, data_of(tmp_path / "animals", ("cat", "dog")))
    assert told(judged, animals) == (
        "sweep.yaml: task: it knows the classes cat, dog, and digits has 0, 1, 2, 3, ... (10 in all); "
        "`i2i-cluster task train` makes one that fits"
    )
    line = told(judged, animals, data_of(tmp_path / "plain", ()), system="cyclegan", hyper={})
    assert line.startswith("sweep.yaml: task: it knows the classes cat, dog, and plain has none that are known; ")


def test_a_task_head_for_other_channels(storage, judged, tmp_path):
    colour = trained(storage, data_of(tmp_path / "colour", a=3, b=3))
    assert told(judged, colour) == (
        "sweep.yaml: task: it knows pictures of 3 channels, and domain b of digits has 1 channel"
    )


def test_the_domain_that_it_judges_is_its_own(digits, storage, judged, tmp_path):
    mixed = data_of(tmp_path / "mixed", a=3, b=1)
    plan = judged(trained(storage, digits), mixed, system="cyclegan", hyper={"identity": False})
    assert plan.task is not None and plan.task.domain == "b"
    line = told(judged, trained(storage, digits, domain="a"), mixed, system="cyclegan", hyper={"identity": False})
    assert line == "sweep.yaml: task: it knows pictures of 1 channel, and domain a of mixed has 3 channels"


def test_a_model_that_is_no_task_network(digits, storage, judged):
    other = model_of(plan_of({"system": "cyclegan", "hyper": TINY}, digits), storage)
    assert told(judged, other) == (
        f"sweep.yaml: task: {other} is a cyclegan, which is no task network; `i2i-cluster task train` makes one"
    )


def test_none_at_all_where_it_is_looked_for(storage, judged):
    advice = "name its folder; `i2i-cluster task train` makes one"
    assert told(judged, "reader") == f"sweep.yaml: task: no sweep 'reader': {storage} holds none; {advice}"


def test_none_where_it_is_looked_for(storage, judged, digits):
    trained(storage, digits, "task-digits-b")
    line = told(judged, "task-digit-b")
    assert line == f"sweep.yaml: task: no sweep 'task-digit-b' in {storage}; nearest: task-digits-b; has: task-digits-b"


def test_it_is_told_together_with_other_mistakes(judged):
    with pytest.raises(Refusal) as caught:
        judged("nowhere", weights={"simm": 1})
    assert [line.split(": ")[1] for line in caught.value.lines()] == ["weights.simm", "task"]


def test_a_training_that_has_stored_nothing_yet(digits, storage, judged):
    folder = Path(trained(storage, digits))
    shutil.rmtree(folder / "best")
    assert told(judged, str(folder)) == (
        "sweep.yaml: task: this sweep has no model yet: it is stored when the sweep ends"
    )


def test_a_damaged_one(digits, storage, judged):
    folder = Path(trained(storage, digits))
    flip(folder / "best" / "model.safetensors")
    line = told(judged, str(folder))
    assert line == (
        f"sweep.yaml: task: {folder.name}/best/model.safetensors is damaged; delete {folder.name}/best and submit again to "
        "store the model anew"
    )


def test_a_frozen_task_network_must_have_been_trained(judged, digits, storage):
    problem = "balanced asks a trained task network under these hyper settings; `i2i-cluster task train` makes one"
    assert told(judged, None, hyper={"task_net": "frozen"}) == f"sweep.yaml: task: {problem}"
    searched = {"search": {"hyper.task_net": {"choice": ["joint", "frozen"]}}, "trials": 4, "seed": 1}
    line = told(judged, None, objective={"metric": "loss/adv_ab"}, **searched)
    assert line == f"sweep.yaml: task: with hyper.task_net frozen, {problem}"
    assert judged(trained(storage, digits), hyper={"task_net": "frozen"}).preset.hyper["task_width"] == 4


def test_the_width_is_the_task_network_s(judged, digits, storage):
    folder = trained(storage, digits)
    assert judged(folder, hyper={"task_width": 4}).task is not None
    assert told(judged, folder, hyper={"task_width": 8}) == (
        "sweep.yaml: hyper.task_width: the task network has a width of 4, not 8; leave it out"
    )
    assert judged(None, hyper={"task_width": 8}).preset.hyper["task_width"] == 8


def test_other_sizes_are_noted(judged, digits, storage):
    folder = trained(storage, digits)
    larger = judged(folder, data={"uri": digits, "image": 64, "batch": 4})
    assert "the task network was trained at 32 x 32 pixels, and judges pictures of 64 x 64" in larger.notes
    assert not any("task network" in note for note in judged(folder).notes)


def test_classes_with_hardly_a_picture_each_are_told_of(tmp_path):
    many = tuple(f"c{number:02d}" for number in range(11))
    for classes, said in ((many, True), (many[:10], False)):
        plan = plan_of({"system": "classifier", "hyper": {"width": 4}}, data_of(tmp_path / str(len(classes)), classes))
        note = "domain b has 20 training pictures of 11 classes, fewer than 2 of each on average"
        assert any(one.startswith(note) for one in plan.notes) == said
