"""A NaN stops the run and is named, or the step is masked as if it had not been: never does it reach a weight."""

import math
import pickle

import numpy as np
import pytest
import torch

from tests.trainers import worlds
from tests.trainers.watching import same
from tests.trainers.worlds import SEED, build, state_digest
from trainers.engine import Engine, Options
from trainers.errors import NonFiniteError
from trainers.state import named_state
from trainers.systems.catalog import SYSTEMS
from trainers.tree import Tree

EACH_SYSTEM = pytest.mark.parametrize("name", SYSTEMS)
BAD = 2  # the draw that is not finite


def engine(name, on_nonfinite, bad=BAD, replica=1):
    """An engine whose `bad`th draw holds a NaN, in one picture of one replica."""
    honest = worlds.read(2)

    def read(source, draw, at):
        found = {domain: pixels.astype(np.float32) for domain, pixels in honest(source, draw, at).items()}
        if (draw, at) == (bad, replica):
            for pixels in found.values():
                pixels[0, 3, 3, 0] = math.nan
        return found

    options = Options(SEED, on_nonfinite=on_nonfinite)
    return Engine(build(name), read, worlds.SHAPES, Tree(2), options, torch.device("cpu"))


def learned(of):
    """What a masked step must leave alone: parameters and moments."""
    state = named_state(of)
    assert state is not None
    return {name: tensor.clone() for name, tensor in state.items() if name.startswith(("model.", "optimizer."))}


@EACH_SYSTEM
def test_stop_names_the_step_and_what_is_not_finite(name):
    of = engine(name, "stop")
    for _ in range(BAD + 1):
        of.step()
    with pytest.raises(NonFiniteError) as caught:
        of.step()  # no step waits for the device: the flags are read one step late
    error = caught.value
    assert error.step == BAD
    assert {*of.system.weights} <= {*error.culprits}
    assert {f"gradient of {player.name}" for player in of.system.players} <= {*error.culprits}
    assert str(error).startswith(f"step {BAD}: not finite: {error.culprits[0]}, ")
    again = pickle.loads(pickle.dumps(error))
    assert (again.step, again.culprits, str(again)) == (error.step, error.culprits, str(error))


@EACH_SYSTEM
def test_settle_finds_it_before_anything_is_saved(name):
    of = engine(name, "stop")
    for _ in range(BAD):
        of.step()
    of.settle()
    of.step()
    with pytest.raises(NonFiniteError, match=f"step {BAD}: "):
        of.settle()


@EACH_SYSTEM
def test_a_bad_gradient_names_its_player(name):
    of = engine(name, "stop", bad=None)
    player = of.system.players[1]
    player.parameters[0].register_hook(lambda gradient: gradient * math.nan)
    of.step()
    with pytest.raises(NonFiniteError) as caught:
        of.settle()
    assert f"gradient of {player.name}" in caught.value.culprits
    assert not {t for t in of.ledger.terms if math.isfinite(of.ledger.means()[t])} & {*caught.value.culprits}


@EACH_SYSTEM
@pytest.mark.parametrize("bad", [0, BAD])
def test_skip_leaves_weights_and_moments_alone_and_goes_on(name, bad):
    of = engine(name, "skip", bad)
    for _ in range(bad):
        of.step()
    before = learned(of)
    of.step()
    after = learned(of)
    assert same({n: after[n] for n in before}, before)
    assert all(not after[n].any() for n in after.keys() - before.keys()), "moments that only now exist are zero"
    assert (of.t, set(of.draws.values())) == (bad + 1, {bad + 1}), "time and the order of samples go on"
    for _ in range(3):
        of.step()
    moved = learned(of)
    assert not any(torch.equal(moved[n], after[n]) for n in after)
    assert all(torch.isfinite(tensor).all() for tensor in moved.values())
    assert all(math.isfinite(of.ledger.means()[term]) for term in of.ledger.terms)


@EACH_SYSTEM
def test_skip_masks_the_player_whose_gradient_is_bad_and_no_other(name):
    of = engine(name, "skip", bad=None)
    sick, well = of.system.players
    before = learned(of)
    sick.parameters[0].register_hook(lambda gradient: gradient * math.nan)
    of.step()
    owner = {id(p): player for player in (sick, well) for p in player.parameters}
    for parameter_name, parameter in of.system.named_parameters():
        untouched = torch.equal(parameter, before[f"model.{parameter_name}"])
        assert untouched is (owner[id(parameter)] is sick), parameter_name


def test_skip_changes_nothing_where_all_is_finite():
    digests = set()
    for on_nonfinite in ("stop", "skip"):
        of = engine("cyclegan", on_nonfinite, bad=None)
        for _ in range(3):
            of.step()
        digests.add(state_digest(of))
    assert len(digests) == 1


def test_the_pools_of_a_run_that_skips_stay_finite():
    of = engine("cyclegan", "skip", bad=1)
    for _ in range(4):
        of.step()
    assert all(torch.isfinite(pool.images).all() for pools in of.pools.values() for pool in pools.values())
