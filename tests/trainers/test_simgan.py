"""SimGAN: a refiner held to its input, moves as K_g and K_d say, and a critic that is shown half of the past."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.trainers import worlds
from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import BATCH, CLASSES, IMAGE, STEPS, build, engine
from trainers.errors import SettingError
from trainers.networks.refiner import LocalCritic, Refiner, _Largest
from trainers.settings import Balance
from trainers.systems.simgan import SimGAN, SimGANHyper
from trainers.systems.simgan_first import SimGANFirstHyper
from trainers.tree import Tree


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def tiny(**hyper):
    """A small SimGAN."""
    system = build("simgan", **hyper)
    assert isinstance(system, SimGAN)
    return system


def test_the_defaults_are_the_published_ones():
    hyper = SimGANHyper()
    assert (hyper.first_steps, hyper.critic_alone) == (1000, 200)
    assert (hyper.gan, hyper.optimizer, hyper.lr, hyper.refiner_turns, hyper.psi) == (
        "vanilla",
        "sgd",
        1e-3,
        2,
        "pixels",
    )
    weights = {term.name: term.weight for term in SimGAN.terms if term.exists(hyper)}
    assert weights == {"adv": 1, "reg": 0.05, "d": 1, "reg_first": 0.05}
    assert {term.name for term in SimGAN.in_force(hyper)} == {"adv", "reg", "d"}
    assert weights["reg"] == pytest.approx(1e-4 * 512, rel=0.03), "the code's, at its batch"


def test_a_step_is_the_papers_objective():
    of = engine("simgan", tree=Tree(1))
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b = images["a"], images["b"]
    with torch.no_grad():
        refined = old.ab(a)
        adv, reg = bce(old.d(refined), 1.0).item(), (refined - a).abs().sum((1, 2, 3)).mean().item()
        d = bce(old.d(b), 1.0) + bce(old.d(of.system.ab(a)), 0.0)
    assert [move.players for move in seen] == [("refiner",), ("critic",)]
    assert seen[0].raw == pytest.approx({"adv": adv, "reg": reg}, rel=1e-4)
    assert seen[0].loss == pytest.approx(adv + 0.05 * reg, rel=1e-4)
    assert seen[1].raw == pytest.approx({"d": d.item()}, rel=1e-4), (
        "D judges what the moved R makes of the same pictures"
    )


@pytest.mark.parametrize(("k_g", "k_d", "draws"), [(1, 1, (1, 1)), (2, 1, (2, 1)), (2, 3, (4, 3)), (50, 1, (50, 1))])
def test_moves_of_a_step_match_k_g_and_k_d(k_g, k_d, draws):
    of = engine("simgan", tree=Tree(1), hyper={"refiner_turns": k_g}, balance=Balance(critic_turns=k_d))
    for step in (1, 2):
        of.step()
        assert of.moves == {"refiner": step * k_g, "critic": step * k_d}
        assert of.draws == {"a": step * draws[0], "b": step * draws[1]}, "each on new pictures, but for D's first turn"


def test_half_of_what_the_critic_is_shown_is_from_the_history_once_that_holds_so_many():
    of = engine("simgan", tree=Tree(1), hyper={"pool": 8})
    made, shown = [], []
    honest = of.system.judge
    of.system.ab.register_forward_hook(lambda module, given, out: made.append(out.detach().clone()))

    def judge(b, refined):
        shown.append(refined.clone())
        return honest(b, refined)

    of.system.judge = judge
    half = BATCH // 2
    stored: list[torch.Tensor] = []
    for step in range(STEPS):
        of.step()
        current = made[2 * step + 1]  # R's own pass, then D's
        old, new = shown[step][:half], shown[step][half:]
        assert torch.equal(new, current[half:])
        if step == 0:
            assert torch.equal(old, current[:half]), "there is no past yet"
        else:
            assert all(any(torch.equal(image, past) for past in stored) for image in old)
            assert not torch.equal(old[0], old[1]), "each another one"
        stored += list(current[:half])
        pool = of.pools[0]["b"]
        assert int(pool.count) == min(8, half * (step + 1))
        assert sum(any(torch.equal(held, image) for held in pool.images) for image in current[:half]) == half


def test_what_is_not_finite_is_never_stored():
    of = engine("simgan", tree=Tree(1))
    pool = of.pools[0]["b"]
    images = torch.rand(4, 3, IMAGE, IMAGE)
    images[0, 0, 0, 0] = torch.nan
    for _ in range(10):
        pool.mix(images)
    assert int(pool.count) == 12
    assert torch.isfinite(pool.images).all()


def test_without_a_history_the_critic_sees_what_is_made():
    of = engine("simgan", tree=Tree(1), hyper={"pool": 0})
    images = torch.rand(4, 3, IMAGE, IMAGE)
    assert of.pools[0]["b"].mix(images) is images


@pytest.mark.parametrize(
    ("psi", "reduction", "expected"),
    [
        # A whole picture one brighter in one of three colours: of 3 x 8 x 8 numbers 64 change by 1.
        ("pixels", "sum", 64.0),
        ("pixels", "mean", 1 / 3),
        ("colour", "sum", 64 / 3),
        ("colour", "mean", 1 / 3),
    ],
)
def test_the_reduction_is_over_a_picture_and_the_mean_over_the_batch(psi, reduction, expected):
    hyper = tiny(psi=psi, reduction=reduction).hyper
    a = torch.rand(5, 3, 8, 8)
    refined = a + torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    assert hyper.kept(a, refined, None).item() == pytest.approx(expected, rel=1e-5)
    hue = a + torch.tensor([1.0, -0.5, -0.5])[:, None, None]
    assert (hyper.kept(a, hue, None).item() < 1e-4) is (psi == "colour"), "a hue is no change of a mean colour"


def test_features_are_those_of_a_task_network_that_stays_as_it_is():
    of = engine("simgan", hyper={"psi": "features", "classes": CLASSES, "task_width": 4}, weights={"adv": 0.0})
    old = before(of).task.state_dict()
    of.step()
    assert list(of.system.frozen) == ["task"]
    assert all(torch.equal(value, old[name]) for name, value in of.system.task.state_dict().items())
    assert any(gradient.any() for gradient in gradients(of, "refiner").values()), "it teaches R all the same"
    assert SimGAN.needs_task(of.system.hyper) and not SimGAN.needs_task(SimGANHyper())
    a, b = torch.rand(2, 2, 3, IMAGE, IMAGE).unbind(0)
    with torch.no_grad():
        kept = of.system.hyper.kept(a, b, of.system.task)
        gap = (of.system.task.features(a) - of.system.task.features(b)).abs()
    torch.testing.assert_close(kept, gap.sum(1).mean())


def test_before_the_game_the_refiner_alone_learns_to_leave_pictures_as_they_are():
    (stage,) = SimGAN.stages
    whole = SimGANHyper(first_steps=30, first_batch=8, width=5, psi="colour")
    assert (stage.steps(whole), stage.batch(whole), stage.system.stage) == (30, 8, stage.name)
    assert stage.settings(whole) == SimGANFirstHyper(width=5, psi="colour")
    of = engine("simgan:first", tree=Tree(1), hyper={"optimizer": "adam", "lr": 5e-3, "width": 16})
    assert of.system.reads.domains == ("a",)
    ramps = np.linspace(0, 255, 4 * IMAGE * IMAGE * 3).reshape(4, IMAGE, IMAGE, 3).astype(np.uint8)
    of.read = lambda source, draw, replica: {"a": ramps}  # of noise there is nothing to be kept
    kept = []
    for _ in range(STEPS):
        of.step()
        kept.append(of.ledger.means()["reg_first"])
    assert kept[-1] < 0.8 * kept[0]
    first, later = of.system.state_dict(), build("simgan", seed=5, width=16)
    drawn = {name: value.clone() for name, value in later.state_dict().items()}
    with torch.no_grad():
        later.enter({stage.name: first})
    for name, value in later.state_dict().items():
        assert torch.equal(value, first[name] if name.startswith("ab.") else drawn[name]), "R as it learnt, D as it was"


def test_without_the_stage_the_refiner_begins_as_it_was_drawn():
    one, other = build("simgan"), build("simgan")
    one.enter({})
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))


def test_at_first_the_critic_moves_alone_and_what_the_refiner_would_follow_is_watched():
    of = engine("simgan", tree=Tree(1), hyper={"critic_alone": 2, "refiner_turns": 3})
    moves, seen = [], []
    for _ in range(4):
        of.step(report=True)
        moves.append((of.moves["refiner"], of.moves["critic"]))
        seen.append(of.ledger.observed())
    assert moves == [(0, 1), (0, 2), (3, 3), (6, 4)]
    assert all(terms == {"adv", "reg", "d"} for terms in seen)
    assert of.draws == {"a": 1 + 1 + 3 + 3, "b": 4}


def test_gradient_descent_is_a_step_of_the_rate():
    of = engine("simgan", tree=Tree(1), hyper={"weight_decay": 0.5})
    old = {name: p.detach().clone() for name, p in of.system.named_parameters()}
    of.step()
    followed = {**gradients(of, "refiner"), **gradients(of, "critic")}
    for name, p in of.system.named_parameters():
        torch.testing.assert_close(p.detach(), old[name] - 0.03 * (followed[name] + 0.5 * old[name]))
    assert not [name for name in worlds.state_of(of) if name.startswith("optimizer.")], "it keeps no moments"


def test_the_largest_of_its_neighbours_is_what_torch_says():
    x = torch.randn(2, 3, 5, 7, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    mine, theirs = _Largest()(x), F.max_pool2d(y, 3, 1, 1)
    assert torch.equal(mine, theirs)
    seed = torch.randn_like(mine)
    mine.backward(seed)
    theirs.backward(seed)
    torch.testing.assert_close(x.grad, y.grad)


@pytest.mark.parametrize(("image", "side"), [(32, 8), (64, 16), (35, 9), (8, 2)])
def test_the_critic_judges_patches_and_the_refiner_works_on_any_size(image, side):
    x = torch.zeros(2, 1, image, image)
    with torch.no_grad():
        assert LocalCritic(1, 9)(x).shape == (2, 1, side, side)
        assert Refiner(1, 3, 0)(x).shape == x.shape


def test_unequal_channels_are_refused():
    with pytest.raises(SettingError) as caught:
        SimGAN.check({"a": (3, 32, 32), "b": (1, 32, 32)}, SimGANHyper())
    assert str(caught.value) == (
        "data.uri: a refined picture is one of b, a has 3 channels, b has 1; "
        "nearest: system cyclegan with hyper.identity false"
    )
