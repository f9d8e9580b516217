"""A critic's turns and rest, by hand: they follow from the step and a running accuracy, and from nothing else."""

import pytest
import torch
from torch import nn

from tests.trainers.worlds import engine
from trainers.balance import ACCURACY_STEP, turns_of
from trainers.optimizers import Adam
from trainers.settings import Balance
from trainers.system import Player


def player(name, critic):
    return Player(name, (nn.Linear(1, 1),), Adam(1e-3, 0.5, 0.999), lambda t: 1.0, critic=critic)


PLAYERS = (player("generator", False), player("d_a", True), player("d_b", True))


def plan(seen=(0.5, 0.5), t=100, **balance):
    """({critic: turns}, who rests) in step `t`, for critics of these accuracies."""
    turns, resting = turns_of(Balance(**balance), PLAYERS, torch.tensor(seen), t)
    return {name: turns[name] for name in ("d_a", "d_b")}, resting


def test_every_critic_has_the_same_turns_without_a_controller():
    for seen in ((0.0, 1.0), (0.5, 0.5)):
        assert plan(seen, critic_turns=5) == ({"d_a": 5, "d_b": 5}, frozenset())
    assert plan() == ({"d_a": 1, "d_b": 1}, frozenset())


@pytest.mark.parametrize(("t", "turns"), [(0, 100), (24, 100), (25, 5), (26, 5), (500, 5)])
def test_the_first_steps_have_turns_of_their_own(t, turns):
    assert plan(t=t, critic_turns=5, warmup_turns=100)[0] == {"d_a": turns, "d_b": turns}
    assert plan(t=t, critic_turns=5, warmup_turns=0)[0] == {"d_a": 5, "d_b": 5}


def test_a_warm_up_may_be_shorter_or_gentler():
    assert [plan(t=t, critic_turns=3, warmup_turns=1, warmup_steps=2)[0]["d_a"] for t in range(4)] == [1, 1, 3, 3]
    assert plan(t=0, critic_turns=3, warmup_turns=9, warmup_steps=0)[0]["d_a"] == 3


@pytest.mark.parametrize(("t", "turns"), [(24, 100), (25, 5), (499, 5), (500, 100), (501, 5), (1000, 100)])
def test_a_warm_up_may_come_again(t, turns):
    assert plan(t=t, critic_turns=5, warmup_turns=100, warmup_every=500)[0] == {"d_a": turns, "d_b": turns}
    assert plan(t=t, critic_turns=5, warmup_every=500)[0] == {"d_a": 5, "d_b": 5}


def test_a_critic_above_the_target_rests():
    assert plan((0.76, 0.75), target_accuracy=0.75)[1] == {"d_a"}, "at the target it plays"
    assert plan((0.1, 0.99), target_accuracy=0.75)[1] == {"d_b"}
    assert plan((0.9, 0.9), target_accuracy=0.75)[1] == {"d_a", "d_b"}
    assert plan((1.0, 1.0), target_accuracy=1.0)[1] == frozenset()


@pytest.mark.parametrize(
    ("seen", "turns"), [(0.95, 1), (0.9, 1), (0.86, 1), (0.85, 2), (0.81, 2), (0.8, 3), (0.7, 5), (0.65, 6), (0.0, 6)]
)
def test_each_step_below_the_target_is_one_more_turn(seen, turns):
    assert ACCURACY_STEP == 0.05
    assert plan((seen, 0.9), target_accuracy=0.9, most_turns=6)[0] == {"d_a": turns, "d_b": 1}


def test_more_turns_are_counted_from_the_usual_ones():
    assert plan((0.8, 0.9), critic_turns=5, target_accuracy=0.9, most_turns=20)[0] == {"d_a": 7, "d_b": 5}
    assert plan((0.0, 0.9), critic_turns=5, target_accuracy=0.9, most_turns=5)[0] == {"d_a": 5, "d_b": 5}
    assert plan((0.0, 0.9), critic_turns=5, target_accuracy=0.9)[0] == {"d_a": 5, "d_b": 5}, "rest only"
    warming = {"critic_turns": 1, "warmup_turns": 4, "target_accuracy": 0.9, "most_turns": 6}
    assert plan((0.85, 0.9), t=0, **warming)[0] == {"d_a": 5, "d_b": 4}


def test_a_decision_goes_by_the_accuracy_of_one_step_ago():
    of = engine("pix2pix", balance=Balance(target_accuracy=0.8))
    of.accuracy[0], of.accuracy[1] = 0.5, 1.0
    of.step()
    assert of.moves["critic"] == 1, "what the last step saw has not been read yet"
    of.step()
    assert of.moves["critic"] == 1
    assert of.moves["generator"] == 2
