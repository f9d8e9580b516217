"""Around an optimizer's step: an update that is not finite leaves no trace, whatever the optimizer, and a clamp comes last."""

import copy
import math

import pytest
import torch
from torch import nn

from tests.trainers.worlds import engine
from trainers.optimizers import Adam, RMSProp
from trainers.settings import Balance
from trainers.updates import clamp, hold, put_back

RATE, DECAY = 0.05, 0.9


def rmsprop():
    """Two parameters under RMSProp."""
    parameters = [nn.Parameter(torch.linspace(-2, 3, 6)), nn.Parameter(torch.tensor([[0.5], [-1.0]]))]
    return parameters, RMSProp(RATE, DECAY).build(parameters)


def give(parameters, seed):
    """Gradients: those of a seed, or of no number."""
    random = torch.Generator().manual_seed(seed or 0)
    for p in parameters:
        p.grad = torch.randn(p.shape, generator=random) if seed is not None else torch.full_like(p, math.nan)


def played(seeds, masked):
    """All that RMSProp knows after these gradients, each step held; `masked` says which are taken back."""
    parameters, optimizer = rmsprop()
    for seed in seeds:
        give(parameters, seed)
        held = hold(optimizer, parameters)
        optimizer.step()
        put_back(held, torch.tensor(float(masked(seed))))
    return [p.detach() for p in parameters] + [v for p in parameters for v in optimizer.state[p].values()]


def equal(one, other):
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def plain(seeds):
    """The same without anything around it."""
    parameters, optimizer = rmsprop()
    for seed in seeds:
        give(parameters, seed)
        optimizer.step()
    return [p.detach() for p in parameters] + [v for p in parameters for v in optimizer.state[p].values()]


def test_rmsprop_by_hand():
    square, value = 0.0, -2.0
    parameters, optimizer = rmsprop()
    for gradient in (0.3, -0.1, 2.0):
        for p in parameters:
            p.grad = torch.full_like(p, gradient)
        optimizer.step()
        square = DECAY * square + (1 - DECAY) * gradient**2
        value -= RATE * gradient / (math.sqrt(square) + 1e-8)
    assert parameters[0][0].item() == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    "seeds",
    [[1, None, 2], [None, 1, 2], [1, 2, None], [None, None, 1, None, 2]],
    ids=["between", "first", "last", "many"],
)
def test_a_bad_update_of_rmsprop_is_as_if_it_had_not_been(seeds):
    assert equal(played(seeds, lambda seed: seed is None), plain([1, 2]))


def test_a_good_update_is_what_it_would_be_without_being_held():
    assert equal(played([1, 2, 3], lambda seed: False), plain([1, 2, 3]))


def test_an_update_that_is_not_taken_back_spoils_all():
    assert not any(torch.isfinite(tensor).any() for tensor in played([1, None], lambda seed: False)[:2])


def test_holding_changes_nothing():
    parameters, optimizer = rmsprop()
    give(parameters, 1)
    before, gradients = [p.detach().clone() for p in parameters], [p.grad for p in parameters]
    held = hold(optimizer, parameters)
    assert equal([p.detach() for p in parameters], before)
    assert all(p.grad is gradient for p, gradient in zip(parameters, gradients, strict=True))
    assert [group["lr"] for group in optimizer.param_groups] == [RATE]
    assert len(held) == 2 + sum(len(state) for state in optimizer.state.values()), "parameters, and all of the state"
    assert not any(value.any() for state in optimizer.state.values() for value in state.values())


def test_only_adam_leaves_out_an_update_by_itself():
    assert (Adam.masks, RMSProp.masks) == (True, False)


def test_a_clamp_covers_every_parameter_and_no_more():
    convolution, norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False)
    parameters = [*convolution.parameters(), *norm.parameters()]
    with torch.no_grad():
        convolution.weight[0, 0, 0] = torch.tensor([-3.0, 0.004, 0.01])
    clamp(parameters, 0.01)
    assert convolution.weight[0, 0, 0].tolist() == pytest.approx([-0.01, 0.004, 0.01])
    assert norm.weight.tolist() == pytest.approx([0.01, 0.01]), "a norm's scale too"
    assert all(p.abs().max() <= torch.tensor(0.01) for p in parameters)
    assert all(p.requires_grad for p in parameters)


def spoilt(name, when, **settings):
    """An engine whose critic's gradients are NaN where `when(how many were taken before)` says so."""
    of = engine(name, on_nonfinite="skip", balance=Balance(), **settings)
    critic = next(player for player in of.system.players if player.critic)
    taken: list[None] = []

    def hook(gradient):
        taken.append(None)
        return gradient * math.nan if when(len(taken) - 1) else gradient

    critic.parameters[0].register_hook(hook)
    return of, critic


def test_a_skipped_critic_is_still_clamped():
    of, critic = spoilt("wgan", lambda taken: True)
    first = copy.deepcopy([p.detach() for p in critic.parameters])
    assert any((p.abs() > 0.01).any() for p in first)
    of.step()
    of.step()
    assert equal([p.detach() for p in critic.parameters], [p.clamp(-0.01, 0.01) for p in first])
    state = of.optimizers["critic"].state
    assert not any(value.any() for p in critic.parameters for value in state[p].values()), "no trace of the moves"
    of.settle()
    assert of.skipped == {"generator": 0, "critic": 2}


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_both_optimizers_skip_the_same_moves(optimizer):
    replicas, steps = 2, 4
    of, critic = spoilt("wgan", lambda taken: taken // replicas in (0, 2), hyper={"optimizer": optimizer, "clip": None})
    seen = []
    for _ in range(steps):
        before = [p.detach().clone() for p in critic.parameters]
        of.step()
        seen.append(equal([p.detach() for p in critic.parameters], before))
    assert seen == [True, False, True, False]
    assert all(torch.isfinite(p).all() for p in critic.parameters)
