"""`evaluate --task --labels`: what a segmenter reads in pictures of folders, held against label maps of the same names."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import confusion_matrix

from cluster.task import load_network
from orchestrator.task.task import find_task
from tests.orchestrator.tasks import data_of, trained
from tests.orchestrator.test_task_segmenter import PARTS, maps_of, segmenter

COUNT, SIDE = 6, 32
CLASSES = len(PARTS)
LEVELS = np.array([round(255 * i / (CLASSES - 1)) for i in range(CLASSES)], np.uint8)


def noise(kind: str, index: int) -> np.ndarray:
    return np.random.default_rng([ord(kind[0]), index]).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def truth(index: int) -> np.ndarray:
    """Classes of pixels, in squares."""
    squares: np.ndarray = np.random.default_rng([9, index]).integers(0, CLASSES, (SIDE // 8, SIDE // 8))
    return squares.repeat(8, 0).repeat(8, 1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Folders real, fake and input of pictures, maps of label maps, and in `runs` a segmenter of the name toy."""
    for folder in ("real", "fake", "input", "maps", "runs"):
        (tmp_path / folder).mkdir()
    for i in range(COUNT):
        for kind in ("real", "fake", "input"):
            Image.fromarray(noise(kind, i)).save(tmp_path / kind / f"{i}.png")
        Image.fromarray(LEVELS[truth(i)]).save(tmp_path / "maps" / f"{i}.png")
    segmenter(tmp_path / "runs", maps_of(tmp_path / "emoji"))
    return tmp_path


def asked(run, place: Path, *more: object):
    folders = ("--real", place / "real", "--fake", place / "fake", "--labels", place / "maps")
    return run("evaluate", *folders, "--task", "toy", "--storage", place / "runs", *more)


def read(place: Path, kind: str) -> np.ndarray:
    """What the segmenter takes every pixel of a kind's pictures for."""
    network = load_network(find_task("toy", str(place / "runs")).part)
    pictures = torch.from_numpy(np.stack([noise(kind, i) for i in range(COUNT)])).permute(0, 3, 1, 2)
    found: np.ndarray = network(pictures.float() / 127.5 - 1.0).argmax(1).numpy()
    return found


def test_its_scores_are_those_of_the_confusion_matrix(run, place):
    code, out, err = asked(run, place, "--inputs", place / "input", "-o", "json")
    assert code == 0, err
    told = json.loads(out)
    scores = {name: found["value"] for name, found in told["scores"].items()}
    maps, made = np.stack([truth(i) for i in range(COUNT)]), read(place, "fake")
    matrix = confusion_matrix(maps.ravel(), made.ravel(), labels=range(CLASSES)).astype(float)
    right, there, seen = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    either = there + seen - right
    assert scores["pixel_accuracy"] == pytest.approx(right.sum() / matrix.sum())
    assert scores["class_accuracy"] == pytest.approx((right / there)[there > 0].mean())
    assert scores["class_iou"] == pytest.approx((right / either)[either > 0].mean())
    assert told["scores"]["task_accuracy"]["n"] == COUNT
    assert scores["task_accuracy"] == pytest.approx((made == maps).mean())
    assert scores["task_accuracy_input"] == pytest.approx((read(place, "input") == maps).mean())
    assert {"kid[task]", "fid[task]"} <= scores.keys()
    assert not any("label map" in note for note in told["notes"])


def test_maps_are_brought_to_a_size_without_a_level_between(run, place):
    code, out, err = asked(run, place, "--size", "16", "-o", "json")
    assert code == 0, err
    told = json.loads(out)
    assert told["left_out"] == {} and told["scores"]["pixel_accuracy"]["n"] == COUNT


def test_a_map_that_is_none_is_left_out_with_its_picture(run, place):
    Image.fromarray(noise("maps", 0)).save(place / "maps" / "0.png")
    Image.fromarray(np.full((SIDE, SIDE), 77, np.uint8)).save(place / "maps" / "1.png")
    code, out, _ = asked(run, place, "-o", "json")
    assert code == 0
    told = json.loads(out)
    assert told["left_out"] == {
        str(place / "maps" / "0.png"): "is no label map: those are grey, of 8 bits, and this is RGB",
        str(
            place / "maps" / "1.png"
        ): f"has the level 77, which is none of {CLASSES} classes: was it scaled or saved as JPEG?",
    }
    assert told["scores"]["pixel_accuracy"]["n"] == COUNT - 2


def test_mistakes_are_a_line(run, place):
    (place / "maps" / "3.png").rename(place / "maps" / "33.png")
    code, _, err = asked(run, place)
    assert code == 2
    assert err == "error: --fake: 1 of 6 pictures have no partner of their name in --labels: 3 (nearest: 33)\n"
    folders = ("--real", place / "real", "--fake", place / "fake", "--labels", place / "maps")
    code, _, err = run("evaluate", *folders, "--paired")
    assert code == 2
    assert err == "error: --labels: label maps are held against what a task network reads; give --task TASK too\n"
    (place / "maps" / "33.png").rename(place / "maps" / "3.png")
    trained(place / "runs", data_of(place / "digits", a=3, b=3), name="digits")
    code, _, err = run("evaluate", *folders, "--task", "digits", "--storage", place / "runs")
    assert code == 2
    assert err == (
        "error: --labels: digits tells no pixels apart; --labels is for what `i2i-cluster task train --kind segmenter` makes\n"
    )
