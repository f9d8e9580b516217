"""One sign rule: every network minimises, logits are raw, HIGH = real."""

import math

import pytest
import torch

from trainers.adversarial import CRITERIA

EACH = pytest.mark.parametrize("name", CRITERIA)


@EACH
def test_the_critic_raises_the_real_and_lowers_the_fake(name):
    real, fake = torch.full((2, 1, 3, 3), 0.3, requires_grad=True), torch.full((2, 1, 3, 3), 0.3, requires_grad=True)
    loss = CRITERIA[name].critic(real, fake, scale=0.5).value
    on_real, on_fake = torch.autograd.grad(loss, (real, fake))
    assert (on_real < 0).all(), "descent raises the logits of real pictures"
    assert (on_fake > 0).all(), "and lowers those of generated ones"


@EACH
def test_a_generator_raises_its_logits(name):
    logits = torch.linspace(-4, 0.9, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(CRITERIA[name].real(logits), logits)
    assert (gradient < 0).all()
    assert gradient[0].abs() > gradient[-1].abs(), "most where it is found out: the form that does not saturate"


def test_least_squares_by_hand():
    real, fake = torch.tensor([[0.9, 0.4]]), torch.tensor([[0.2, 0.7]])
    scored = CRITERIA["lsgan"].critic(real, fake, scale=0.5)
    assert scored.value.item() == pytest.approx(0.5 * ((0.01 + 0.36) / 2 + (0.04 + 0.49) / 2))
    assert CRITERIA["lsgan"].real(fake).item() == pytest.approx((0.64 + 0.09) / 2)


def test_vanilla_by_hand():
    def log_sigmoid(x):
        return -math.log1p(math.exp(-x))

    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    by_hand = -(log_sigmoid(2) + log_sigmoid(-1)) / 2 - (log_sigmoid(-0.5) + log_sigmoid(3)) / 2
    assert CRITERIA["vanilla"].critic(real, fake, scale=1.0).value.item() == pytest.approx(by_hand)
    assert CRITERIA["vanilla"].real(torch.tensor([-200.0])).item() == pytest.approx(200.0), "logits, not probabilities"


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_the_loss_of_a_blind_critic(scale):
    halves, zeros = torch.full((1, 1, 4, 4), 0.5), torch.zeros(1, 1, 4, 4)
    assert CRITERIA["lsgan"].critic(halves, halves, scale).value.item() == pytest.approx(scale * 2 * 0.25)
    assert CRITERIA["vanilla"].critic(zeros, zeros, scale).value.item() == pytest.approx(scale * 2 * math.log(2))


@pytest.mark.parametrize(("name", "boundary"), [("lsgan", 0.5), ("vanilla", 0.0)])
def test_accuracy_is_the_share_judged_rightly(name, boundary):
    real = boundary + torch.tensor([1.0, 0.1, -0.1, 1.0])  # 3 of 4
    fake = boundary + torch.tensor([-1.0, 0.2, 0.3, 0.4, 0.5])  # 1 of 5: both sides count alike, whatever their size
    assert CRITERIA[name].critic(real, fake, 0.5).accuracy.item() == pytest.approx((3 / 4 + 1 / 5) / 2)
    assert CRITERIA[name].critic(real + 9, fake - 9, 0.5).accuracy.item() == 1.0
    undecided = torch.full((4,), boundary)
    assert CRITERIA[name].critic(undecided, undecided, 0.5).accuracy.item() == 0.0
