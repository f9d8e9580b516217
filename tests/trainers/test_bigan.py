"""BiGAN between pictures: one critic of pairs, and two generators that want opposite things of it."""

import pytest
import torch
import torch.nn.functional as F

from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import engine
from trainers.errors import SettingError
from trainers.systems.bigan import BiGAN, BiGANHyper
from trainers.tree import Tree


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


@pytest.mark.parametrize("gan", ["vanilla", "lsgan", "wgan"])
def test_a_step_is_the_papers_objective_with_the_labels_turned_round(gan):
    of = engine("bigan", tree=Tree(1), hyper={"gan": gan})
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b = images["a"], images["b"]
    with torch.no_grad():
        there, back = old.d(torch.cat([a, old.ab(a)], 1)), old.d(torch.cat([old.ba(b), b], 1))
    by_hand = {
        "vanilla": (bce(there, 1.0), bce(back, 0.0), bce(back, 1.0) + bce(there, 0.0)),
        "lsgan": (
            (there - 1).square().mean(),
            back.square().mean(),
            (back - 1).square().mean() + there.square().mean(),
        ),
        "wgan": (-there.mean(), back.mean(), there.mean() - back.mean()),
    }[gan]
    adv_ab, adv_ba, d = (value.item() for value in by_hand)
    assert [move.players for move in seen] == [("generators",), ("critic",)]
    assert seen[0].raw == pytest.approx({"adv_ab": adv_ab, "adv_ba": adv_ba}, rel=1e-4, abs=1e-6)
    assert seen[1].raw == pytest.approx({"d": d}, rel=1e-4, abs=1e-6), "of the same pairs"


@pytest.mark.parametrize(("term", "taught"), [("adv_ab", "ab"), ("adv_ba", "ba")])
def test_each_generator_learns_from_its_own_pairs_alone(term, taught):
    of = engine("bigan")
    of.system.weights = {name: float(name == term) for name in of.system.weights}
    of.step()
    followed = gradients(of, "generators")
    assert {name.split(".")[0] for name, gradient in followed.items() if gradient.any()} == {taught}


def test_the_critic_sees_pairs_of_any_channels():
    shapes = {"a": (1, 32, 32), "b": (3, 32, 32)}
    hyper = BiGANHyper(width=4, blocks=1, critic="patch16", critic_width=4)
    BiGAN.check(shapes, hyper)
    system = BiGAN.build(hyper, shapes, {term.name: 1.0 for term in BiGAN.in_force(hyper)}, 10)
    with torch.no_grad():
        shown = system.show({"a": torch.zeros(2, 1, 32, 32), "b": torch.zeros(1, 3, 32, 32)})
    assert {name: tuple(picture.shape[:2]) for name, picture in shown.items()} == {
        "fake_b": (2, 3), "cycle_a": (2, 1), "fake_a": (1, 1), "cycle_b": (1, 3),
    }  # fmt: skip


def test_what_does_not_fit_is_refused():
    shapes = {"a": (3, 34, 34), "b": (3, 34, 34)}
    with pytest.raises(
        SettingError, match=r"data\.image: the resnet generator needs a multiple of 4; nearest: 32 or 36"
    ):
        BiGAN.check(shapes, BiGANHyper())
