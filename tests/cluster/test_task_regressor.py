"""Angles from the shards to a task network and to the sweep that it judges: a mirrored translation is off, and has no spread."""

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from cluster.layout import SweepPaths
from cluster.model import export_best
from cluster.report import Report
from data_shards.build.pack import Sample
from data_shards.build.picture import encode
from data_shards.build.writer import Recipe, build
from data_shards.store import open_store
from tests.cluster.trained import trained
from trainers.systems.cyclegan import CycleGAN

SIDE = 16
ANGLES = range(0, 360, 45)


def hand(angle: float, level: int) -> np.ndarray:
    """A bar from the middle outwards, counter-clockwise from the right by `angle`: uint8 `[H,W,3]`."""
    places = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y, turn = places[None], -places[:, None], np.deg2rad(angle)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return np.where(((along > 0) & (np.abs(across) < 0.3))[:, :, None], level, 0).repeat(3, 2).astype(np.uint8)


def samples(notes: list[str]) -> Iterator[Sample]:
    """Hands of each angle and six levels, in both domains."""
    for domain, key in (("a", 0), ("b", 5)):
        for angle in ANGLES:
            for level in range(6):
                picture = encode(Image.fromarray(hand(angle, 150 + 16 * level + key)))
                side = "validation" if level == 3 else "train"
                yield Sample(f"{domain}{angle:03d}-{level}", {domain: picture}, cls=f"{angle:03d}", side=side)


@pytest.fixture(scope="module")
def hands(tmp_path_factory) -> str:
    return build(str(tmp_path_factory.mktemp("hands") / "shards"), Recipe("hands", {}, ""), samples, 0.2).uri


def test_a_run_is_judged_by_the_regressor_that_another_run_trained(hands, tmp_path, monkeypatch):
    data = {"uri": hands, "image": SIDE, "batch": 8, "augment": {"flip": False, "jitter": 1.0}}
    base = {"data": data, "storage": str(tmp_path / "runs")}
    told: list[Report] = []
    hyper = {"width": 4, "lr": 1e-2}
    network = trained({**base, "system": "regressor", "steps": 100, "hyper": hyper, "every": {"evaluate": 100}}, told)
    learned = told[-1].metrics["eval/angle_error"]
    assert learned < 15, "hands are easily read"
    export_best(open_store(network.storage), network.sweep, 0)
    judged = {
        **base,
        "system": "cyclegan",
        "steps": 1,
        "hyper": {"width": 4, "blocks": 1, "critic": "patch16", "critic_width": 4},
        "task": f"{network.storage}/{SweepPaths(network.sweep).best}",
        "objective": {"metric": "eval/angle_spread", "also": ["eval/angle_error"]},
    }
    monkeypatch.setattr(CycleGAN, "show", lambda self, images: {"fake_b": images["a"].flip(3)})
    trained(judged, told)
    found = told[-1].metrics
    assert found["eval/angle_error_input"] == pytest.approx(learned, abs=10), "hands of a are read like those of b"
    assert found["eval/angle_error"] > 60, "left is right"
    assert found["eval/angle_spread"] < 25
    assert "eval/kid[task]" in found and "eval/task_accuracy" not in found
