"""Scores by a task network that reads angles: each by hand, and exact on any number of workers."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainers.judging import Flat, Thirds
from tests.trainers.processes import Processes
from tests.trainers.worlds import BATCH, engine
from trainers.evaluation import How, evaluate
from trainers.samples import CHUNK
from trainers.tree import Tree

DEGREES = (0.0, 90.0, 180.0, 270.0)
COUNT = 2 * CHUNK + 3  # three chunks: of four workers one has none


class Hands(Thirds):
    """Reads a mean grey of 0 to 255 as an angle of 0 to 255 degrees, as a pair of length 2."""

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> `[N,2]`."""
        radians = (self.features(x).mean(1) * 255.0).deg2rad()
        return 2.0 * torch.stack([radians.cos(), radians.sin()], 1)


HOW = How(draws=2, task=Hands(), degrees=DEGREES)


def scored(samples: Any, show: Any, how: How = HOW, name: str = "cyclegan") -> dict[str, float]:
    of: Any = engine(name)
    of.system.show = show
    return {metric: score for metric, score in evaluate(of, samples, how)[0].items() if metric.startswith("eval/")}


def negatives(images: Any) -> dict[str, Tensor]:
    """Outputs that are read as 255 degrees less what is read in the inputs."""
    return {"fake_b": -images["a"]}


def test_how_far_outputs_and_inputs_are_off():
    # The inputs are read as 5, 90 and 200 degrees, and the outputs as 250, 165 and 55.
    samples = Flat({"a": [5, 90, 200, 1], "b": [0] * 4}, labels={"a": [0, 1, 2, -1]})
    scores = scored(samples, negatives)
    assert scores["eval/angle_error"] == pytest.approx((110 + 75 + 125) / 3, abs=1e-3), "the last one has no class"
    assert scores["eval/angle_error_input"] == pytest.approx((5 + 0 + 20) / 3, abs=1e-3)
    assert not any("accuracy" in metric for metric in scores)
    assert {"eval/kid[task]", "eval/fid[task]"} <= set(scores), "of its features"
    assert not {"eval/is[task]", "eval/mode_kl"} & set(scores), "it knows no classes"


def test_a_translation_that_mirrors_and_turns_is_off_and_has_no_spread():
    samples = Flat({"a": [0, 90, 180], "b": [0] * 3}, labels={"a": [0, 1, 2]})
    scores = scored(samples, negatives)
    assert scores["eval/angle_spread"] == pytest.approx(0.0, abs=1e-3)
    assert scores["eval/angle_error"] == pytest.approx((105 + 75 + 105) / 3, abs=1e-3)
    same = scored(samples, lambda images: {"fake_b": images["a"]})
    assert same["eval/angle_error"] == pytest.approx(0.0, abs=1e-4) == same["eval/angle_error_input"]


def test_359_and_1_are_2_apart():
    samples = Flat({"a": [1, 1], "b": [0, 0]}, labels={"a": [0, 1]})
    scores = scored(samples, lambda images: {"fake_b": images["a"]}, How(task=Hands(), degrees=(359.0, 3.0)))
    assert scores["eval/angle_error"] == pytest.approx(2.0, abs=1e-3)


def test_without_classes_there_are_its_features_alone():
    scores = scored(Flat({"a": [5, 9], "b": [0, 1]}), negatives)
    assert not any("angle" in metric for metric in scores)
    assert "eval/kid[task]" in scores


def test_a_single_picture_has_an_error_and_no_spread():
    scores = scored(Flat({"a": [5], "b": [0]}, labels={"a": [0]}), negatives)
    assert scores["eval/angle_error"] == pytest.approx(110.0, abs=1e-3) and "eval/angle_spread" not in scores


class Many(Flat):
    """Pictures of noise, as many as make three chunks; some have no class."""

    def __init__(self) -> None:
        super().__init__({}, labels={"a": [i % 5 - 1 for i in range(COUNT)]}, count=COUNT)

    def image(self, domain: str, index: int) -> np.ndarray:
        """uint8 `[H,W,C]`."""
        random = np.random.default_rng([ord(domain), index])
        return random.integers(0, random.integers(2, 256), (32, 32, 3), np.uint8)


def job(pipe: Any, rank: int, workers: int, replicas: int) -> None:
    pipe.send(evaluate(engine("cyclegan", tree=Tree(replicas, rank, workers)), Many(), HOW)[0])


def test_any_number_of_workers_finds_the_same_to_the_bit():
    found = []
    for workers in (1, 2, 4):
        with Processes(job, workers, BATCH) as processes:
            found += [{metric: score.hex() for metric, score in scores.items()} for scores in processes.answers()]
    assert {"eval/angle_error", "eval/angle_error_input", "eval/angle_spread", "eval/kid[task]"} <= set(found[0])
    assert all(scores == found[0] for scores in found)
