"""The classifier: its one loss by hand, what it reads, and what it finds."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.trainers.watching import batch, before, watch
from tests.trainers.worlds import CLASSES, SHAPES, TINY, build, engine
from trainers.errors import SettingError
from trainers.settings import Reads
from trainers.systems.classifier import Classifier, ClassifierHyper
from trainers.tree import Tree


@pytest.mark.parametrize("domain", ["a", "b"])
def test_it_reads_the_pictures_and_classes_of_one_domain_alone(domain):
    reads = Reads((domain,), paired=False, labelled=(domain,))
    assert Classifier.reading(ClassifierHyper(domain=domain)) == reads
    of = engine("classifier", hyper={"domain": domain})
    assert of.system.reads == reads
    of.step()
    assert of.draws == {domain: 1}


def test_without_being_told_it_reads_b():
    assert Classifier.reading(ClassifierHyper()) == Classifier.reads == Reads(("b",), paired=False, labelled=("b",))


@pytest.mark.parametrize("domain", ["a", "b"])
def test_the_loss_is_the_cross_entropy_of_the_class_s_softmax(domain):
    of = engine("classifier", tree=Tree(1), hyper={"domain": domain})
    seen, old, images = watch(of), before(of), batch(of)[domain]
    classes = torch.from_numpy(of.read(domain, 0, 0)[f"{domain}.class"])
    of.step()
    with torch.no_grad():
        shares = torch.exp(old.network(images)) / torch.exp(old.network(images)).sum(1, keepdim=True)
    by_hand = -sum(math.log(share[c]) for share, c in zip(shares.tolist(), classes.tolist(), strict=True)) / len(images)
    (move,) = seen
    assert move.players == ("classifier",)
    assert move.raw == pytest.approx({"ce": by_hand}, rel=1e-5)
    assert move.loss == pytest.approx(by_hand, rel=1e-5)


def test_adam_moves_every_weight_by_the_learning_rate_at_first():
    of = engine("classifier")
    old = before(of)
    of.step()
    moved = (of.system.network.last.weight - old.network.last.weight).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 1e-3), rtol=1e-3, atol=0)


def test_a_verdict_is_1_where_the_class_is_found():
    system: Any = build("classifier")
    images = torch.linspace(-1, 1, 6).reshape(6, 1, 1, 1).expand(-1, *SHAPES["b"])
    with torch.no_grad():
        said = system.network(images).argmax(1)
        labels = said.clone()
        labels[2] = (labels[2] + 1) % CLASSES
        labels[4] = -1
        told = system.verdicts({"b": images}, {"b": labels})
    assert told.keys() == {score.name for score in Classifier.judges}
    assert told["accuracy"].tolist() == [1.0, 1.0, 0.0, 1.0, 0.0, 1.0]


def test_it_learns_what_can_be_seen(monkeypatch):
    monkeypatch.setattr("tests.trainers.worlds.STEPS", 40)
    of = engine("classifier", tree=Tree(1), hyper={"lr": 1e-2})
    honest = of.read

    def bright(source, draw, replica):
        """Batches whose brightness is their class."""
        found = honest(source, draw, replica)
        for picture, cls in zip(found["b"], found["b.class"], strict=True):
            picture[...] = picture // 4 + 90 * cls
        return found

    of.read = bright
    for _ in range(40):
        of.step()
    of.settle()
    assert of.ledger.means()["ce"] < 0.1 < math.log(CLASSES)


def test_it_shows_nothing_and_translates_nothing():
    system = build("classifier")
    assert system.show({"b": torch.zeros(1, *SHAPES["b"])}) == {}
    assert (Classifier.shows, system.translators) == ((), {})


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (7, {}, "data.image: the classifier needs an image of at least 8 pixels, not 7; nearest: 8"),
        (8, {"classes": 1}, "hyper.classes: there is nothing to tell apart; nearest: 2"),
    ],
)
def test_what_does_not_fit_is_refused(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        Classifier.check({"b": (1, image, image)}, ClassifierHyper(**{**TINY["classifier"], **hyper}))
    assert str(caught.value) == text


def test_what_fits_is_not_refused():
    Classifier.check({"b": (1, 8, 8)}, ClassifierHyper(classes=2))
    network = Classifier.build(ClassifierHyper(classes=2), {"b": (1, 8, 8)}, {"ce": 1.0}, 10).network
    assert F.softmax(network(torch.zeros(1, 1, 8, 8)), 1).sum().item() == pytest.approx(1.0)
