"""The regressor: its one loss by hand, what it reads, and what it finds."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.trainers.watching import batch, before, watch
from tests.trainers.worlds import SHAPES, TINY, build, engine
from trainers.angles import angles_of, off
from trainers.errors import SettingError
from trainers.networks.classifier import Regressor as Network
from trainers.settings import Reads
from trainers.systems.regressor import Regressor, RegressorHyper
from trainers.tree import Tree

DEGREES = np.array([0.0, 120.0, -75.0])  # of TINY's classes


@pytest.mark.parametrize("domain", ["a", "b"])
def test_it_reads_the_pictures_and_classes_of_one_domain_alone(domain):
    reads = Reads((domain,), paired=False, labelled=(domain,), sided=True)
    assert Regressor.reading(RegressorHyper(domain=domain)) == reads
    of = engine("regressor", hyper={"domain": domain})
    assert of.system.reads == reads
    of.step()
    assert of.draws == {domain: 1}


def test_without_being_told_it_reads_b():
    assert Regressor.reading(RegressorHyper()) == Regressor.reads


def test_the_loss_is_the_squared_distance_to_the_unit_vector():
    of = engine("regressor", tree=Tree(1))
    seen, old, images = watch(of), before(of), batch(of)["b"]
    radians = np.deg2rad(DEGREES[of.read("b", 0, 0)["b.class"]])
    of.step()
    with torch.no_grad():
        said = old.network(images).double().numpy()
    by_hand = ((said[:, 0] - np.cos(radians)) ** 2 + (said[:, 1] - np.sin(radians)) ** 2).mean()
    (move,) = seen
    assert move.players == ("regressor",)
    assert move.raw == pytest.approx({"mse": by_hand}, rel=1e-5)
    assert move.loss == move.raw["mse"]


def test_adam_moves_every_weight_by_the_learning_rate_at_first():
    of = engine("regressor")
    old = before(of)
    of.step()
    moved = (of.system.network.last.bias - old.network.last.bias).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 3e-3), rtol=1e-3, atol=0)


def test_a_verdict_is_how_far_the_reading_is_off(monkeypatch):
    system: Any = build("regressor")
    read = torch.tensor([[2.0, 0.0], [0.0, 0.1], [-1.0, 0.0], [3.0, 0.0]])
    monkeypatch.setattr(Network, "forward", lambda self, images: read)
    told = system.verdicts({"b": torch.zeros(4, *SHAPES["b"])}, {"b": torch.tensor([0, 1, 2, -1])})
    assert told.keys() == {score.name for score in Regressor.judges}
    assert told["angle_error"].tolist()[:3] == pytest.approx([0.0, 30.0, 105.0])
    assert system.tables == {}, "a mean over the pictures"


def test_it_learns_how_far_a_bar_is_turned():
    torch.manual_seed(0)
    places = (torch.arange(16.0) - 7.5) / 8
    truth = torch.arange(0.0, 360.0, 15.0)
    radians = truth.deg2rad()[:, None, None]
    along = places * radians.cos() - places[:, None] * radians.sin()
    across = places * radians.sin() + places[:, None] * radians.cos()
    images = ((along > 0) & (across.abs() < 0.3)).float()[:, None]  # from the middle outwards
    network = Network(1, 8)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    target = torch.stack([truth.deg2rad().cos(), truth.deg2rad().sin()], 1)
    for _ in range(150):
        optimizer.zero_grad()
        (network(images) - target).square().sum(1).mean().backward()
        optimizer.step()
    with torch.no_grad():
        assert off(angles_of(network(images)), truth.double()).max() < 10
        assert network.features(images).shape == (24, 32)
        assert [tuple(of.shape) for of in network.maps(images)] == [(24, 8, 8, 8), (24, 16, 4, 4), (24, 32, 2, 2)]


def test_it_shows_nothing_and_translates_nothing():
    system = build("regressor")
    assert system.show({"b": torch.zeros(1, *SHAPES["b"])}) == {}
    assert (Regressor.shows, system.translators) == ((), {})


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (7, {}, "data.image: the regressor needs an image of at least 8 pixels, not 7; nearest: 8"),
        (8, {"degrees": "000"}, "hyper.degrees: all classes are of one angle, so there is nothing to read"),
        (8, {"degrees": "000,360"}, "hyper.degrees: all classes are of one angle, so there is nothing to read"),
        (8, {"degrees": "0,up"}, "hyper.degrees: is numbers with commas between, and 'up' is no number of degrees"),
    ],
)
def test_what_does_not_fit_is_refused(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        Regressor.check({"b": (1, image, image)}, RegressorHyper(**{**TINY["regressor"], **hyper}))
    assert str(caught.value) == text


def test_what_fits_is_not_refused():
    Regressor.check({"b": (1, 8, 8)}, RegressorHyper(degrees="-75,75"))
    network = Regressor.build(RegressorHyper(degrees="-75,75"), {"b": (1, 8, 8)}, {"mse": 1.0}, 10).network
    assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 2)
