"""DistanceGAN is the paper's: which terms there are, what of them by hand, and statistics that are measured once."""

import pytest
import torch
import torch.nn.functional as F

from orchestrator.planning.known import known_settings
from orchestrator.planning.sizes import Machine, find_sizes
from orchestrator.sweep_file.draft import read_draft
from orchestrator.sweep_file.sweep import Sweep
from tests.trainers.watching import batch, before, gradients, same, watch
from tests.trainers.worlds import SHAPES, Pictures, build, engine, engine_of_preset, state_digest, state_of
from trainers.distances import half_distances, measure_halves, measure_pairs, pair_distances
from trainers.errors import SettingError
from trainers.settings import aliases
from trainers.state import load_state
from trainers.systems.distancegan import DistanceGAN, DistanceGANHyper
from trainers.tree import Tree

DISCO = {"architecture": "discogan", "gan": "vanilla", "pool": 0}


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def standardised(distances, statistics):
    return (distances - statistics[0]) / statistics[1]


def changed(distances, source, made, of_source, of_made):
    """The mean change of distances, by the formula."""
    return (standardised(distances(source), of_source) - standardised(distances(made), of_made)).abs().mean()


def test_every_coefficient_of_the_paper_is_one_term():
    names = ["adv_ab", "adv_ba", "cyc_a", "cyc_b", "dist_ab", "dist_ba", "self_ab", "self_ba"]
    symbols = [f"alpha_{number}{side}" for number in (1, 2, 3, 4) for side in "AB"]
    assert [aliases(DistanceGAN.terms)[symbol] for symbol in symbols] == [(name,) for name in names]


def test_the_objective_both_ways_is_the_papers():
    of = engine("distancegan", tree=Tree(1), hyper={"cycle": True})
    seen, old, images = watch(of), before(of), batch(of)
    of_a, of_b = of.measured["a.pairs"], of.measured["b.pairs"]
    of.step()
    a, b = images["a"], images["b"]
    with torch.no_grad():
        fake_b, fake_a = old.ab(a), old.ba(b)
        by_hand = {
            "adv_ab": (old.d_b(fake_b) - 1).square().mean(),
            "adv_ba": (old.d_a(fake_a) - 1).square().mean(),
            "cyc_a": (old.ba(fake_b) - a).abs().mean(),
            "cyc_b": (old.ab(fake_a) - b).abs().mean(),
            "dist_ab": changed(pair_distances, a, fake_b, of_a, of_b),
            "dist_ba": changed(pair_distances, b, fake_a, of_b, of_a),
        }
        critics = {
            "d_a": 0.5 * ((old.d_a(a) - 1).square().mean() + old.d_a(fake_a).square().mean()),
            "d_b": 0.5 * ((old.d_b(b) - 1).square().mean() + old.d_b(fake_b).square().mean()),
        }
    assert [move.players for move in seen] == [("generators",), ("critics",)]
    assert seen[0].raw == pytest.approx({name: value.item() for name, value in by_hand.items()}, rel=1e-4)
    assert seen[1].raw == pytest.approx({name: value.item() for name, value in critics.items()}, rel=1e-4)
    game = by_hand["adv_ab"] + by_hand["adv_ba"] + by_hand["dist_ab"] + by_hand["dist_ba"]
    assert seen[0].loss == pytest.approx((game + 10 * (by_hand["cyc_a"] + by_hand["cyc_b"])).item(), rel=1e-4)


@pytest.mark.parametrize("axis", ["width", "height"])
def test_the_self_distance_has_one_axis_in_statistics_and_loss(axis):
    of = engine("distancegan", tree=Tree(1), hyper={"sides": "ab", "distance": "self", "self_axis": axis})
    of_a, of_b = (measure_halves(Pictures(), domain, axis) for domain in "ab")
    known = {name: value.tolist() for name, value in of.measured.items()}
    assert known == {"a.halves": of_a.tolist(), "b.halves": of_b.tolist()}
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    with torch.no_grad():
        expected = changed(lambda x: half_distances(x, axis), images["a"], old.ab(images["a"]), of_a, of_b)
    assert seen[0].raw["self_ab"] == pytest.approx(expected.item(), rel=1e-4)


def test_statistics_are_of_real_pictures_one_by_one():
    of = engine("distancegan")
    assert of.system.measures == {"a.pairs": (2,), "b.pairs": (2,)}
    for domain in "ab":
        assert torch.equal(of.measured[f"{domain}.pairs"], measure_pairs(Pictures(), domain))


def permute(of, order):
    """Make of ab a fixed permutation of an image's pixels."""
    of.system.ab.forward = lambda images: images.flatten(2)[..., order].reshape(images.shape)


def test_a_permutation_of_the_pixels_changes_no_distance():
    order = torch.randperm(32 * 32)
    of = engine("distancegan", hyper={"sides": "ab"})
    of.measured["b.pairs"] = of.measured["a.pairs"]
    permute(of, order)
    seen = watch(of)
    of.step()
    assert seen[0].raw["dist_ab"] == pytest.approx(0, abs=1e-4)
    other = engine("distancegan", hyper={"sides": "ab"})
    other.measured["b.pairs"] = other.measured["a.pairs"] * 1.5
    permute(other, order)
    seen = watch(other)
    other.step()
    assert seen[0].raw["dist_ab"] > 0.1, "where the domains' statistics differ, it does"


def test_pairs_are_formed_within_a_replica():
    of = engine("distancegan", tree=Tree(2))
    seen, old = watch(of), before(of)
    of_a, of_b = of.measured["a.pairs"], of.measured["b.pairs"]
    of.step()
    for replica in (0, 1):
        a = batch(of, replica=replica)["a"]
        assert len(a) == 2
        with torch.no_grad():
            expected = changed(pair_distances, a, old.ab(a), of_a, of_b)
        assert seen[replica].raw["dist_ab"] == pytest.approx(expected.item(), rel=1e-4)


def test_without_normalisation_nothing_is_measured():
    of = engine("distancegan", tree=Tree(1), hyper={"normalised": False, "sides": "ab"})
    assert of.system.measures == of.measured == {}
    seen, old, a = watch(of), before(of), batch(of)["a"]
    of.step()
    with torch.no_grad():
        expected = (pair_distances(a) - pair_distances(old.ab(a))).abs().mean()
    assert seen[0].raw["dist_ab"] == pytest.approx(expected.item(), rel=1e-4)


def test_statistics_survive_a_resume_and_are_never_measured_again(monkeypatch):
    first = engine("distancegan")
    first.step()
    state = state_of(first)
    second = engine("distancegan")
    second.measure(Pictures(9))
    assert not torch.equal(second.measured["a.pairs"], first.measured["a.pairs"])
    monkeypatch.setattr(DistanceGAN, "measure", None)
    load_state(second, state)
    assert {name: value.tolist() for name, value in second.measured.items()} == {
        name: state[f"measured.{name}"].tolist() for name in ("a.pairs", "b.pairs")
    }
    first.step()
    second.step()
    assert state_digest(first) == state_digest(second)


@pytest.mark.parametrize("architecture", [{}, DISCO])
@pytest.mark.parametrize("distance", ["pairs", "self"])
def test_one_sided_builds_no_second_direction(distance, architecture):
    of = engine("distancegan", hyper={"sides": "ab", "distance": distance, **architecture})
    assert {name for name, _ in of.system.named_children()} == {"ab", "d_b"}
    assert of.system.translators.keys() == of.system.pools.keys() == {"b"}
    assert not [term for term in of.system.weights if term.endswith(("_ba", "_a"))]
    of.step()
    assert of.draws == {"a": 1, "b": 1}, "both domains are still seen: the critic needs b, the translation a"
    with torch.no_grad():
        shown = of.system.show({domain: torch.zeros(1, *shape) for domain, shape in SHAPES.items()})
    assert tuple(shown) == DistanceGAN.showing(of.system.hyper) == ("fake_b",)


def test_the_critics_losses_do_not_touch_the_generators():
    def after_a_step(**weights):
        of = engine("distancegan", weights=weights)
        of.step()
        return gradients(of, "generators"), gradients(of, "critics")

    generators, critics = after_a_step()
    with_strong_critics = after_a_step(d_a=7.0, d_b=7.0)
    assert same(with_strong_critics[0], generators)
    assert not same(with_strong_critics[1], critics)
    with_strong_distances = after_a_step(dist_ab=3.0)
    assert not same(with_strong_distances[0], generators)
    assert same(with_strong_distances[1], critics)


@pytest.mark.parametrize(
    ("hyper", "term", "taught"),
    [
        ({}, "adv_ab", "ab"),
        ({}, "dist_ab", "ab"),
        ({}, "dist_ba", "ba"),
        ({"distance": "self"}, "self_ba", "ba"),
        ({"cycle": True}, "cyc_a", "ab ba"),
        (DISCO, "fm_ab", "ab"),
    ],
)
def test_whom_a_term_teaches(hyper, term, taught):
    of = engine("distancegan", hyper=hyper)
    of.system.weights = {name: float(name == term) for name in of.system.weights}
    of.step()
    of.step()  # in DiscoGAN's flavour the generators move from step 1 on
    reached = {name.split(".")[0] for name, gradient in gradients(of, "generators").items() if gradient.any()}
    assert reached == set(taught.split())


@pytest.mark.parametrize(("t", "share"), [(1, 0.01), (2, 0.5)])
def test_discogans_flavour_by_hand(t, share):
    of = engine_of_preset("distancegan", "discogan-cycle-distance")
    while of.t < t:
        of.step()
    seen, old, images = watch(of), before(of), batch(of, draw=t)
    of_a, of_b = of.measured["a.pairs"], of.measured["b.pairs"]
    of.step()
    a, b = images["a"], images["b"]
    with torch.no_grad():
        fake_b, fake_a = old.ab(a), old.ba(b)
        raw = {}
        for name, critic, real, fake in (("ab", old.d_b, b, fake_b), ("ba", old.d_a, a, fake_a)):
            logits, maps = critic.features(fake)
            raw[f"adv_{name}"] = bce(logits, 1.0)
            pairs = zip(critic.features(real)[1], maps, strict=True)
            raw[f"fm_{name}"] = sum((x.mean(0) - y.mean(0)).square().mean() for x, y in pairs)
        raw |= {"cyc_a": (old.ba(fake_b) - a).square().mean(), "cyc_b": (old.ab(fake_a) - b).square().mean()}
        raw["dist_ab"] = changed(pair_distances, a, fake_b, of_a, of_b)
        raw["dist_ba"] = changed(pair_distances, b, fake_a, of_b, of_a)
    assert seen[0].players == ("generators",)
    assert seen[0].raw == pytest.approx({name: value.item() for name, value in raw.items()}, rel=1e-3)
    game = 0.1 * (raw["adv_ab"] + raw["adv_ba"]) + 0.9 * (raw["fm_ab"] + raw["fm_ba"])
    kept = raw["cyc_a"] + raw["cyc_b"] + raw["dist_ab"] + raw["dist_ba"]
    assert seen[0].loss == pytest.approx(((1 - share) * game + share * kept).item(), rel=1e-3)


def test_discogans_flavour_moves_one_side_a_step():
    of = engine("distancegan", tree=Tree(1), hyper=DISCO)
    seen = watch(of)
    for _ in range(6):
        of.step()
    assert [move.players[0] for move in seen] == ["critics", "generators", "generators"] * 2


def refusals(hyper, weights):
    """What a sweep with these settings is told."""
    data = {"uri": "x", "image": 64}
    values = {"system": "distancegan", "data": data, "steps": 9, "hyper": hyper, "weights": weights}
    return [(one.path, one.problem) for one in known_settings(DistanceGAN, read_draft(values)).found]


def test_pairs_and_halves_exclude_each_other():
    assert refusals({}, {"alpha_3A": 2}) == refusals({"distance": "self"}, {"alpha_4A": 2}) == []
    (refusal,) = refusals({}, {"alpha_3A": 2, "alpha_4A": 1})
    problem = "the term 'alpha_4A' does not exist with hyper.distance pairs; nearest: hyper.distance self"
    assert refusal == ("weights.alpha_4A", problem)
    (refusal,) = refusals({"sides": "ab", "distance": "self"}, {"alpha_4A": 1, "alpha_4B": 1})
    problem = "the term 'alpha_4B' does not exist with hyper.sides ab; nearest: hyper.sides both"
    assert refusal == ("weights.alpha_4B", problem)
    for distance in ("pairs", "self", "none"):
        hyper = DistanceGANHyper(distance=distance)
        groups = {term.group for term in DistanceGAN.terms if term.exists(hyper)}
        assert groups - {"adv", "d"} == {{"pairs": "dist", "self": "self"}.get(distance)} - {None}


@pytest.mark.parametrize(("each", "refused"), [(1, True), (2, False)])
def test_a_replica_of_one_picture_is_refused(each, refused):
    data = {"uri": "shards", "image": 64, "batch": 2 * each, "replicas": 2}
    sweep = Sweep.model_validate({"system": "distancegan", "data": data, "steps": 100})
    _, found = find_sizes(sweep, DistanceGAN, Machine(cpus=4, gpus=0), {})
    expected = "distancegan needs 2 samples in each of 2 replicas, so at least 4, not 2"
    assert [(one.path, one.problem) for one in found] == ([("data.batch", expected)] if refused else [])


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (64, {"sides": "ab", "cycle": True},
         "hyper.cycle: the cycle needs both sides, and hyper.sides is ab; nearest: hyper.sides both"),
        (34, {}, "data.image: the resnet generator needs a multiple of 4; nearest: 32 or 36"),
        (48, DISCO, "data.image: DiscoGAN needs a power of two from 16 to 256; nearest: 32 or 64"),
        (64, {**DISCO, "gan": "began"}, "hyper.gan: began judges by an autoencoder; nearest: hyper.critic autoencoder"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        DistanceGAN.check({"a": (3, image, image), "b": (3, image, image)}, DistanceGANHyper(**hyper))
    assert str(caught.value) == text


def test_the_domains_may_have_other_channels():
    shapes = {"a": (3, 32, 32), "b": (1, 32, 32)}
    hyper = DistanceGANHyper(width=4, blocks=1, critic="patch16", critic_width=4)
    DistanceGAN.check(shapes, hyper)
    system = DistanceGAN.build(hyper, shapes, {}, 10)
    with torch.no_grad():
        shown = system.show({domain: torch.zeros(2, *shape) for domain, shape in shapes.items()})
    channels = {name: picture.shape[1] for name, picture in shown.items()}
    assert channels == {"fake_b": 1, "cycle_a": 3, "fake_a": 3, "cycle_b": 1}


def test_pictures_that_are_all_equal_are_refused_before_the_first_step():
    class Equal(Pictures):
        def image(self, domain, index):
            return super().image(domain, 0)

    system = build("distancegan")
    with pytest.raises(SettingError, match="the 10 distances between pairs of pictures of domain a do not differ"):
        system.measure(Equal())
