"""What critics put out is told of every step, to whoever watches, and decides nothing."""

import math

import pytest
import torch

from tests.trainers.worlds import engine


@pytest.mark.parametrize("system", ["cyclegan", "wgan", "began", "discogan"])
def test_each_critic_s_outputs_are_told(system):
    of = engine(system)
    of.step()
    of.settle()
    told = of.ledger.outputs()
    assert told and {term for _, term in told} == set(of.ledger.carrier)
    assert {side for side, _ in told} == {"real", "fake"}
    assert all(math.isfinite(value) for value in told.values())


def test_a_term_that_a_step_does_not_look_at_is_told_from_one_that_is_no_number():
    of = engine("discogan", bad=(0, 0), on_nonfinite="skip")
    of.step()
    means, observed = of.ledger.means(), of.ledger.observed()
    unseen = {term for term in of.ledger.terms if math.isnan(means[term])} - observed
    assert unseen, "a step moves critics or generators"
    assert observed & {term for term in of.ledger.terms if math.isnan(means[term])}, "of a picture that is no number"


def test_a_system_without_critics_has_none():
    of = engine("classifier")
    of.step()
    assert of.ledger.outputs() == {}


def test_an_output_that_is_infinite_is_told_and_is_no_mistake(monkeypatch):
    """Of a critic that is sure beyond measure the loss may be 0, as a hinge's is."""
    infinite = (torch.tensor(math.inf), torch.tensor(-math.inf))
    monkeypatch.setattr("trainers.adversarial._means", lambda real, fake: infinite)
    of = engine("cyclegan", on_nonfinite="stop")
    of.step()
    of.settle()
    assert of.ledger.outputs()["real", "d_a"] == math.inf
    assert of.ledger.outputs()["fake", "d_a"] == -math.inf
