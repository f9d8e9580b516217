"""Every system keeps every promise: one suite over all of them. A new system adds one line to `variants.TINY`."""

import functools

import pytest
import torch

from tests.trainers import trainings, worlds
from tests.trainers.trainings import REPLICAS, digests_on, train_in_legs
from tests.trainers.worlds import METHODS, STEPS, VARIANTS, engine, state_digest, variant
from trainers.conformance import PROMISES, ROUND, observed, parameters, played
from trainers.settings import Balance
from trainers.system import Move
from trainers.systems.catalog import SYSTEMS
from trainers.tree import Tree

WATCHED = {
    ("balanced-frozen-as-printed", "task_real")
}  # nobody learns from what a frozen network makes of real pictures
EACH_SYSTEM = pytest.mark.parametrize("name", METHODS)
EACH_VARIANT = pytest.mark.parametrize("name", VARIANTS)
# Silence is asked of each term by itself, below; and what is saved and goes on to the same bits has been repeated.
KEPT = [promise for promise in PROMISES if promise.name not in ("silence", "repeating")]


@functools.cache
def alone(name, replicas=REPLICAS):
    """What a variant comes to on one worker, undisturbed: (digest, the last step's means, skips)."""
    of = trainings.played(variant(name, Tree(replicas)))
    return state_digest(of), *trainings.numbers(of)


@functools.cache
def on_workers(workers):
    """The same from bare gloo processes. Sums are shared out among four workers however small they are, and travel whole between
    two, which a system's other settings change nothing of."""
    return digests_on(workers, REPLICAS, tuple(VARIANTS if workers == 4 else METHODS), large=64)


def test_every_system_has_tiny_settings():
    assert set(worlds.TINY) == set(METHODS)


PRESETS = [(name, preset) for name, kind in SYSTEMS.items() for preset in kind.presets]


@functools.cache
def maker(name):
    """One for all promises of a variant."""
    return lambda weights: variant(name, weights=weights)


@EACH_VARIANT
@pytest.mark.parametrize("promise", KEPT, ids=lambda promise: promise.name)
def test_every_variant_keeps_its_promises(promise, name):
    promise.check(maker(name))


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_every_preset_trains_and_observes_its_terms(name, preset):
    of = worlds.engine_of_preset(name, preset)
    in_force = {t.name for t in METHODS[name].in_force(of.system.hyper)}
    assert observed(of) == set(of.system.weights) == in_force


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


@pytest.mark.parametrize(("workers", "name"), [*((2, name) for name in METHODS), *((4, name) for name in VARIANTS)])
def test_any_number_of_workers_is_one(workers, name):
    assert on_workers(workers)[name] == alone(name)


def test_eight_workers_are_one():
    assert digests_on(8, 8, ["cyclegan"], large=64) == {"cyclegan": alone("cyclegan", 8)}


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 23))])
def test_a_run_whose_workers_are_killed_and_change_in_number_comes_to_the_same(seed, tmp_path):
    assert train_in_legs(seed, tmp_path) == {name: alone(name)[0] for name in worlds.DISTURBED}


@pytest.mark.parametrize(("name", "term"), [(n, t) for n in VARIANTS for t in worlds.own_terms(n)])
def test_weight_zero_silences_a_term_and_still_shows_it(name, term):
    of = variant(name, weights={term: 0.0})
    assert term in observed(of)
    unseen = state_digest(played(variant(name, weights={term: 0.0}), ROUND))
    assert state_digest(of) == unseen, "a term without weight is watched and nothing more"
    values, digest = with_all_weights(name)
    assert unseen != digest or values[term] == 0 or (name, term) in WATCHED, "a one-sided penalty may be 0"


@functools.cache
def with_all_weights(name):
    """What a variant's terms come to, and its digest, after as many steps."""
    of = played(variant(name), ROUND)
    return of.ledger.means(), state_digest(of)


@EACH_SYSTEM
def test_only_silent_terms_leave_a_player_where_it_is(name):
    critics = {t: 0.0 for t, player in carriers(name).items() if player.critic}
    of = engine(name, weights=critics)
    before = parameters(of)
    played(of, ROUND)
    owner = {id(p): player for player in of.system.players for p in player.parameters}
    for parameter_name, parameter in of.system.named_parameters():
        if id(parameter) in owner:
            player = owner[id(parameter)]
            kept = before[parameter_name]
            kept = kept if player.clip is None else kept.clamp(-player.clip, player.clip)  # by a move without gradient
            assert torch.equal(parameter, kept) == player.critic


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
                found.update(dict.fromkeys(weighed.raw, players[0]))
                for term in weighed.silent:  # it may be the other side's, whose step it is not
                    found.setdefault(term, players[0])
            yield move

    of.system.step = watched
    played(of, ROUND)
    return found


@EACH_SYSTEM
def test_turns_and_rest_of_a_critic(name):
    once, twice = (played(engine(name, balance=Balance(critic_turns=turns)), ROUND) for turns in (1, 2))
    critics = {player.name for player in once.system.players if player.critic}
    assert all(once.moves.values())
    assert twice.moves == {player: moves * (2 if player in critics else 1) for player, moves in once.moves.items()}
    resting = engine(name, balance=Balance(target_accuracy=0.8))
    resting.accuracy.fill_(0.9)
    seen = observed(resting)
    assert resting.moves == {player: 0 if player in critics else moves for player, moves in once.moves.items()}
    assert seen == set(resting.system.weights), "a resting critic is still watched"


@EACH_SYSTEM
def test_the_controller_gives_a_blind_critic_more_turns(name):
    balance = Balance(target_accuracy=0.9, most_turns=3)
    base, driven = played(engine(name, balance=Balance()), ROUND), played(engine(name, balance=balance), 1)
    critics = {player.name for player in base.system.players if player.critic}
    assert state_digest(driven) != state_digest(played(engine(name, balance=Balance()), 1)) or not critics
    played(driven, ROUND - 1)
    assert all(driven.moves[critic] > base.moves[critic] for critic in critics)


@EACH_SYSTEM
def test_lr_ratio_changes_the_critics_alone(name):
    of = engine(name, balance=Balance(lr_ratio=0.25))
    of.step()
    for player in of.system.players:
        rate = of.optimizers[player.name].param_groups[0]["lr"]
        assert rate == pytest.approx(player.optimizer.lr * (0.25 if player.critic else 1.0))


@EACH_VARIANT
def test_what_is_shown_is_what_is_declared(name):
    of = variant(name)
    kind = type(of.system)
    images = {domain: torch.zeros(2, *worlds.SHAPES[domain]) for domain in of.system.reads.domains}
    with torch.no_grad():
        shown = of.system.show(images)
    way_back = set() if "a" in of.system.translators else {"fake_a", "cycle_a", "cycle_b"}
    optional = {"idt_a", "idt_b"} | way_back
    assert set(kind.shows) - optional <= set(shown) <= set(kind.shows)
    assert all(picture.shape == (2, *worlds.SHAPES["b"]) for picture in shown.values())
    assert set(of.system.translators) <= set(of.system.reads.domains)


@pytest.mark.parametrize("name", [n for n in VARIANTS if worlds.varies(n)])
def test_another_random_stream_shows_another_picture(name):
    of = variant(name)
    images = {domain: torch.zeros(2, *worlds.SHAPES[domain]) for domain in of.system.reads.domains}

    def shown(seed):
        torch.manual_seed(seed)
        with torch.no_grad():
            return of.system.show(images)["fake_b"]

    assert torch.equal(shown(1), shown(1))
    assert not torch.equal(shown(1), shown(2))


@EACH_SYSTEM
def test_another_seed_gives_other_bits(name):
    assert state_digest(played(engine(name, seed=1), 1)) != state_digest(played(engine(name, seed=2), 1))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image", [32, 64])
@EACH_SYSTEM
def test_every_system_builds_at_both_sizes(name, image, channels):
    kind = METHODS[name]
    shapes = dict.fromkeys(kind.reads.domains, (channels, image, image))
    hyper = kind.Hyper(**worlds.TINY[name])
    kind.check(shapes, hyper)
    weights = {term.name: term.weight for term in kind.in_force(hyper)}
    system = kind.build(hyper, shapes, weights, STEPS)
    with torch.no_grad():
        shown = system.show({domain: torch.zeros(2, *shape) for domain, shape in shapes.items()})
    assert all(picture.shape == (2, channels, image, image) for picture in shown.values())
