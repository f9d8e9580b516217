"""Balanced style transfer is CycleGAN, a similarity, a task network and a penalty: each by hand, and who learns from what."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.trainers.watching import batch, before, gradients, same, watch
from tests.trainers.worlds import SHAPES, TINY, engine, state_digest
from trainers.errors import SettingError
from trainers.systems.balanced import Balanced, BalancedHyper
from trainers.tree import Tree

FROZEN: dict[str, Any] = {"task_net": "frozen"}


def test_what_the_slides_do_not_say_is_cyclegan_s_and_the_usual():
    hyper = BalancedHyper()
    assert (hyper.gan, hyper.penalty, hyper.lp_interp, hyper.task_net) == ("vanilla", "lp", "target", "joint")
    weights = {term.name: term.weight for term in Balanced.terms if term.exists(hyper)}
    assert weights == {
        "adv_ab": 1, "adv_ba": 1, "cyc_a": 10, "cyc_b": 10, "sim": 1, "task_real": 1, "task_fake": 1,
        "d_a": 1, "d_b": 1, "gp_a": 10, "gp_b": 10,
    }  # fmt: skip
    assert {term.name: term.search for term in Balanced.terms}["sim"] == (1, 5)


@pytest.mark.parametrize("hyper", [{}, FROZEN])
def test_the_objective_is_that_of_the_slides(hyper):
    of = engine("balanced", tree=Tree(1), hyper={"gan": "lsgan", **hyper})
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b, classes = images["a"], images["b"], torch.from_numpy(of.read("a", 0, 0)["a.class"])
    with torch.no_grad():
        fake_b, fake_a = old.ab(a), old.ba(b)
        by_hand = {
            "adv_ab": (old.d_b(fake_b) - 1).square().mean(),
            "adv_ba": (old.d_a(fake_a) - 1).square().mean(),
            "cyc_a": (old.ba(fake_b) - a).abs().mean(),
            "cyc_b": (old.ab(fake_a) - b).abs().mean(),
            "idt_a": (old.ba(a) - a).abs().mean(),
            "idt_b": (old.ab(b) - b).abs().mean(),
            "sim": (fake_b - a).abs().mean(),
            "task_real": F.cross_entropy(old.task(a), classes),
            "task_fake": F.cross_entropy(old.task(fake_b), classes),
        }
    assert [move.players for move in seen] == [("generators",) if hyper else ("generators", "task"), ("critics",)]
    assert seen[0].raw == pytest.approx({name: value.item() for name, value in by_hand.items()}, rel=1e-4)
    factors = {"cyc_a": 10, "cyc_b": 10, "idt_a": 5, "idt_b": 5}
    total = sum(factors.get(name, 1) * value.item() for name, value in by_hand.items())
    assert seen[0].loss == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize(
    ("term", "taught"),
    [
        ("sim", "ab"),
        ("task_real", "task"),
        ("task_fake", "ab task"),
        ("cyc_a", "ab ba"),
        ("adv_ba", "ba"),
    ],
)
def test_whom_a_term_teaches(term, taught):
    of = engine("balanced")
    of.system.weights = {name: float(name == term) for name in of.system.weights}
    of.step()
    followed = {**gradients(of, "generators"), **gradients(of, "task")}
    assert {name.split(".")[0] for name, gradient in followed.items() if gradient.any()} == set(taught.split())


def test_a_frozen_task_network_stays_as_it_is_and_still_teaches_the_generator():
    of = engine("balanced", hyper=FROZEN)
    old = before(of)
    of.system.weights = {name: float(name == "task_fake") for name in of.system.weights}
    of.step(report=True)
    assert {name.split(".")[0] for name, gradient in gradients(of, "generators").items() if gradient.any()} == {"ab"}
    now, then = of.system.task.state_dict(), old.task.state_dict()
    assert all(torch.equal(now[name], then[name]) for name in then)
    assert list(of.system.frozen) == ["task"] and not of.system.starts
    assert {"task_real", "task_fake"} <= {name for name, value in of.ledger.means().items() if value > 0}


def test_a_joint_one_begins_with_what_was_trained_before():
    assert list(engine("balanced").system.starts) == ["task"]
    assert not engine("balanced").system.frozen


def test_a_critic_s_penalty_lies_between_fakes_and_what_the_setting_names(monkeypatch):
    points: dict[int, Any] = {}

    def noted(self, judge, real, fake):
        points[len(points)] = (real, fake)
        return judge(real).mean() * 0

    monkeypatch.setattr(BalancedHyper, "penalise", noted)
    for lp_interp, of_a, of_b in (("target", "a", "b"), ("source", "b", "a")):
        of = engine("balanced", tree=Tree(1), hyper={"lp_interp": lp_interp})
        old, images = before(of), batch(of)
        points.clear()
        of.step()
        with torch.no_grad():
            fake_a, fake_b = old.ba(images["b"]), old.ab(images["a"])
        for (real, fake), domain, made in zip(points.values(), (of_a, of_b), (fake_a, fake_b), strict=True):
            assert torch.equal(real, images[domain])
            torch.testing.assert_close(fake, made)


def test_with_a_history_the_target_s_penalty_uses_it_and_the_source_s_does_not(monkeypatch):
    past = torch.full((4, 3, 32, 32), 0.25)
    seen = []

    class Past:
        def swap(self, made):
            return past

    def noted(self, judge, real, fake):
        seen.append(torch.equal(fake, past))
        return judge(real).mean() * 0

    monkeypatch.setattr(BalancedHyper, "penalise", noted)
    for lp_interp in ("target", "source"):
        of = engine("balanced", tree=Tree(1), hyper={"lp_interp": lp_interp})
        for domain in "ab":
            monkeypatch.setitem(of.pools[0], domain, Past())
        of.step()
    assert seen == [True, True, False, False]


def test_only_a_gradient_above_1_costs():
    hyper = BalancedHyper()
    real, fake = torch.zeros(2, 3, 8, 8), torch.ones(2, 3, 8, 8)
    for slope, penalty in ((0.5, 0.0), (1.0, 0.0), (3.0, 4.0)):
        critic = torch.nn.Linear(3 * 8 * 8, 1)
        torch.nn.init.constant_(critic.weight, slope / (3 * 8 * 8) ** 0.5)
        found = hyper.penalise(torch.nn.Sequential(torch.nn.Flatten(), critic), real, fake)
        assert found.item() == pytest.approx(penalty, abs=1e-4)


def test_critics_learn_nothing_from_the_task():
    one, other = engine("balanced"), engine("balanced", weights={"task_real": 5.0, "task_fake": 5.0, "sim": 9.0})
    one.step()
    other.step()
    assert same(gradients(one, "critics"), gradients(other, "critics"))
    assert not same(gradients(one, "generators"), gradients(other, "generators"))


def test_the_width_of_a_task_network_that_nobody_trained():
    system = Balanced.build(
        BalancedHyper(**{**TINY["balanced"], "task_width": None}), SHAPES, {t.name: 1.0 for t in Balanced.terms}, 10
    )
    assert system.task.last.weight.shape == (3, 4 * 32)
    assert Balanced.needs_task(BalancedHyper(**FROZEN)) and not Balanced.needs_task(BalancedHyper())


def test_the_state_of_a_frozen_network_is_a_part_of_the_training_s():
    one, other = engine("balanced", hyper=FROZEN), engine("balanced", hyper=FROZEN)
    assert state_digest(one) == state_digest(other)
    with torch.no_grad():
        other.system.task.last.bias.add_(1.0)
    assert state_digest(one) != state_digest(other)


def test_unequal_channels_are_refused():
    with pytest.raises(SettingError) as caught:
        Balanced.check({"a": (3, 32, 32), "b": (1, 32, 32)}, BalancedHyper(**TINY["balanced"]))
    assert str(caught.value) == (
        "data.uri: the similarity and T need equal channels, a has 3, b has 1; "
        "nearest: system cyclegan with hyper.identity false"
    )
