"""The penalties by hand: on critics whose slope is known, at points between real and generated pictures."""

import math

import pytest
import torch
from torch import nn

from trainers.errors import SettingError
from trainers.hyper import Adversary
from trainers.networks.blocks import instance_norm
from trainers.networks.patch import PatchCritic
from trainers.penalty import PATCHES, PENALTIES, gradient_penalty, one_sided, two_sided

SHAPE = (5, 2, 4, 4)


def linear(norm, patches=1):
    """A critic of `patches` equal patches, whose gradient has this norm everywhere; its weight is a parameter."""
    weight = torch.randn(SHAPE[1:])
    weight = nn.Parameter(weight * (norm / weight.norm()))

    def judge(image):
        return (image * weight).sum((1, 2, 3))[:, None].expand(-1, patches)

    return judge, weight


def pictures():
    return torch.randn(SHAPE), torch.randn(SHAPE)


def penalty(judge, kind, patches="mean"):
    """That of random pictures."""
    real, fake = pictures()
    return gradient_penalty(judge, real, fake, kind, patches)


def test_the_penalties_of_a_norm():
    norms = torch.tensor([0.0, 0.5, 1.0, 1.5, 3.0])
    assert two_sided(norms).tolist() == [1.0, 0.25, 0.0, 0.25, 4.0]
    assert one_sided(norms).tolist() == [0.0, 0.0, 0.0, 0.25, 4.0], "first the maximum, then the square"


@pytest.mark.parametrize(("norm", "gp", "lp"), [(0.5, 0.25, 0.0), (1.0, 0.0, 0.0), (3.0, 4.0, 4.0)])
def test_a_linear_critic_has_the_closed_form(norm, gp, lp):
    judge, _ = linear(norm)
    assert penalty(judge, "gp").item() == pytest.approx(gp, abs=1e-5)
    assert penalty(judge, "lp").item() == pytest.approx(lp, abs=1e-5)


@pytest.mark.parametrize("kind", PENALTIES)
def test_patches_are_averaged_or_summed(kind):
    judge, _ = linear(1.5, patches=30)
    assert penalty(judge, kind).item() == pytest.approx(0.25, rel=1e-4)
    summed = penalty(judge, kind, "sum")
    assert summed.item() == pytest.approx((30 * 1.5 - 1) ** 2, rel=1e-4), "30 times the norm"
    maps = torch.arange(24.0).reshape(2, 1, 3, 4)
    assert PATCHES["mean"](maps).tolist() == [5.5, 17.5]
    assert PATCHES["sum"](maps).tolist() == [66.0, 210.0]


@pytest.mark.parametrize(("norm", "kind", "away"), [(3.0, "gp", 1), (3.0, "lp", 1), (0.5, "gp", -1), (0.5, "lp", 0)])
def test_it_draws_the_critics_slope_to_one(norm, kind, away):
    judge, weight = linear(norm)
    (gradient,) = torch.autograd.grad(penalty(judge, kind), weight)
    # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|
    torch.testing.assert_close(gradient, abs(away) * 2 * (norm - 1) * weight.detach() / norm)


@pytest.mark.parametrize("kind", PENALTIES)
def test_it_reaches_the_critics_parameters_and_no_picture(kind):
    critic = PatchCritic(2, 4, 1, instance_norm)
    real, fake = torch.randn(3, 2, 16, 16, requires_grad=True), torch.randn(3, 2, 16, 16, requires_grad=True)
    loss = gradient_penalty(lambda image: 100 * critic(image), real, fake, kind)
    assert loss > 0
    *found, on_real, on_fake = torch.autograd.grad(loss, [*critic.parameters(), real, fake], allow_unused=True)
    weights = [g for (n, _), g in zip(critic.named_parameters(), found, strict=True) if n.endswith("weight")]
    assert len(weights) == 3
    assert all(g is not None and g.any() for g in weights)
    assert on_real is on_fake is None, "the generator must not learn to flatten the critic"


def test_the_points_lie_between_the_pictures_a_share_for_each_sample():
    real, fake = torch.zeros(400, 1, 2, 2), torch.ones(400, 1, 2, 2)
    seen = []

    def judge(image):
        seen.append(image.detach())
        return image.flatten(1)

    gradient_penalty(judge, real, fake, "gp")
    (points,) = seen
    shares = points[:, 0, 0, 0]
    assert torch.equal(points, shares[:, None, None, None].expand_as(points)), "one share for all pixels of a sample"
    assert len(shares.unique()) == 400
    assert 0 <= shares.min() < 0.05
    assert 0.95 < shares.max() <= 1
    assert shares.mean().item() == pytest.approx(0.5, abs=0.05)


def test_samples_are_penalised_one_by_one():
    # Slopes 1 and 3: the mean of the penalties is 2, that of the mean slope would be 1.
    def judge(image):
        return image.flatten(1)[:, :1] * torch.tensor([[1.0], [3.0]])

    assert gradient_penalty(judge, torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2), "gp").item() == pytest.approx(2.0)


def test_the_larger_batch_is_cut():
    judge, _ = linear(3.0)
    real, fake = pictures()
    for one, other in ((real[:2], fake), (real, fake[:2])):
        assert gradient_penalty(judge, one, other, "gp").item() == pytest.approx(4.0, rel=1e-4)


def test_a_flat_critic_has_a_gradient_to_follow():
    weight = nn.Parameter(torch.zeros(2, 4, 4))
    loss = penalty(lambda image: (image * weight).sum((1, 2, 3))[:, None], "gp")
    (gradient,) = torch.autograd.grad(loss, weight)
    assert loss.item() == pytest.approx(1.0, abs=1e-5)
    assert torch.isfinite(gradient).all(), "the square root has an infinite slope at 0"


def test_it_is_watched_where_no_graph_is_kept():
    judge, _ = linear(3.0)
    with torch.no_grad():
        loss = penalty(judge, "gp")
    assert loss.item() == pytest.approx(4.0, rel=1e-4)
    assert not loss.requires_grad


def test_it_is_taken_in_full_precision():
    judge, _ = linear(1 + 2**-12)  # bf16 has 8 bits
    real, fake = pictures()
    with torch.autocast("cpu", torch.bfloat16):
        seen = []

        def noted(image):
            seen.append((image.dtype, torch.is_autocast_enabled("cpu")))
            return judge(image)

        loss = gradient_penalty(noted, real.bfloat16(), fake.bfloat16(), "gp")
    assert seen == [(torch.float32, False)]
    assert math.sqrt(loss.item()) == pytest.approx(2**-12, rel=1e-2)


def test_batch_norm_and_a_penalty_exclude_each_other():
    settings = Adversary(gan="wgan", penalty="lp")
    settings.check_adversary(batch_norm=False)
    with pytest.raises(SettingError) as caught:
        settings.check_adversary(batch_norm=True)
    problem = "a critic with batch norm has no gradient of one sample to penalise; nearest: hyper.norm instance"
    assert str(caught.value) == f"hyper.penalty: {problem}"
    Adversary(gan="wgan").check_adversary(batch_norm=True)


def test_settings_choose_the_penalty():
    judge, _ = linear(0.5, patches=6)
    real, fake = pictures()
    values = {}
    for kind in PENALTIES:
        for patches in PATCHES:
            settings = Adversary(penalty=kind, penalty_patches=patches)
            assert settings.penalised
            values[kind, patches] = settings.penalise(judge, real, fake).item()
    assert values == pytest.approx(
        {("gp", "mean"): 0.25, ("gp", "sum"): 4.0, ("lp", "mean"): 0.0, ("lp", "sum"): 4.0}, abs=1e-4
    )
    assert not Adversary().penalised
