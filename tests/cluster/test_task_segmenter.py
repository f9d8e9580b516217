"""Label maps from the shards to the network and to its verdicts: no class is made of two, whatever is done to a picture."""

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from cluster.layout import SweepPaths
from cluster.model import export_best
from cluster.report import Report
from data_shards.augment import Augment
from data_shards.build.pack import Sample
from data_shards.build.picture import encode
from data_shards.build.writer import Recipe, build
from data_shards.manifest import Manifest
from data_shards.store import open_store
from data_shards.stream import Stream
from data_shards.validation import Validation
from tests.cluster.trained import trained
from trainers.systems.pix2pix import Pix2Pix

PARTS = ("sky", "sea", "land")
LEVELS = np.array([0, 128, 255], np.uint8)
GREYS = np.array([60, 100, 230], np.uint8)  # of the classes in b; a is the negative
SIDE = 40


def samples(notes: list[str]) -> Iterator[Sample]:
    """30 pairs of squares in three greys, and what they are."""
    for i in range(30):
        classes = np.random.default_rng(i).integers(0, 3, (5, 5)).repeat(8, 0).repeat(8, 1)
        pixels = np.stack([GREYS[classes]] * 3, 2)
        shown = {"a": 255 - pixels, "b": pixels, "labels": LEVELS[classes]}
        yield Sample(f"{i:02d}", {domain: encode(Image.fromarray(array)) for domain, array in shown.items()})


def built(out: str) -> str:
    return build(out, Recipe("squares", {}, ""), samples, 0.3, labels={"labels": PARTS}).uri


@pytest.fixture(scope="module")
def squares(tmp_path_factory) -> str:
    return built(str(tmp_path_factory.mktemp("squares") / "shards"))


def drawn(uri: str, image: int, augment: Augment) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures of b and their label maps as training sees them."""
    sources = {"blabels": ("b", "labels")}
    given = {"image": image, "batch": 4, "replicas": 1, "seed": 3, "augment": augment, "hosted": [0]}
    with Stream(Manifest.open(uri), sources=sources, **given) as stream:  # type: ignore[arg-type]
        for draw in range(6):
            batch = stream.read("blabels", draw, 0)
            yield batch["b"], batch["labels"]


def test_a_crop_and_a_mirror_image_of_a_picture_are_those_of_its_label_map(squares):
    symmetric = 0
    for pictures, maps in drawn(squares, 32, Augment(flip=True, jitter=1.25)):
        assert np.array_equal(GREYS[np.searchsorted(LEVELS, maps)], pictures[:, :, :, :1])
        symmetric += sum(np.array_equal(one, other) for one, other in zip(maps, maps[:, :, ::-1], strict=True))
    assert not symmetric, "or a mirror image that is missing would not be noticed"


@pytest.mark.parametrize("image", [24, 64])
def test_a_label_map_of_another_size_has_no_other_classes(squares, image):
    for _, maps in drawn(squares, image, Augment(flip=True)):
        assert set(np.unique(maps)) == set(LEVELS)


def test_a_validation_picture_finds_its_label_map_by_its_key(squares, bucket):
    for uri in (squares, built(f"{bucket.partition('?')[0]}/squares?{bucket.partition('?')[2]}")):
        manifest = Manifest.open(uri)
        alone = Validation(manifest, domains=("a",), image=SIDE, limit=4)
        beside = Validation(manifest, domains=("a",), image=SIDE, limit=4, label_map="labels")
        assert beside.keys("a") == alone.keys("a")
        assert not beside.truth
        for key in beside.keys("a"):
            levels = beside.label_map(key)
            assert levels is not None and levels.shape == (SIDE, SIDE)
            assert np.array_equal(255 - GREYS[np.searchsorted(LEVELS, levels)], beside.read("a", key)[:, :, 0])
            assert alone.label_map(key) is None
        (trained_on, *_) = manifest.keys("a", "train")
        assert beside.label_map(trained_on) is None, "of the chosen ones alone"


def test_a_run_is_judged_by_the_segmenter_that_another_run_trained(squares, tmp_path, monkeypatch):
    base = {"data": {"uri": squares, "image": 32, "batch": 4}, "storage": str(tmp_path / "runs")}
    told: list[Report] = []
    hyper = {"width": 4, "lr": 1e-2}
    network = trained({**base, "system": "segmenter", "steps": 40, "hyper": hyper, "every": {"evaluate": 40}}, told)
    learned = told[-1].metrics
    assert min(learned["eval/accuracy"], learned["eval/miou"]) > 0.9, "greys are easily told"
    export_best(open_store(network.storage), network.sweep, 0)
    judged = {
        **base,
        "system": "pix2pix",
        "steps": 1,
        "hyper": {"width": 4, "levels": 3, "critic": "patch16", "critic_width": 4},
        "task": f"{network.storage}/{SweepPaths(network.sweep).best}",
        "objective": {"metric": "eval/task_accuracy"},
    }
    monkeypatch.setattr(Pix2Pix, "show", lambda self, images: {"fake_b": images["b"]})
    trained(judged, told)
    found = told[-1].metrics
    assert found["eval/task_accuracy"] == learned["eval/accuracy"], "real pictures are read as they were"
    assert found["eval/task_accuracy_input"] < 0.7, "the greys of a mean something else"
    assert found["eval/kid[task]"] == 0.0
