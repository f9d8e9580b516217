"""The segmenter: its one loss by hand, label maps that lead back to their classes, and what it finds, exactly."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainers.processes import Processes
from tests.trainers.watching import batch, before, watch
from tests.trainers.worlds import BATCH, CLASSES, IMAGE, SHAPES, TINY, build, engine, label_map
from trainers.errors import SettingError
from trainers.evaluation import How, evaluate
from trainers.label_maps import classes_of, levels_of, mean_iou, overlaps, share
from trainers.replica import to_images
from trainers.samples import CHUNK
from trainers.settings import Reads
from trainers.systems.segmenter import Segmenter, SegmenterHyper
from trainers.tree import Tree

COUNT = CHUNK + 3
CPU = torch.device("cpu")


def maps_of(classes):
    """A batch's label maps `[N,1,1,W]` in [-1, 1], in which each pixel has one of these classes of CLASSES."""
    levels = np.array([round(255 * c / (CLASSES - 1)) for c in range(CLASSES)], np.uint8)
    return to_images(levels[np.array(classes)][:, None, :, None], CPU, torch.contiguous_format)


@pytest.mark.parametrize("classes", [2, 3, 5, 100, 255, 256])
def test_every_level_leads_back_to_its_class(classes):
    levels = np.array([round(255 * i / (classes - 1)) for i in range(classes)], np.uint8)
    assert classes_of(torch.from_numpy(levels), classes).tolist() == list(range(classes))
    images = to_images(levels.reshape(1, 1, classes, 1), CPU, torch.contiguous_format)
    assert classes_of(levels_of(images), classes).flatten().tolist() == list(range(classes))


def test_the_share_is_of_pictures_or_of_their_pixels():
    assert share(torch.tensor([0, 1, 2]), torch.tensor([0, 2, 2])).tolist() == [1.0, 0.0, 1.0]
    said, truth = torch.tensor([[[0, 1], [2, 2]], [[1, 1], [1, 1]]]), torch.tensor([[[0, 0], [2, 1]], [[1, 1], [1, 0]]])
    assert share(said, truth).tolist() == [0.5, 0.75]


def test_the_mean_of_both_over_either_is_of_all_pixels_and_of_the_classes_that_there_are():
    said, truth = torch.tensor([[[0, 0, 1, 1]], [[1, 1, 1, 1]]]), torch.tensor([[[0, 1, 1, 1]], [[0, 1, 1, 1]]])
    counts = overlaps(said, truth, 3)
    assert counts.tolist() == [[1, 2, 0, 2, 3, 0], [0, 3, 0, 1, 4, 0]]
    # Class 0: 1 of 3. Class 1: 5 of 7. Class 2 is nowhere. The mean of the two pictures' own would be another number.
    assert mean_iou(counts.double()) == pytest.approx((1 / 3 + 5 / 7) / 2)


@pytest.mark.parametrize("domain", ["a", "b"])
def test_it_reads_pairs_of_a_domain_and_its_label_maps(domain):
    reads = Reads((domain, "labels"), paired=True, label_map="labels")
    assert Segmenter.reading(SegmenterHyper(domain=domain)) == reads
    of = engine("segmenter", hyper={"domain": domain})
    assert of.system.reads == reads
    of.step()
    assert of.draws == {f"{domain}labels": 1}


def test_without_being_told_it_reads_b_and_what_builders_call_labels():
    assert Segmenter.reading(SegmenterHyper()) == Segmenter.reads
    assert Segmenter.reading(SegmenterHyper(label_map="parts")) == Reads(("b", "parts"), paired=True, label_map="parts")


def test_the_loss_is_the_mean_cross_entropy_of_the_pixels():
    of = engine("segmenter", tree=Tree(1))
    seen, old, images = watch(of), before(of), batch(of)
    levels = of.read("blabels", 0, 0)["labels"][:, :, :, 0]
    of.step()
    with torch.no_grad():
        shares = torch.softmax(old.network(images["b"]), 1).double().numpy()
    truth = np.rint(levels / 127.5).astype(int)
    picked = np.take_along_axis(shares, truth[:, None], 1)
    (move,) = seen
    assert move.players == ("segmenter",)
    assert move.raw == pytest.approx({"ce": -np.log(picked).mean()}, rel=1e-5)
    assert move.loss == move.raw["ce"]


def test_adam_moves_every_weight_by_the_learning_rate_at_first():
    of = engine("segmenter")
    old = before(of)
    of.step()
    moved = (of.system.network.last.weight - old.network.last.weight).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 1e-3), rtol=1e-3, atol=0)


def test_a_verdict_is_the_share_of_pixels_whose_class_is_found():
    system: Any = build("segmenter")
    images = torch.randn(2, *SHAPES["b"])
    with torch.no_grad():
        said = system.network(images).argmax(1)
        truth = said.clone()
        truth[1, :8] = (truth[1, :8] + 1) % CLASSES
        told = system.verdicts({"b": images, "labels": 2.0 * truth[:, None] / (CLASSES - 1) - 1.0}, {})
    assert told.keys() == {score.name for score in Segmenter.judges}
    assert told["accuracy"].tolist() == [1.0, 1 - 8 / IMAGE]
    assert torch.equal(told["miou"], overlaps(said, truth, CLASSES))
    assert system.tables == {"miou": told["miou"].shape[1]}


class Colours:
    """Pairs of a random picture and a label map of its own."""

    truth = True

    def count(self, domain):
        return COUNT

    def image(self, domain, index):
        if domain == "labels":
            return label_map(index)
        return np.random.default_rng([9, index]).integers(0, 256, (IMAGE, IMAGE, 3), np.uint8)

    def label(self, domain, index):
        return -1

    def attributes(self, domain, index):
        raise AssertionError("a segmenter reads none")

    def text(self, domain, index):
        raise AssertionError("a segmenter reads none")

    def label_map(self, domain, index):
        return None

    def truths(self, index):
        return [index]


def test_its_scores_are_of_all_validation_pictures():
    of = engine("segmenter")
    scores, stages = evaluate(of, Colours(), How())
    network, pictures = of.system.network, Colours()
    with torch.no_grad():
        said = torch.cat(
            [network(to_images(pictures.image("b", i)[None], CPU, torch.contiguous_format)) for i in range(COUNT)]
        ).argmax(1)
    truth = torch.stack([torch.from_numpy(label_map(i)[:, :, 0] / 127.5).round().long() for i in range(COUNT)])
    assert scores == {
        "eval/accuracy": pytest.approx((said == truth).double().mean().item()),
        "eval/miou": pytest.approx(mean_iou(overlaps(said, truth, CLASSES).double())),
        "eval/samples": COUNT,
    }
    assert list(stages) == ["truth b"]


def job(pipe, rank, workers, replicas):
    pipe.send(evaluate(engine("segmenter", tree=Tree(replicas, rank, workers)), Colours(), How())[0])


def test_any_number_of_workers_finds_the_same_to_the_bit():
    found = []
    for workers in (1, 2, 4):
        with Processes(job, workers, BATCH) as processes:
            found += [{metric: score.hex() for metric, score in scores.items()} for scores in processes.answers()]
    assert found[0].keys() == {"eval/accuracy", "eval/miou", "eval/samples"}
    assert all(scores == found[0] for scores in found)


def test_it_learns_what_can_be_seen(monkeypatch):
    monkeypatch.setattr("tests.trainers.worlds.STEPS", 40)
    of = engine("segmenter", tree=Tree(1), hyper={"lr": 1e-2})
    honest = of.read

    def painted(source, draw, replica):
        """Batches of squares that are as bright as their class."""
        found = honest(source, draw, replica)
        maps = found["labels"][:, ::8, ::8].repeat(8, 1).repeat(8, 2)
        return {"b": found["b"] // 4 + maps // 4 * 3, "labels": maps}

    of.read = painted
    for _ in range(40):
        of.step()
    of.settle()
    assert of.ledger.means()["ce"] < 0.15 < math.log(CLASSES)


def test_it_shows_nothing_and_translates_nothing():
    system = build("segmenter")
    assert system.show({"b": torch.zeros(1, *SHAPES["b"])}) == {}
    assert (Segmenter.shows, system.translators) == ((), {})


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (3, {}, "data.image: the segmenter needs an image of at least 4 pixels, not 3; nearest: 4"),
        (8, {"classes": 1}, "hyper.classes: there is nothing to tell apart; nearest: 2"),
        (8, {"classes": 257}, "hyper.classes: a grey level stands for one class; nearest: 256"),
    ],
)
def test_what_does_not_fit_is_refused(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        Segmenter.check({"b": (1, image, image)}, SegmenterHyper(**{**TINY["segmenter"], **hyper}))
    assert str(caught.value) == text


def test_what_fits_is_not_refused():
    shapes = {"b": (1, 4, 4), "labels": (1, 4, 4)}
    Segmenter.check(shapes, SegmenterHyper(classes=2))
    network = Segmenter.build(SegmenterHyper(classes=2), shapes, {"ce": 1.0}, 10).network
    assert network(torch.zeros(1, 1, 4, 4)).shape == (1, 2, 4, 4)
