"""The state: a snapshot that training does not touch, and all that an engine needs, whatever it did before."""

import pytest
import torch

from tests.trainers.watching import same
from tests.trainers.worlds import DISTURBED, METHODS, STEPS, VARIANTS, state_digest, state_of, variant
from trainers.state import load_state
from trainers.tree import Tree

EACH_VARIANT = pytest.mark.parametrize("name", VARIANTS)
SAVED = 3


def played(of, steps):
    """The engine after some steps."""
    for step in range(steps):
        of.step(report=step % 2 == 1)
    return of


def loaded(of, state):
    """The engine with this state."""
    load_state(of, state)
    return of


@EACH_VARIANT
def test_a_state_is_a_snapshot(name):
    of = played(variant(name), SAVED)
    state = state_of(of)
    before = {key: tensor.clone() for key, tensor in state.items()}
    assert all(tensor.is_contiguous() and tensor.device.type == "cpu" for tensor in state.values())
    played(of, 2)
    assert same(state, before)
    load_state(of, state)
    played(of, 2)
    assert same(state, before), "an engine that took it over leaves it alone too"


@EACH_VARIANT
def test_a_used_engine_takes_over_a_state_as_a_fresh_one_does(name):
    state = state_of(played(variant(name), SAVED))
    fresh = loaded(variant(name), state)
    used = loaded(played(variant(name), SAVED + 2), state)
    assert state_digest(used) == state_digest(fresh)
    for of in (fresh, used):
        played(of, STEPS - SAVED).settle()
    assert state_digest(used) == state_digest(fresh)
    assert used.take_skips() == fresh.take_skips()
    assert str(used.ledger.means()) == str(fresh.ledger.means())


@pytest.mark.parametrize(
    ("name", "replica"), [("cyclegan", 1), *((name, 3) for name in dict.fromkeys([*METHODS, *DISTURBED]))]
)
def test_an_engine_goes_on_after_a_step_that_broke_off(name, replica):
    of = variant(name, Tree(4))
    state = state_of(played(of, SAVED))
    honest = of.read

    def broken(source, draw, at):
        if at == replica:
            raise OSError("the store is gone")
        return honest(source, draw, at)

    of.read = broken
    with pytest.raises(OSError, match="the store is gone"):
        of.step()
    of.read = honest
    load_state(of, state)
    undisturbed = loaded(variant(name, Tree(4)), state)
    assert state_digest(played(of, 2)) == state_digest(played(undisturbed, 2))


def test_breaking_off_between_two_sums_is_forgotten_too(monkeypatch):
    of = variant("cyclegan", Tree(4))
    state = state_of(played(of, 1))
    halfway = of.scalar_sum.push

    def push(buffer):
        halfway(buffer)
        raise RuntimeError("in the midst of a sum")

    monkeypatch.setattr(of.scalar_sum, "push", push)
    with pytest.raises(RuntimeError, match="in the midst of a sum"):
        of.step()
    monkeypatch.undo()
    undisturbed = loaded(variant("cyclegan", Tree(4)), state)
    assert state_digest(played(loaded(of, state), 2)) == state_digest(played(undisturbed, 2))


def test_a_state_from_before_there_were_skips_and_retreats_is_taken_over():
    of = variant("pix2pix-skip")
    old = {key: t for key, t in state_of(played(of, 2)).items() if not key.startswith("counter.skipped")}
    assert "counter.retreats" not in old
    played(of, 3)
    of.retreats = (1,)
    assert torch.equal(state_of(of)["counter.retreats"], torch.tensor([1]))
    load_state(of, old)
    assert (of.t, of.skipped) == (2, {"critic": 0, "generator": 0})
    assert not of.retreats
