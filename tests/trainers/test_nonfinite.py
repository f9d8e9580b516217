"""A NaN stops the run and is named, or the step is masked as if it had not been, and told: never does it reach a weight."""

import math
import pickle

import pytest
import torch

from tests.trainers import worlds
from tests.trainers.worlds import STEPS, state_digest, state_of, states_of
from trainers.engine import RETREAT_FACTOR
from trainers.errors import NonFiniteError
from trainers.ledger import TOLD
from trainers.settings import Balance
from trainers.state import load_state
from trainers.systems.catalog import SYSTEMS

EACH_SYSTEM = pytest.mark.parametrize("name", SYSTEMS)
BAD = 2  # the draw that is not finite
# Whose generators see no picture, only the critic that does.
FROM_NOISE = {**dict.fromkeys(("dcgan", "wgan", "began", "cgan", "stackgan"), "generator"), "cogan": "generators"}
OF_TEXTS = {"stackgan": {"kl"}}  # losses that see neither a picture nor a critic


def engine(name, on_nonfinite, bad=BAD, **settings):
    """An engine of two replicas whose `bad`th draw holds a NaN, in one picture of the second one.

    Its critics have one turn a step, so that draw n is step n's for all systems.
    """
    settings = {"balance": Balance(), **settings}
    return worlds.engine(name, bad=None if bad is None else (bad, 1), on_nonfinite=on_nonfinite, **settings)


def at_work(name, step=0):
    """The players that move in a step with how often, and the terms that are observed in it."""
    of = played(engine(name, "stop", bad=None), step)
    before = dict(of.moves)
    of.step()
    times = {player.name: of.moves[player.name] - before[player.name] for player in of.system.players}
    observed = {term for term in of.system.weights if math.isfinite(of.ledger.means()[term])}
    return {player: count for player, count in times.items() if count}, observed


def player_of(of):
    """Tensor of `learned` -> the name of the player that moves it; those of frozen networks are left out."""
    parameters = {id(p): name for name, p in of.system.named_parameters()}
    owned = [(player.name, parameters[id(p)]) for player in of.system.players for p in player.parameters]
    return {
        tensor: player
        for tensor in learned(of)
        for player, name in owned
        if tensor == f"model.{name}" or tensor.startswith(f"optimizer.{player}.{name}.")
    }


def is_shift(of, tensor):
    """Whether no Wasserstein loss changes with this parameter: it shifts all logits."""
    return of.system.hyper.gan == "wgan" and ".bias" in tensor


def learned(of):
    """What a masked step must leave alone: parameters and moments."""
    return {name: tensor for name, tensor in state_of(of).items() if name.startswith(("model.", "optimizer."))}


@EACH_SYSTEM
@pytest.mark.parametrize("on_nonfinite", ["stop", "rollback"])
def test_stop_and_rollback_name_the_step_and_what_is_not_finite(name, on_nonfinite):
    of = engine(name, on_nonfinite)
    for _ in range(BAD + 1):
        of.step()
    with pytest.raises(NonFiniteError) as caught:
        of.step()  # no step waits for the device: the flags are read one step late
    error = caught.value
    assert error.step == BAD
    movers, observed = at_work(name, BAD)
    observed -= OF_TEXTS.get(name, set())
    assert {*observed, *(f"gradient of {player}" for player in movers)} <= {*error.culprits}
    assert str(error).startswith(f"step {BAD}: not finite: {error.culprits[0]}, ")
    again = pickle.loads(pickle.dumps(error))
    assert (again.step, again.culprits, str(again)) == (error.step, error.culprits, str(error))


@EACH_SYSTEM
def test_settle_finds_it_before_anything_is_saved(name):
    of = played(engine(name, "stop"), BAD)
    of.settle()
    of.step()
    with pytest.raises(NonFiniteError, match=f"step {BAD}: "):
        of.settle()


@EACH_SYSTEM
def test_a_bad_gradient_names_its_player(name):
    of = engine(name, "stop", bad=None)
    movers, _ = at_work(name)
    player = next(player for player in of.system.players if player.name == [*movers][-1])
    player.parameters[0].register_hook(lambda gradient: gradient * math.nan)
    of.step()
    with pytest.raises(NonFiniteError) as caught:
        of.settle()
    assert f"gradient of {player.name}" in caught.value.culprits
    assert not {t for t in of.ledger.terms if math.isfinite(of.ledger.means()[t])} & {*caught.value.culprits}


@EACH_SYSTEM
@pytest.mark.parametrize("bad", [0, BAD])
def test_skip_leaves_weights_and_moments_alone_and_goes_on(name, bad):
    of = played(engine(name, "skip", bad), bad)
    before, clips = learned(of), {player.name: player.clip for player in of.system.players}
    of.step()
    of.settle()
    left_out = {player for player, count in of.skipped.items() if count}
    movers, _ = at_work(name, bad)
    assert left_out == {player for player in movers if player != FROM_NOISE.get(name)}
    after, player = learned(of), player_of(of)
    for tensor in (tensor for tensor in player if player[tensor] in left_out):
        if tensor not in before:
            assert not after[tensor].any(), "moments that only now exist are zero"
            continue
        kept, clip = before[tensor], clips[player[tensor]]
        kept = kept.clamp(-clip, clip) if clip is not None and tensor.startswith("model.") else kept
        assert torch.equal(after[tensor], kept), tensor
    assert (of.t, set(of.draws.values())) == (bad + 1, {bad + 1}), "time and the order of samples go on"
    for _ in range(3):
        of.step()
    of.settle()
    moved = learned(of)
    assert not [n for n in player if torch.equal(moved[n], after[n]) and not is_shift(of, n)]
    assert all(torch.isfinite(tensor).all() for tensor in moved.values())
    assert of.skipped == {p: movers[p] if p in left_out else 0 for p in of.skipped}, "and no other step is"


@EACH_SYSTEM
def test_skip_masks_the_player_whose_gradient_is_bad_and_no_other(name):
    of = engine(name, "skip", bad=None)
    movers, _ = at_work(name)
    sick = next(player for player in of.system.players if player.name in movers)
    before = learned(of)
    sick.parameters[0].register_hook(lambda gradient: gradient * math.nan)
    of.step()
    after = learned(of)
    for tensor, player in player_of(of).items():
        untouched = tensor in before and torch.equal(after[tensor], before[tensor])
        if tensor.startswith("model.") and player == sick.name:
            assert untouched, tensor
        elif tensor.startswith("model.") and player in movers:
            assert not untouched or is_shift(of, tensor), tensor


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


def spoil(of, player, when):
    """Make gradients of a player NaN: those for which `when(how many were taken before)` says so, over both replicas."""
    taken: list[None] = []

    def hook(gradient):
        taken.append(None)
        return gradient * math.nan if when(len(taken) - 1) else gradient

    player.parameters[0].register_hook(hook)


def played(of, steps):
    """The engine after some steps."""
    for _ in range(steps):
        of.step()
    return of


def test_skips_are_counted_and_told_a_step_late():
    of = played(engine("pix2pix", "skip"), BAD + 1)
    assert (of.skipped, of.take_skips()) == ({"critic": 0, "generator": 0}, [])
    of.step()
    assert of.skipped == {"critic": 1, "generator": 1}
    assert of.take_skips() == [
        f"step {BAD}: update of critic skipped: not finite: d, gradient of critic",
        f"step {BAD}: update of generator skipped: not finite: adv, l1, gradient of generator",
    ]
    assert played(of, 2).take_skips() == [], "each is told once"
    assert of.skipped == {"critic": 1, "generator": 1}


@EACH_SYSTEM
def test_settling_tells_of_the_last_step_and_of_the_player_that_was_left_out_alone(name):
    of = engine(name, "skip", bad=None)
    movers, _ = at_work(name)
    sick = next(player for player in of.system.players if player.name in movers)
    spoil(of, sick, lambda taken: taken == 0)
    of.step()
    of.settle()
    assert of.take_skips() == [f"step 0: update of {sick.name} skipped: not finite: gradient of {sick.name}"]
    assert played(of, 2).skipped == {player.name: int(player is sick) for player in of.system.players}


@pytest.mark.parametrize("last", [False, True])
def test_one_bad_move_among_a_critics_turns_is_not_lost(last):
    def spoilt(on_nonfinite):
        of = engine("pix2pix", on_nonfinite, bad=None, balance=Balance(critic_turns=3))
        critic = next(player for player in of.system.players if player.critic)
        spoil(of, critic, lambda taken: taken in ((4,) if last else (0, 2)))  # two replicas a turn
        return of

    of = spoilt("skip")
    of.step()
    of.settle()
    times = "update" if last else "2 updates"
    assert of.take_skips() == [f"step 0: {times} of critic skipped: not finite: gradient of critic"]
    assert of.skipped == {"critic": 1 if last else 2, "generator": 0}
    of = spoilt("stop")
    of.step()
    with pytest.raises(NonFiniteError, match=r"step 0: not finite: .*gradient of critic"):
        of.settle()


def test_many_skips_are_told_in_few_lines():
    of = engine("pix2pix", "skip", bad=None)
    spoil(of, of.system.players[0], lambda taken: True)
    assert played(of, TOLD + 3).skipped[of.system.players[0].name] == TOLD + 2
    told = of.take_skips()
    assert [line.partition(":")[0] for line in told[:TOLD]] == [f"step {step}" for step in range(TOLD)]
    assert told[TOLD:] == [f"2 more times updates were skipped, up to step {TOLD + 1}"]


@EACH_SYSTEM
def test_a_state_holds_the_skips_of_all_steps_before_it(name):
    undisturbed = engine(name, "skip")
    states = states_of(undisturbed, (BAD, BAD + 1, BAD + 2))
    counted = {player: count for player, count in undisturbed.skipped.items() if count}
    assert counted
    names = {f"counter.skipped.{player}" for player in counted}
    for saved, state in states.items():
        assert names & state.keys() == (names if saved > BAD else set())
        of = engine(name, "skip")
        load_state(of, state)
        assert of.skipped == {player: counted.get(player, 0) if saved > BAD else 0 for player in of.skipped}
        assert state_digest(played(of, STEPS - saved)) == state_digest(undisturbed)
        assert of.skipped == undisturbed.skipped


@EACH_SYSTEM
def test_every_rate_is_halved_from_a_retreat_on(name):
    of, usual = engine(name, "rollback", bad=None), engine(name, "rollback", bad=None)
    of.retreats = (1, 3, 3)
    for step in range(STEPS):
        of.step()
        usual.step()
        factor = RETREAT_FACTOR ** (0 if step < 1 else 1 if step < 3 else 3)
        for player, optimizer in of.optimizers.items():
            rate = usual.optimizers[player].param_groups[0]["lr"]
            assert optimizer.param_groups[0]["lr"] == rate * factor


@EACH_SYSTEM
def test_a_retreat_does_not_depend_on_where_a_run_was_resumed(name):
    undisturbed = engine(name, "rollback", bad=None)
    undisturbed.retreats = (3,)
    states = states_of(undisturbed, (1, 3, 4))
    wanted = state_digest(undisturbed)
    for saved, state in states.items():
        of = engine(name, "rollback", bad=None)
        load_state(of, state)
        assert of.retreats == (3,)
        assert state_digest(played(of, STEPS - saved)) == wanted
    assert wanted != state_digest(played(engine(name, "rollback", bad=None), STEPS))


@EACH_SYSTEM
def test_going_back_in_the_same_process_is_going_on_from_that_state_elsewhere(name):
    of = engine(name, "rollback", bad=4)
    state = state_of(played(of, 2))
    with pytest.raises(NonFiniteError, match="step 4: "):
        played(of, 4)
    load_state(of, state)
    of.retreats += (2,)
    elsewhere = engine(name, "rollback", bad=None)
    load_state(elsewhere, state)
    elsewhere.retreats = (2,)
    assert state_digest(played(of, 2)) == state_digest(played(elsewhere, 2))
    with pytest.raises(NonFiniteError, match="step 4: "):
        played(of, 2)
    load_state(of, state)
    assert of.retreats == (), "a state from before a retreat knows nothing of it"
