"""`task success` over real pictures and a model that was made, not trained."""

import csv
import json
import re
import statistics

import numpy as np
import pytest
from PIL import Image

from data_shards.build.folder import build_folder
from orchestrator.task.student import margin
from tests.orchestrator.models import stored
from tests.orchestrator.tasks import TINY, data_of, model_of, plan_of

QUICK = ("--few", 4, "--seeds", 2, "--steps", 40, "--width", 4, "--translated", 30)


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    """Pictures whose stripes lie or stand, which is their class; in domain a they are called by the other's name."""
    root = tmp_path_factory.mktemp("stripes")
    drawn, rows = np.random.default_rng(0), [("file", "class")]
    for domain in "ab":
        (root / domain).mkdir()
        for number in range(120):
            picture = drawn.integers(0, 120, (32, 32))
            lying = (number % 2 == 0) != (domain == "a")
            (picture if lying else picture.T)[drawn.integers(2) :: 2] += 120
            Image.fromarray(picture.astype(np.uint8)).save(root / domain / f"{number}.png")
            rows.append((f"{domain}/{number}.png", str(number % 2)))
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    out = tmp_path_factory.mktemp("shards") / "stripes"
    build_folder(str(out), source=str(root), validation=0.3)
    return str(out)


@pytest.fixture(scope="module")
def storage(tmp_path_factory, stripes):
    """Where a CycleGAN over them has a model."""
    folder = tmp_path_factory.mktemp("runs")
    model_of(plan_of({"system": "cyclegan", "hyper": TINY}, stripes), folder, "striped")
    return folder


def test_it_tells_what_each_kind_reads_and_gains(run, storage):
    code, out, err = run("task", "success", "striped", "--storage", storage, *QUICK, "-o", "json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["few"], told["others"], told["seeds"], told["model"]) == (4, 30, 2, "cyclegan, trial 0")
    alone, as_they_are, translated = told["scores"].values()
    for one in (alone, as_they_are, translated):
        assert one["value"] == statistics.fmean(one["by_seed"]) and min(one["by_seed"]) >= 0
        gains = [mine - other for mine, other in zip(one["by_seed"], alone["by_seed"], strict=True)]
        assert (one["gain"], one["gain_margin"]) == (statistics.fmean(gains), margin(gains))
        assert 20 < one["n"] < 60
    assert alone["value"] > as_they_are["value"], "they have each other's names"
    again = json.loads(run("task", "success", "striped", "--storage", storage, *QUICK, "-o", "json")[1])
    assert again == told
    code, out, _ = run("task", "success", "striped", "--storage", storage, *QUICK)
    assert f"few real, translated beside them  {translated['value']:.3f} ± {translated['margin']:.3f}" in out
    assert any(f"verdict    {verdict}" in out for verdict in ("the translations", "these seeds do not decide it"))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--few", 5000), r"error: --few: the data set has \d+ training pictures of b with a class, not 5,000"),
        (("--data", "nowhere"), "error: --data: .*; say where the pictures are"),
        (("--seeds", 1), "Invalid value for '--seeds': Input should be greater than or equal to 2"),
    ],
)
def test_what_cannot_be_is_refused(run, storage, words, line):
    code, out, err = run("task", "success", "striped", "--storage", storage, *words)
    assert (code, out) == (2, "")
    assert re.search(line, err), err


def test_pictures_without_a_class_are_told(run, tmp_path):
    uri = data_of(tmp_path / "bare", classes=())
    model_of(plan_of({"system": "cyclegan", "hyper": TINY}, uri), tmp_path / "runs", "bare")
    code, _, err = run("task", "success", "bare", "--storage", tmp_path / "runs")
    assert (code, "no train picture of b has a class" in err) == (2, True), err


@pytest.mark.parametrize(
    ("system", "why"), [("dcgan", "makes no pictures out of others"), ("stargan", "changes the class of a picture")]
)
def test_systems_whose_pictures_have_no_class_of_a_source_are_told(run, tmp_path, system, why):
    code, _, err = run("task", "success", stored(tmp_path, system))
    assert (code, why in err) == (2, True), err


def test_an_interval_of_a_mean_covers_it_as_often_as_it_says():
    drawn = np.random.default_rng(0).normal(3.0, 2.0, (4000, 3))
    covered = [abs(row.mean() - 3.0) <= margin(row.tolist()) for row in drawn]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.012)
    assert margin([1.0]) == float("inf")


def test_pictures_of_other_channels_are_refused_before_anything_is_trained(run, storage, tmp_path):
    uri = data_of(tmp_path / "colour", a=3, b=3)
    code, out, err = run("task", "success", "striped", "--storage", storage, "--data", uri, *QUICK)
    line = "--data: domain b has pictures of 3 channels, and the model's are of 1 channel"
    assert (code, out, err) == (2, "", f"error: {line}\n")
