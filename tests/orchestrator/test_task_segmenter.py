"""A segmenter as a task network: what it needs of the data it learns from, and of those that it is to judge."""

import json
from pathlib import Path

import pytest
from PIL import Image

from cluster.run import Run
from data_shards.manifest import FILE, Head, Row, manifest_bytes
from orchestrator.task.cli import Kind, default_name
from orchestrator.task.task import find_task
from tests.orchestrator.tasks import Judged, data_of, model_of, plan_of, told, trained

PARTS = ("background", "line", "skin", "hair", "colour")
SPLITS = (("train", range(20)), ("validation", range(20, 30)))


def maps_of(
    folder: Path,
    parts: tuple[str, ...] = PARTS,
    maps: str = "labels",
    without: tuple[int, ...] = (),
    inputs: bool = True,
    channels: int = 3,
) -> str:
    """A data set of 20 + 10 pairs with their label maps in the domain `maps`, by its manifest alone.

    without: numbers that have no label map. inputs: whether pictures of a have the keys of those of b, and so their maps.
    """
    folder.mkdir(parents=True)
    rows = [
        Row("0.tar", 0, 9, f"{'' if inputs or domain != 'a' else 'a'}{i}", domain, None, None, split, 0)
        for domain in ("a", "b", maps)
        for split, numbers in SPLITS
        for i in numbers
        if domain != maps or i not in without
    ]
    shapes = {"a": (channels, 32, 32), "b": (channels, 32, 32), maps: (1, 32, 32)}
    head = Head(folder.name, shapes, {}, (), {}, labels={maps: parts})
    (folder / FILE).write_bytes(manifest_bytes(head, rows))
    return str(folder)


@pytest.fixture
def emoji(tmp_path: Path) -> str:
    return maps_of(tmp_path / "emoji")


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def judged(emoji: str, storage: Path) -> Judged:
    return Judged(emoji, storage)


def segmenter(storage: Path, uri: str, name: str = "toy", **hyper: object) -> str:
    """The folder of a sweep that trained a segmenter on the data at `uri`."""
    plan = plan_of({"system": "segmenter", "hyper": {"width": 4, **hyper}}, uri)
    return str(storage / model_of(plan, storage, name))


UNPAIRED = {"system": "cyclegan"}


def test_it_learns_the_classes_of_the_label_maps(emoji):
    plan = plan_of({"system": "segmenter"}, emoji)
    assert (plan.data.train, plan.data.validation) == ({"blabels": 20}, {"b": 10, "labels": 10})
    assert (plan.objective.metric, plan.objective.mode) == ("eval/accuracy", "max")
    run = plan.run(0, {})
    assert (run.data.classes, run.hyper["classes"]) == (PARTS, 5)
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run
    better = plan_of({"system": "segmenter", "objective": {"metric": "eval/miou"}}, emoji)
    assert (better.objective.metric, better.objective.mode) == ("eval/miou", "max")


def test_it_is_found_with_what_it_knows(emoji, storage, judged):
    found = find_task(segmenter(storage, emoji), str(storage))
    assert (found.classes, found.domain, found.label_map, found.shape) == (PARTS, "b", "labels", (3, 32, 32))
    plan = judged(found.uri, **UNPAIRED, objective={"metric": "eval/task_accuracy"})
    run = plan.run(0, {})
    assert run.task is not None
    assert (run.task.kind, run.task.label_map, run.task.classes, run.task.width) == ("segmenter", "labels", 5, 4)
    assert plan.identity["task"] == f"model {found.sha256}"
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run
    old = run.to_json()
    del old["task"]["label_map"]
    restored = Run.from_json(old).task
    assert restored is not None and restored.label_map == "", "one of an earlier version tells pictures apart"


def test_data_without_label_maps_cannot_be_learned_from(tmp_path, emoji):
    makes = "`i2i-cluster shards build openmoji OUT --labels` makes a data set that has them"
    assert told(plan_of, {"system": "segmenter"}, data_of(tmp_path / "digits")) == (
        f"sweep.yaml: data.uri: segmenter reads label maps, and digits has none; {makes}"
    )
    assert told(plan_of, {"system": "segmenter", "hyper": {"label_map": "a"}}, emoji) == (
        "sweep.yaml: data.uri: segmenter reads label maps of domain a, and those of emoji are in another one; has: labels"
    )


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (3, "1 of the 20 training pictures of b in part have no other side, such as '3'"),
        (23, "1 of the 10 validation pictures of b in part have no other side, such as '23'"),
    ],
)
def test_every_picture_that_it_learns_from_or_is_measured_by_has_a_map(tmp_path, number, line):
    part = maps_of(tmp_path / "part", without=(number,))
    assert told(plan_of, {"system": "segmenter"}, part) == (
        f"sweep.yaml: data.uri: segmenter joins b and labels by key, and {line}; make the data set again from pairs alone"
    )


def test_the_number_of_classes_is_the_label_maps(tmp_path, emoji):
    assert told(plan_of, {"system": "segmenter", "hyper": {"classes": 4}}, emoji) == (
        "sweep.yaml: hyper.classes: emoji has 5 classes, not 4; leave it out"
    )
    assert told(plan_of, {"system": "segmenter"}, maps_of(tmp_path / "flat", ("all",))) == (
        "sweep.yaml: hyper.classes: 1 does not fit: there is nothing to tell apart; nearest: 2"
    )


def test_where_its_label_maps_lie_cannot_be_searched(emoji):
    search, objective = {"hyper.label_map": {"choice": ["labels", "parts"]}}, {"metric": "eval/accuracy"}
    values = {"system": "segmenter", "search": search, "trials": 2, "objective": objective}
    assert told(plan_of, values, emoji) == (
        "sweep.yaml: search.hyper.label_map: hyper.label_map is the same in all trials and cannot be searched; "
        "make a sweep for each value"
    )


def test_shards_without_a_manifest_do_not_say_what_levels_mean(tmp_path):
    data = {"uri": str(tmp_path), "image": 32, "batch": 4, "mode": "stream"}
    assert told(plan_of, {"system": "segmenter"}, "", data=data) == (
        "sweep.yaml: data.mode: segmenter reads the meaning of label maps, which only a manifest knows; nearest: indexed"
    )


def test_data_without_label_maps_cannot_be_judged(tmp_path, emoji, storage, judged):
    task = segmenter(storage, emoji)
    assert told(judged, task, data_of(tmp_path / "digits", a=3, b=3), **UNPAIRED) == (
        "sweep.yaml: task: it is held against label maps of domain labels, and digits has none; "
        "`i2i-cluster shards build openmoji OUT --labels` makes a data set that has them"
    )
    assert told(judged, task, maps_of(tmp_path / "other", maps="parts"), **UNPAIRED) == (
        "sweep.yaml: task: it is held against label maps of domain labels, and other has its label maps in parts"
    )


def test_label_maps_of_other_classes_cannot_be_judged(tmp_path, emoji, storage, judged):
    task = segmenter(storage, emoji)
    assert told(judged, task, maps_of(tmp_path / "sea", ("sky", "sea")), **UNPAIRED) == (
        "sweep.yaml: task: it knows the classes background, line, skin, hair, ... (5 in all), and sea has sky, sea; "
        "`i2i-cluster task train` makes one that fits"
    )


def test_pictures_of_another_size_cannot_be_judged(emoji, storage, judged):
    data = {"uri": emoji, "image": 64, "batch": 4}
    assert told(judged, segmenter(storage, emoji), data=data, **UNPAIRED) == (
        "sweep.yaml: task: it reads the pixels of pictures of 32 x 32, not of 64 x 64; "
        "`i2i-cluster task train` makes one that fits"
    )


def test_pictures_of_other_channels_cannot_be_judged(tmp_path, emoji, storage, judged):
    assert told(judged, segmenter(storage, emoji), maps_of(tmp_path / "grey", channels=1), **UNPAIRED) == (
        "sweep.yaml: task: it knows pictures of 3 channels, and domain b of grey has 1 channel"
    )


def test_a_loss_cannot_ask_it_for_the_class_of_a_picture(tmp_path, emoji, storage, judged):
    assert told(judged, segmenter(storage, emoji), data_of(tmp_path / "digits", a=3, b=3)) == (
        "sweep.yaml: task: it tells the classes of pixels, and a loss asks for those of pictures; "
        "name a classifier, or leave it out"
    )


def test_inputs_without_label_maps_leave_its_features(tmp_path, emoji, storage, judged):
    task, apart = segmenter(storage, emoji), maps_of(tmp_path / "apart", inputs=False)
    line = told(judged, task, apart, **UNPAIRED, objective={"metric": "eval/task_accuracy"})
    assert line.startswith(
        "sweep.yaml: objective.metric: eval/task_accuracy needs label maps of the validation pictures of domain a, and "
        "apart has none; has: "
    )
    plan = judged(task, apart, **UNPAIRED, objective={"metric": "eval/kid[task]"})
    assert plan.objective.metric == "eval/kid[task]"


def test_classes_of_pictures_are_not_those_of_their_pixels(tmp_path, emoji, storage, judged):
    digits = trained(storage, data_of(tmp_path / "digits", a=3, b=3), "digits")
    line = told(judged, digits, **UNPAIRED)
    assert line == (
        "sweep.yaml: task: it knows the classes 0, 1, 2, 3, ... (10 in all), and emoji has none that are known; "
        "`i2i-cluster task train` makes one that fits"
    )


def test_show_tells_of_pixels(run, emoji, storage):
    folder = segmenter(storage, emoji, "pixels")
    code, out, _ = run("task", "show", "pixels", "--storage", storage, "-o", "json")
    assert code == 0
    shown = json.loads(out)
    assert (shown["kind"], shown["labels"], shown["accuracy"], shown["miou"]) == ("segmenter", "labels", 0.75, None)
    code, out, _ = run("task", "show", folder)
    assert code == 0
    assert "5 classes of the pixels of domain b: background, line, skin, hair, colour" in out
    assert "75.0% of the pixels of its validation pictures are right, after 10 steps" in out
    card = Path(folder, "best/model.json")
    told = json.loads(card.read_text())
    told["evaluation"]["eval/miou"] = 0.4567
    card.write_text(json.dumps(told))
    assert "right, mean IoU 0.457, after 10 steps" in run("task", "show", folder)[1]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--labels", "parts"), "--labels: a classifier reads no label maps; add --kind segmenter"),
        (
            ("--kind", "segmenter", "--labels", "parts"),
            "--data: segmenter reads label maps of domain parts, and those of emoji are in another one; has: labels",
        ),
        (
            ("--kind", "segmenter", "--image", "3"),
            "--image: the segmenter needs an image of at least 4 pixels, not 3; nearest: 4",
        ),
    ],
)
def test_a_wrong_option_of_train_is_told_by_its_name(run, emoji, storage, options, line):
    code, out, err = run("task", "train", "--data", emoji, "--batch", 4, "--storage", storage, *options)
    assert (code, out, err) == (2, "", f"error: {line}\n")


def test_a_segmenter_has_a_name_of_its_own():
    assert default_name("shards/emoji", "b", Kind.segmenter) == "task-emoji-b-pixels"


def test_folders_are_compared_in_its_features(run, emoji, storage, tmp_path):
    segmenter(storage, emoji)
    for kind, grey in (("real", 90), ("fake", 160)):
        (tmp_path / kind).mkdir()
        for i in range(3):
            Image.new("RGB", (32, 32), (grey, 9 * i, 0)).save(tmp_path / kind / f"{i}.png")
    folders = ("--real", tmp_path / "real", "--fake", tmp_path / "fake")
    code, out, err = run("evaluate", *folders, "--task", "toy", "--storage", storage, "-o", "json")
    assert code == 0, err
    assert "kid[task]" in out and "task_accuracy" not in out
    assert "the task network tells pixels apart: --labels DIR holds what it reads against label maps" in out
