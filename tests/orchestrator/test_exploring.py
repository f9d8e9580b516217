"""Population based training perturbs values within their axes, always alike, and leaves alone what a network is built by."""

from orchestrator.search.exploring import Explore, is_live
from orchestrator.search.space import Axis, Choice, IntUniform, LogUniform, Uniform
from orchestrator.search.sums import Sum

AXES: dict[str, Axis] = {
    "weights.cyc": LogUniform(1.0, 100.0),
    "balance.critic_turns": IntUniform(1, 5),
    "balance.lr_ratio": Uniform(0.5, 2.0),
    "hyper.smoothing": Choice((0.0, 0.1)),
    "weights.a + weights.b": Sum(10.0),
}
PARAMS = {
    "weights.cyc": 10.0,
    "balance.critic_turns": 3,
    "balance.lr_ratio": 1.0,
    "hyper.smoothing": 0.1,
    "weights.a": 4.0,
    "weights.b": 6.0,
}


def explored(resample=0.0, params=PARAMS, trials=200):
    explore = Explore(AXES, 0, 1.25, resample)
    found = [explore(params, 0, trial) for trial in range(trials)]
    assert found == [explore(params, 0, trial) for trial in range(trials)], "always alike"
    return found


def test_a_number_moves_by_the_factor_either_way():
    found = explored()
    assert {values["weights.cyc"] for values in found} == {12.5, 8.0}
    assert {values["balance.lr_ratio"] for values in found} == {1.25, 0.8}
    assert {values["balance.critic_turns"] for values in found} == {2, 4}
    assert 60 < sum(values["weights.cyc"] == 12.5 for values in found) < 140


def test_it_stays_within_the_axis():
    edge = {**PARAMS, "weights.cyc": 100.0, "balance.critic_turns": 5, "balance.lr_ratio": 0.5}
    found = explored(params=edge)
    assert {values["weights.cyc"] for values in found} == {100.0, 80.0}
    assert {values["balance.critic_turns"] for values in found} == {4, 5}
    assert {values["balance.lr_ratio"] for values in found} == {0.5, 0.625}


def test_choices_and_sums_are_kept_or_drawn_anew():
    assert all(values["hyper.smoothing"] == 0.1 and values["weights.a"] == 4.0 for values in explored())
    anew = explored(resample=1.0)
    assert {values["hyper.smoothing"] for values in anew} == {0.0, 0.1}
    assert len({values["weights.a"] for values in anew}) > 100
    assert all(abs(values["weights.a"] + values["weights.b"] - 10.0) < 1e-5 for values in anew)


def test_rounds_and_trials_are_perturbed_apart():
    explore = Explore(AXES, 0, 1.25, 0.0)
    assert len({tuple(explore(PARAMS, number, 1).values()) for number in range(40)}) > 4


def test_an_axis_that_is_not_in_force_stays_away():
    explore = Explore(AXES, 0, 1.25, 1.0)
    assert set(explore({"weights.cyc": 10.0}, 0, 0)) == {"weights.cyc"}


def test_what_a_network_is_built_by_cannot_change_in_the_middle():
    assert [is_live(axis) for axis in ("weights.cyc", "balance.critic_turns", "hyper.lr")] == [True] * 3
    assert [is_live(axis) for axis in ("hyper.width", "hyper.gan", "hyper.optimizer")] == [False] * 3
