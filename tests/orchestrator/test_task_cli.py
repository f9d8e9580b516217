"""`task train` and `task show`: what they are told, what they tell."""

import json
from pathlib import Path

import pytest

from orchestrator.errors import Refusal
from orchestrator.task.cli import default_name, in_options
from tests.orchestrator.tasks import DIGITS, data_of, trained


@pytest.fixture
def digits(tmp_path: Path) -> str:
    return data_of(tmp_path / "digits")


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def test_show_tells_what_it_knows(run, digits, storage):
    folder = trained(storage, digits, "my-task")
    code, out, _ = run("task", "show", "my-task", "--storage", storage, "-o", "json")
    assert code == 0
    shown = json.loads(out)
    assert (shown["task"], shown["kind"], shown["domain"], shown["accuracy"]) == (
        f"{folder}/best", "classifier", "b", 0.75,
    )  # fmt: skip
    assert (shown["classes"], shown["shape"], len(shown["sha256"])) == (list(DIGITS), [1, 32, 32], 64)
    code, out, _ = run("task", "show", folder)
    assert code == 0
    assert "10 classes of domain b: 0, 1, 2" in out
    assert "32 x 32 pixels, 1 channel, of " in out
    assert "75.0% of its validation pictures are right, after 10 steps" in out
    assert out.endswith(f"\ntask: {folder}/best\n")


def test_show_of_what_is_not_there(run, storage):
    code, out, err = run("task", "show", "mine", "--storage", storage)
    assert (code, out) == (2, "")
    assert err == f"error: TASK: no sweep 'mine': {storage} holds none; say where to look with --storage\n"


def test_a_classifier_translates_nothing(run, digits, storage, tmp_path):
    folder = trained(storage, digits)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.png").write_bytes(b"")
    code, _, err = run("translate", folder, tmp_path / "in", tmp_path / "out")
    assert code == 2
    assert err == ("error: SWEEP: classifier makes no pictures out of others, so there is nothing to translate with\n")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--domain", "c"), "--domain: cannot be 'c'; has: a, b"),
        (("--batch", "6"), "--batch: a batch of 6 cannot be shared by 4 replicas; nearest: 4 or 8"),
        (("--workers", "3"), "--workers: must be a power of two, not 3; nearest: 2 or 4"),
        (("--workers", "100"), "--workers: must be a power of two, not 100; nearest: 64 or 128"),
        (("--batch", "2"), "--batch: a batch of 2 cannot be shared by 4 replicas; nearest: 4"),
        (("--image", "7"), "--image: the classifier needs an image of at least 8 pixels, not 7; nearest: 8"),
        (("--steps", "2x"), "--steps: must be a whole number of at least 1 (such as 20_000 or 20k), not '2x'"),
        (("--width", "0"), "--width: must be at least 1, not 0"),
        (("--name", "my task"), "--name: must be letters, digits, dots and dashes, at most 63, not 'my task'"),
        (("--batch", "40"), "--batch: a batch of 40 is more than the 20 training samples of b in digits; "),
    ],
)
def test_a_wrong_option_of_train_is_told_by_its_name(run, digits, storage, options, line):
    code, out, err = run("task", "train", "--data", digits, "--batch", 4, "--storage", storage, *options)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {line}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("shards/digits", "task-digits-b"),
        ("my pictures/", "task-my-pictures-b"),
        ("s3://bucket/a/emoji?region=us-east-1", "task-emoji-b"),
        ("s3://bucket", "task-bucket-b"),
    ],
)
def test_the_name_is_the_data_set_s(data, name):
    assert default_name(data, "b") == name


def test_every_refusal_of_several_is_in_options():
    refusal = Refusal(
        "one", file="x", path="data.uri", also=[Refusal("two", path="every.report"), Refusal("3", path="y")]
    )
    assert in_options(refusal).lines() == ["--data: one", "--steps: two", "y: 3"]


@pytest.mark.parametrize(
    ("path", "problem", "line"),
    [
        (
            "resources.cpus_per_worker",
            "64 x 1 CPUs are more than this machine's 2; lower resources.workers, or cpus_per_worker to 0.031",
            "--workers: 64 x 1 CPUs are more than this machine's 2; give fewer",
        ),
        (
            "resources.workers",
            "8 workers cannot share 4 replicas; at most 4, or data.replicas: 8",
            "--workers: 8 workers cannot share 4 replicas; at most 4, or --workers: 8",
        ),
        (
            "data.batch",
            "a batch of 40 is more than the 20 training samples of b in x; give a batch of at most 20, or data.limit.b: 20 to",
            "--batch: a batch of 40 is more than the 20 training samples of b in x; give a batch of at most 20",
        ),
    ],
)
def test_the_text_of_a_refusal_names_options_too(path, problem, line):
    assert str(in_options(Refusal(problem, path=path))) == line
