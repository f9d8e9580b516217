"""Every system keeps every promise: one suite over all of them. A new system adds one line to `worlds.TINY`."""

import functools
import math

import pytest
import torch
from safetensors.torch import load, save

from tests.trainers import trainings, worlds
from tests.trainers.trainings import REPLICAS, digests_on, train_in_legs
from tests.trainers.worlds import STEPS, VARIANTS, engine, state_digest, variant
from trainers.settings import Balance
from trainers.state import load_state, named_state
from trainers.system import Move
from trainers.systems.catalog import SYSTEMS
from trainers.tree import Tree

EACH_SYSTEM = pytest.mark.parametrize("name", SYSTEMS)
EACH_VARIANT = pytest.mark.parametrize("name", VARIANTS)


def parameters(of):
    """name -> a copy of each parameter."""
    return {name: p.detach().clone() for name, p in of.system.named_parameters()}


def played(of, steps=STEPS, report=False):
    """The engine after some steps."""
    for _ in range(steps):
        of.step(report=report)
    return of


@functools.cache
def alone(name, replicas=REPLICAS):
    """What a variant comes to on one worker, undisturbed: (digest, the last step's means, skips)."""
    of = trainings.played(variant(name, Tree(replicas)))
    return state_digest(of), *trainings.numbers(of)


# Sums are shared out among four workers however small they are, and travel whole between two.
@functools.cache
def on_workers(workers):
    """The same for every variant, from bare gloo processes."""
    return digests_on(workers, REPLICAS, large=64)


def test_every_system_has_tiny_settings():
    assert set(worlds.TINY) == set(SYSTEMS)


@EACH_SYSTEM
def test_every_declared_term_is_observed(name):
    of = played(engine(name), 1, report=True)
    means = of.ledger.means()
    assert set(of.system.weights) == {t.name for t in SYSTEMS[name].terms if t.exists(of.system.hyper)}
    assert all(math.isfinite(means[term]) for term in of.system.weights), means


@EACH_SYSTEM
def test_every_player_moves_and_covers_the_parameters(name):
    of = engine(name)
    before = parameters(of)
    played(of, 1)
    still = [n for n, p in parameters(of).items() if torch.equal(p, before[n])]
    assert not still
    owned = [id(p) for player in of.system.players for p in player.parameters]
    assert sorted(owned) == sorted(id(p) for p in of.system.parameters()), (
        "players are disjoint and own every parameter"
    )


@EACH_SYSTEM
def test_a_move_touches_its_players_only(name, monkeypatch):
    of = engine(name)
    players = {player.name for player in of.system.players}
    moved: list[set[str]] = []
    apply = type(of)._move
    before = parameters(of)

    def watched(self, flat, total):
        owner = {id(p): player.name for player in self.system.players for p in player.parameters}
        before = {n: p.detach().clone() for n, p in self.system.named_parameters()}
        apply(self, flat, total)
        changed = {owner[id(p)] for n, p in self.system.named_parameters() if not torch.equal(p, before[n])}
        assert changed == {flat.player.name}
        moved.append(changed)

    monkeypatch.setattr(of, "_move", watched.__get__(of))
    played(of, 1)
    assert set().union(*moved) == players
    assert before.keys() == parameters(of).keys()


@EACH_SYSTEM
def test_grad_mode_held_over_a_yield_is_refused(name):
    of = engine(name)
    honest = of.system.step

    def dishonest(t, replica):
        with torch.no_grad():
            yield from honest(t, replica)

    of.system.step = dishonest
    with pytest.raises(RuntimeError, match="held over a yield"):
        of.step()


@EACH_VARIANT
def test_saving_and_loading_is_exact(name):
    undisturbed = state_digest(played(variant(name)))
    first = played(variant(name), STEPS // 2)
    second = variant(name)
    load_state(second, load(save(named_state(first) or {})))
    assert state_digest(second) == state_digest(first)
    assert state_digest(played(second, STEPS - STEPS // 2)) == undisturbed


@EACH_VARIANT
@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_is_one(workers, name):
    assert on_workers(workers)[name] == alone(name)


def test_eight_workers_are_one():
    assert digests_on(8, 8, ["cyclegan"], large=64) == {"cyclegan": alone("cyclegan", 8)}


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 23))])
def test_a_run_whose_workers_are_killed_and_change_in_number_comes_to_the_same(seed, tmp_path):
    assert train_in_legs(seed, tmp_path) == {name: alone(name)[0] for name in worlds.VARIANTS}


@EACH_VARIANT
def test_reporting_changes_no_bits(name):
    assert state_digest(played(variant(name), report=True)) == state_digest(played(variant(name)))


@pytest.mark.parametrize(("name", "term"), [(n, t.name) for n, s in SYSTEMS.items() for t in s.terms])
def test_weight_zero_silences_a_term_and_still_shows_it(name, term):
    of = played(engine(name, weights={term: 0.0}), 2, report=True)
    assert math.isfinite(of.ledger.means()[term])
    unseen = played(engine(name, weights={term: 0.0}), 2)
    assert state_digest(of) == state_digest(unseen)
    assert state_digest(of) != state_digest(played(engine(name), 2))


@EACH_SYSTEM
def test_only_silent_terms_leave_a_player_where_it_is(name):
    critics = {t: 0.0 for t, player in carriers(name).items() if player.critic}
    of = engine(name, weights=critics)
    before = parameters(of)
    played(of, 2)
    owner = {id(p): player for player in of.system.players for p in player.parameters}
    for parameter_name, parameter in of.system.named_parameters():
        assert torch.equal(parameter, before[parameter_name]) == owner[id(parameter)].critic


def carriers(name):
    """term -> the player that follows it, seen by playing one step."""
    of = engine(name)
    found = {}
    honest = of.system.step

    def watched(t, replica):
        game = honest(t, replica)
        for move in game:
            assert isinstance(move, Move)
            for weighed, players in move.pairs:
                found.update(dict.fromkeys((*weighed.raw, *weighed.silent), players[0]))
            yield move

    of.system.step = watched
    of.step()
    return found


@EACH_SYSTEM
def test_turns_and_rest_of_a_critic(name):
    of = played(engine(name, balance=Balance(critic_turns=3)), 2)
    assert [of.moves[player.name] for player in of.system.players] == [6 if p.critic else 2 for p in of.system.players]
    resting = engine(name, balance=Balance(target_accuracy=0.8))
    resting.accuracy.fill_(0.9)
    played(resting, 2)
    assert [resting.moves[p.name] for p in resting.system.players] == [0 if p.critic else 2 for p in of.system.players]
    assert all(math.isfinite(v) for n, v in resting.ledger.means().items() if n in carriers(name))


@EACH_SYSTEM
def test_lr_ratio_changes_the_critics_alone(name):
    of = engine(name, balance=Balance(lr_ratio=0.25))
    of.step()
    for player in of.system.players:
        rate = of.optimizers[player.name].param_groups[0]["lr"]
        assert rate == pytest.approx(player.optimizer.lr * (0.25 if player.critic else 1.0))


@EACH_SYSTEM
def test_translation_gives_what_is_declared(name):
    of = engine(name)
    images = {domain: torch.zeros(2, *shape) for domain, shape in worlds.SHAPES.items()}
    with torch.no_grad():
        shown = of.system.show(images)
    assert set(shown) == set(SYSTEMS[name].shows)
    assert all(picture.shape == (2, *worlds.SHAPES["b"]) for picture in shown.values())
    assert set(of.system.translators) <= set(SYSTEMS[name].reads.domains)
