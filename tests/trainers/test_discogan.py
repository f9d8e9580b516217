"""DiscoGAN is its authors': one update a step, the slow start, features matched on batch means."""

from math import isfinite

import pytest
import torch
import torch.nn.functional as F

from tests.trainers.watching import batch, before, gradients, same, watch
from tests.trainers.worlds import SHAPES, STEPS, engine, state_digest, state_of
from trainers.curriculum import Curriculum, feature_matching, mix
from trainers.errors import SettingError
from trainers.state import load_state
from trainers.system import Weighed
from trainers.systems.discogan import DiscoGAN, DiscoGANHyper
from trainers.tree import Tree

CRITICS, GENERATORS = ("critics",), ("generators",)


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def at(t, **settings):
    """An engine of one replica before step `t`."""
    of = engine("discogan", tree=Tree(1), **settings)
    while of.t < t:
        of.step()
    return of


def test_a_step_is_one_update_and_every_third_one_the_critics():
    of = engine("discogan", tree=Tree(1))
    seen = watch(of)
    for _ in range(7):
        of.step()
    assert [move.players for move in seen] == [CRITICS, GENERATORS, GENERATORS] * 2 + [CRITICS]
    assert of.draws == {"a": 7, "b": 7}, "each update has pictures of its own"


@pytest.mark.parametrize("t", [3, 4])
def test_a_report_has_the_terms_of_both_sides_whosever_step_it_is(t):
    def seen(report):
        of = at(t)
        of.step(report=report)
        return {term for term, value in of.ledger.means().items() if term in of.system.weights and isfinite(value)}, of

    (all_terms, looked_at), (mine, _) = seen(report=True), seen(report=False)
    assert all_terms == set(looked_at.system.weights)
    assert mine == ({"d_a", "d_b"} if t == 3 else all_terms - {"d_a", "d_b"})
    assert looked_at.moves == {"critics": 2, "generators": 2 + t - 3}


def test_the_share_of_the_reconstruction_is_a_function_of_the_step():
    published = Curriculum()
    assert [published.share(t) for t in (0, 9_999, 10_000, 10**9)] == [0.01, 0.01, 0.5, 0.5]
    assert [Curriculum(0.25, 0.75, 0).share(t) for t in (0, 1)] == [0.75, 0.75]


@pytest.mark.parametrize(("t", "share"), [(1, 0.01), (2, 0.5)])  # the tiny settings are warm from step 2 on
def test_the_generators_objective_by_hand(t, share):
    of = at(t)
    seen, old, images = watch(of), before(of), batch(of, draw=t)
    of.step()
    a, b = images["a"], images["b"]
    with torch.no_grad():
        fake_b, fake_a = old.ab(a), old.ba(b)
        raw = {"rec_a": (old.ba(fake_b) - a).square().mean(), "rec_b": (old.ab(fake_a) - b).square().mean()}
        for name, critic, real, fake in (("ab", old.d_b, b, fake_b), ("ba", old.d_a, a, fake_a)):
            logits, made = critic.features(fake)
            means = [(x.mean(0), y.mean(0)) for x, y in zip(critic.features(real)[1], made, strict=True)]
            raw[f"adv_{name}"] = bce(logits, 1.0)
            raw[f"fm_{name}"] = sum((x - y).square().mean() for x, y in means)
    assert [move.players for move in seen] == [GENERATORS]
    assert seen[0].raw == pytest.approx({name: value.item() for name, value in raw.items()}, rel=1e-3), (
        "not scaled by r"
    )
    game = 0.1 * (raw["adv_ab"] + raw["adv_ba"]) + 0.9 * (raw["fm_ab"] + raw["fm_ba"])
    total = (1 - share) * game + share * (raw["rec_a"] + raw["rec_b"])
    assert seen[0].loss == pytest.approx(total.item(), rel=1e-3)


def test_the_critics_objective_by_hand():
    of = at(0)
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b = images["a"], images["b"]
    with torch.no_grad():
        expected = {
            "d_a": 0.5 * (bce(old.d_a(a), 1.0) + bce(old.d_a(old.ba(b)), 0.0)),
            "d_b": 0.5 * (bce(old.d_b(b), 1.0) + bce(old.d_b(old.ab(a)), 0.0)),
        }
    assert seen[0].raw == pytest.approx({name: value.item() for name, value in expected.items()}, rel=1e-4)
    assert seen[0].loss == pytest.approx(sum(value.item() for value in expected.values()), rel=1e-4)


def test_logits_of_every_sample_are_judged_alone():
    system = at(0).system
    logits = system.d_a(torch.randn(3, *SHAPES["a"]))
    assert logits.shape == (3, 1, 1, 1)
    each = torch.stack([F.softplus(-value) for value in logits.flatten()]).mean()
    assert system.gan.generator(logits).item() == pytest.approx(each.item(), rel=1e-5), "no broadcast over the batch"


def test_features_are_matched_on_batch_means():
    real = [torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1), torch.tensor([[0.0, 2.0], [4.0, 2.0]]).reshape(2, 2, 1, 1)]
    fake = [torch.tensor([3.0, 1.0]).reshape(2, 1, 1, 1), torch.tensor([[1.0, 1.0], [1.0, 1.0]]).reshape(2, 2, 1, 1)]
    assert feature_matching(real[:1], fake[:1]).item() == 0.0, "equal means match, whoever has them"
    assert feature_matching(real, fake).item() == ((2.0 - 1.0) ** 2 + (2.0 - 1.0) ** 2) / 2


def test_the_mix_scales_losses_and_not_what_is_seen():
    one, other = torch.tensor(3.0), torch.tensor(5.0)
    mixed = mix(Weighed(one, raw={"adv": one}), Weighed(other, raw={"rec": other}), 0.25)
    assert mixed.loss is not None and mixed.loss.item() == 0.75 * 3 + 0.25 * 5
    assert mixed.raw == {"adv": one, "rec": other}
    alone = mix(Weighed(None), Weighed(other), 0.25)
    assert alone.loss is not None and alone.loss.item() == 0.25 * 5
    assert mix(Weighed(None), Weighed(None), 0.25).loss is None


@pytest.mark.parametrize("stop", range(1, STEPS))
def test_phase_and_share_survive_a_resume_at_any_step(stop):
    undisturbed = engine("discogan")
    expected = watch(undisturbed)
    for _ in range(STEPS):
        undisturbed.step()
    first, second = engine("discogan"), engine("discogan")
    for _ in range(stop):
        first.step()
    load_state(second, state_of(first))
    seen = watch(second)
    while second.t < STEPS:
        second.step()
    assert seen == expected[-len(seen) :], "the same players with the same losses"
    assert state_digest(second) == state_digest(undisturbed)


def test_each_side_follows_its_own_losses():
    def followed(**weights):
        of = at(2, weights=weights)
        return gradients(of, "critics"), gradients(of, "generators")

    critics, generators = followed()
    assert same(followed(rec_a=3.0)[0], critics)
    assert not same(followed(rec_a=3.0)[1], generators)
    assert not same(followed(d_a=7.0)[0], critics)
    of = at(0)
    old = before(of)
    of.step()
    for name in ("ab", "ba"):
        pairs = zip(getattr(old, name).parameters(), getattr(of.system, name).parameters(), strict=True)
        assert all(torch.equal(before_it, after) for before_it, after in pairs), "the critics' step moves no generator"


@pytest.mark.parametrize(
    ("term", "taught"), [("adv_ab", "ab"), ("fm_ba", "ba"), ("rec_a", "ab ba"), ("rec_b", "ab ba")]
)
def test_whom_a_term_teaches(term, taught):
    of = at(1)
    of.system.weights = {name: float(name == term) for name in of.system.weights}
    of.step()
    reached = {name.split(".")[0] for name, gradient in gradients(of, "generators").items() if gradient.any()}
    assert reached == set(taught.split())


def test_the_published_learning():
    system = DiscoGAN.build(DiscoGANHyper(width=4, critic_width=4), SHAPES, {}, 100)
    for player in system.players:
        group = player.optimizer.build(player.parameters).param_groups[0]
        assert (group["lr"], group["betas"], group["weight_decay"]) == (2e-4, (0.5, 0.999), 1e-5)
        assert player.rate(99) == 1.0


def test_a_translation_depends_on_no_other():
    system = at(0).system
    images = {"a": torch.randn(3, *SHAPES["a"])}
    with torch.no_grad():
        together, alone = system.show(images), system.show({"a": images["a"][1:2]})
        assert torch.equal(together["fake_b"][1:2], alone["fake_b"])
        assert torch.equal(together["cycle_a"][1:2], alone["cycle_a"])
        assert not torch.allclose(system.ab(images["a"])[1:2], alone["fake_b"], atol=1e-4), (
            "as batch norm would have it"
        )


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (48, {}, "data.image: DiscoGAN needs a power of two from 16 to 256; nearest: 32 or 64"),
        (
            64,
            {"penalty": "gp"},
            "hyper.penalty: a critic with batch norm has no gradient of one sample to penalise; nearest: hyper.norm instance",
        ),
        (64, {"gan": "began"}, "hyper.gan: began judges by an autoencoder; nearest: hyper.critic autoencoder"),
    ],
)
def test_what_does_not_fit_is_refused(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        DiscoGAN.check({"a": (3, image, image), "b": (3, image, image)}, DiscoGANHyper(**hyper))
    assert str(caught.value) == text
