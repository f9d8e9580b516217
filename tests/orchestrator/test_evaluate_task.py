"""`evaluate --task`: what a trained network reads in pictures of folders, held against the classes that a labels.csv tells."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cluster.task import load_network
from orchestrator.task.task import find_task
from tests.orchestrator.tasks import DIGITS, data_of, trained
from tests.trainers.judging import Tiny, as_file

COUNT, RIGHT, SIDE = 12, 9, 32


def pixels_of(kind: str, index: int) -> np.ndarray:
    return np.random.default_rng([ord(kind[0]), index]).integers(0, 200, (SIDE, SIDE), np.uint8)


@pytest.fixture
def place(tmp_path):
    """Folders real, fake and data/input of grey pictures, and a task network in `runs`, of the name toy."""
    for folder in (tmp_path / "real", tmp_path / "fake", tmp_path / "data" / "input"):
        folder.mkdir(parents=True)
        for i in range(COUNT):
            Image.fromarray(pixels_of(folder.name, i)).save(folder / f"{i:02d}.png")
    trained(tmp_path / "runs", data_of(tmp_path / "shards"))
    return tmp_path


def command(place: Path, *more: str, task: str = "toy") -> tuple[str, ...]:
    folders = ("--real", str(place / "real"), "--fake", str(place / "fake"))
    return ("evaluate", *folders, "--task", task, "--storage", str(place / "runs"), *more)


def asked(run, place: Path, *more: str, task: str = "toy") -> tuple[dict[str, dict[str, float]], list[str]]:
    code, out, err = run(*command(place, *more, task=task), "-o", "json")
    assert code == 0, err
    told = json.loads(out)
    return told["scores"], told["notes"]


def read(place: Path, kind: str) -> list[str]:
    """What the network takes each picture of a kind for."""
    network = load_network(find_task("toy", str(place / "runs")).part)
    pictures = torch.from_numpy(np.stack([pixels_of(kind, i) for i in range(COUNT)]))[:, None]
    return [DIGITS[code] for code in network(pictures.float() / 127.5 - 1.0).argmax(1).tolist()]


def write_labels(table: Path, prefix: str, classes: list[str]) -> None:
    rows = [f"{prefix}{i:02d}.png,{cls}" for i, cls in enumerate(classes)]
    table.write_text("\n".join(["file,class", *rows]) + "\n")


def another(cls: str) -> str:
    return DIGITS[(DIGITS.index(cls) + 1) % len(DIGITS)]


def test_it_says_how_many_translations_are_taken_for_what_they_were_made_of(run, place):
    as_read = read(place, "fake")
    classes = [*as_read[:RIGHT], *map(another, as_read[RIGHT:])]
    write_labels(place / "data" / "labels.csv", "input/", classes)
    scores, notes = asked(run, place, "--inputs", str(place / "data" / "input"))
    assert scores["task_accuracy"] == {"value": RIGHT / COUNT, "n": COUNT, "spread": pytest.approx(0.4330127)}
    untouched = sum(mine == cls for mine, cls in zip(read(place, "input"), classes, strict=True)) / COUNT
    assert scores["task_accuracy_input"]["value"] == untouched
    assert {"kid[task]", "fid[task]", "is[task]", "content", "style", "cosine", "separation"} <= set(scores)
    assert notes[-1] == "every picture was read as grey, as the task network reads it"


def test_a_class_that_is_not_told_counts_as_nothing(run, place):
    write_labels(place / "fake" / "labels.csv", "", read(place, "fake")[:5])
    scores, notes = asked(run, place)
    assert (scores["task_accuracy"]["value"], scores["task_accuracy"]["n"]) == (1.0, 5)
    assert notes[-1] == f"7 of {COUNT} pictures have no class in {place}/fake/labels.csv"


def test_without_classes_it_compares_what_it_sees(run, place):
    scores, notes = asked(run, place, "--size", "16")
    assert "kid[task]" in scores and "task_accuracy" not in scores
    assert notes[-3:] == [
        "the task network was trained at 32 x 32 pixels, and judges pictures of 16 x 16",
        "every picture was read as grey, as the task network reads it",
        "no labels.csv tells the classes of the pictures, so nobody knows how many the task network reads right",
    ]


def test_folders_have_the_distance_that_a_training_would_tell(run, place):
    """The features of the same network, of the same pictures, by scipy."""
    from scipy.linalg import sqrtm

    network: Any = load_network(find_task("toy", str(place / "runs")).part)
    means, spreads = [], []
    for kind in ("fake", "real"):
        pictures = torch.from_numpy(np.stack([pixels_of(kind, i) for i in range(COUNT)]))[:, None]
        features = network.features(pictures.float() / 127.5 - 1.0).double().numpy()
        means.append(features.mean(0))
        spreads.append(np.cov(features, rowvar=False))
    product = sqrtm(spreads[0] @ spreads[1]).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(spreads[0] + spreads[1] - 2.0 * product)
    assert asked(run, place)[0]["fid[task]"]["value"] == pytest.approx(expected, rel=1e-3)


def wrong(run, *arguments: str) -> str:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    return str(err).strip().removeprefix("error: ")


def test_a_task_that_is_wrong(run, place):
    told = wrong(run, *command(place, task="toi"))
    assert told.startswith("--task: ") and "nearest: toy" in told
    write_labels(place / "fake" / "labels.csv", "", ["8", "eigth"])
    assert wrong(run, *command(place)) == (
        f"--task: {place}/fake/labels.csv says that 01 is of class eigth, which the task network does not know; "
        "has: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    )
    write_labels(place / "fake" / "labels.csv", "x", ["8"])
    assert wrong(run, *command(place)).startswith(
        f"--task: {place}/fake/labels.csv, line 2: x00.png is not a picture here"
    )
    (place / "tiny.pt").write_bytes(as_file(Tiny()))
    assert wrong(run, *command(place, "--features", f"task={place}/tiny.pt,range=0:1")) == (
        "--features: task is what scores in the task network are called by; name this one otherwise"
    )


@pytest.mark.parametrize("where", [".", "link", "beside"])
def test_the_table_is_found_wherever_one_stands(run, place, monkeypatch, where):
    """In the folder of the inputs itself, by a link to it, and beside a link to the pictures."""
    write_labels(place / "data" / "labels.csv", "input/", read(place, "fake"))
    (place / "link").symlink_to(place / "data" / "input")
    inputs = Path(where)
    if where == "beside":
        (place / "data" / "labels.csv").rename(place / "labels.csv")
        (place / "input").symlink_to(place / "data" / "input")
        inputs = Path("input")
    monkeypatch.chdir(place / "data" / "input" if where == "." else place)
    scores, _ = asked(run, place, "--inputs", str(inputs))
    assert (scores["task_accuracy"]["value"], scores["task_accuracy"]["n"]) == (1.0, COUNT)


def test_pictures_that_were_left_out_are_not_missed_in_the_table(run, place):
    write_labels(place / "fake" / "labels.csv", "", read(place, "fake")[:5])
    whole = (place / "fake" / "11.png").read_bytes()
    (place / "fake" / "11.png").write_bytes(whole[: len(whole) // 2])
    assert asked(run, place)[1][-1] == f"6 of {COUNT - 1} pictures have no class in {place}/fake/labels.csv"


def test_a_table_that_may_not_be_read_is_told_with_its_option(run, place, monkeypatch):
    def forbidden(root: Path, files: object) -> None:
        raise PermissionError(13, "Permission denied")

    write_labels(place / "fake" / "labels.csv", "", ["8"])
    monkeypatch.setattr("orchestrator.evaluate.judge.read_labels", forbidden)
    assert wrong(run, *command(place)) == (
        f"--task: {place}/fake/labels.csv cannot be read: permission denied; allow it, or take it away"
    )
