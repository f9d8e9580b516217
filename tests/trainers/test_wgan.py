"""WGAN is algorithm 1: five moves of the critic for one of the generator, each clamped, and minus the estimate of W as its loss."""

import pytest
import torch
from torch import nn

from tests.trainers import worlds
from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import SEED, build, engine, engine_of_preset
from trainers import randomness
from trainers.engine import STAGE
from trainers.errors import SettingError
from trainers.optimizers import Adam, RMSProp
from trainers.settings import Balance
from trainers.systems.wgan import WGAN, WGANHyper
from trainers.tree import Tree

CPU = torch.device("cpu")
NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d)


def tiny(**hyper):
    """A small WGAN."""
    system = build("wgan", **hyper)
    assert isinstance(system, WGAN)
    return system


def made(system, segment, count=4):
    """What a system makes of the noise of a segment of the first step."""
    randomness.seed_generators(CPU, SEED, STAGE, 0, 0, segment)
    return system.make(count, CPU)


def test_the_published_settings():
    hyper = WGANHyper()
    optimizer = hyper.build_optimizer()
    assert optimizer == RMSProp(lr=5e-5, decay=0.99)
    assert optimizer.build([nn.Parameter(torch.zeros(1))]).defaults["momentum"] == 0
    assert (hyper.clip, WGAN.balance) == (0.01, Balance(critic_turns=5))
    assert [hyper.rate(100)(t) for t in (0, 50, 99)] == [1.0, 1.0, 1.0]
    for name in ("gp", "lp"):
        hyper = WGANHyper(**WGAN.presets[name].hyper)
        assert hyper.build_optimizer() == Adam(1e-4, 0.0, 0.9)
        assert (hyper.clip, hyper.penalty) == (None, name)
    assert {term.name: term.weight for term in WGAN.terms} == {"adv": 1.0, "d": 1.0, "gp": 10.0}


def test_five_moves_of_the_critic_for_one_of_the_generator():
    of = engine("wgan", tree=Tree(1))
    seen = watch(of)
    for step in (1, 2):
        of.step()
        assert of.moves == {"critic": 5 * step, "generator": step}
    assert [move.players for move in seen] == ([("critic",)] * 5 + [("generator",)]) * 2


def test_each_turn_has_new_pictures_and_new_noise():
    of = engine("wgan", tree=Tree(1))
    passes = []
    of.system.d.register_forward_hook(lambda module, given, out: passes.append(given[0].detach()))
    of.step()
    assert len(passes) == 11
    real, fake = passes[0:10:2], [*passes[1:10:2], passes[10]]
    assert all(torch.equal(real[turn], batch(of, draw=turn)["b"]) for turn in range(5))
    assert not any(torch.allclose(fake[i], fake[j]) for i in range(6) for j in range(i))
    assert of.draws == {"b": 5}


def test_the_critics_loss_is_minus_the_estimate():
    of = engine("wgan", tree=Tree(1), balance=Balance())
    seen, old, b = watch(of), before(of), batch(of)["b"]
    of.step()
    with torch.no_grad():
        estimate = old.d(b).mean() - old.d(made(old, 0)).mean()
        adv = -of.system.d(made(old, 1)).mean()
    assert seen[0].loss == pytest.approx(-estimate.item(), rel=1e-3)
    assert seen[0].raw == {"d": seen[0].loss}
    assert seen[1].raw == pytest.approx({"adv": adv.item()}, rel=1e-3)


def test_the_estimate_rises_while_the_generator_rests():
    of = engine("wgan", tree=Tree(1), weights={"adv": 0.0}, hyper={"lr": 1e-3})
    seen = watch(of)
    for _ in range(4):
        of.step()
    judged = [move.raw["d"] for move in seen if "d" in move.raw]
    assert judged[-1] < judged[0]
    assert judged[-1] < 0, "high means real"


def boxed(system, most):
    """Whether every parameter of the critic, norms included, lies in [-most, most]."""
    return all((p.abs() <= torch.tensor(most)).all() for p in system.d.parameters())


@pytest.mark.parametrize("most", [0.01, 0.3])
def test_the_critic_is_clamped_after_each_move(monkeypatch, most):
    of = engine("wgan", hyper={"clip": most, "lr": 0.5})  # every move leaves the box, by far
    assert any(isinstance(module, NORMS) for module in of.system.d.modules())
    moves, judging = [], []
    apply = type(of)._move

    def watched(self, flat, total):
        apply(self, flat, total)
        moves.append((flat.player.name, boxed(self.system, most)))

    monkeypatch.setattr(of, "_move", watched.__get__(of))
    of.system.d.register_forward_pre_hook(lambda module, given: judging.append(boxed(of.system, most)))
    assert not boxed(of.system, most), "the weights are drawn outside of it"
    of.step()
    assert moves == [("critic", True)] * 5 + [("generator", True)]
    replicas = 2
    assert judging[-replicas:] == [True] * replicas, "the generator plays against clamped weights"
    assert judging == [False] * 2 * replicas + [True] * (4 * 2 + 1) * replicas
    reached = torch.cat([p.detach().abs().flatten() for p in of.system.d.parameters()])
    assert (reached == torch.tensor(most)).float().mean() > 0.1, "many weights end on the border"


def test_the_generator_is_not_clamped():
    of = engine("wgan")
    of.step()
    assert any((p.abs() > 0.5).any() for p in of.system.g.parameters())


def test_a_critic_says_no_probabilities():
    system = tiny(norm="none")
    assert not any(isinstance(module, nn.Sigmoid | nn.Tanh) for module in system.d.modules())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        one = system.d(images)
        system.d.last.weight.mul_(1000)
        torch.testing.assert_close(system.d(images), 1000 * one)


@pytest.mark.parametrize("penalty", ["gp", "lp"])
def test_a_penalised_critic_has_neither_clamp_nor_norm(penalty):
    of = engine_of_preset("wgan", penalty)
    assert not any(isinstance(module, NORMS) for module in of.system.d.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in of.system.g.modules()), "the generator keeps its own"
    assert of.system.critic.clip is None
    seen = watch(of)
    of.step()
    judged = [move for move in seen if "d" in move.raw]
    assert len(judged) == 10
    assert all(move.loss == pytest.approx(move.raw["d"] + 10 * move.raw["gp"], rel=1e-4) for move in judged)
    assert not boxed(of.system, 0.01)
    # The slope of so new a critic is far below 1: only the two-sided penalty minds.
    assert seen[0].raw["gp"] == pytest.approx(1.0 if penalty == "gp" else 0.0, abs=0.1)


def test_the_penalty_reaches_the_critic_alone():
    of = engine("wgan", hyper=dict(WGAN.presets["gp"].hyper), weights={"d": 0.0, "adv": 0.0})
    of.step()
    critic = gradients(of, "critic")
    assert all(gradient.any() for name, gradient in critic.items() if name.endswith("weight"))
    assert not any(gradient.any() for gradient in gradients(of, "generator").values())


def test_the_penalty_is_taken_between_these_pictures_and_those():
    of = engine("wgan", tree=Tree(1), hyper=dict(WGAN.presets["gp"].hyper))
    old, b, seen = before(of), batch(of)["b"], watch(of)
    of.step()
    with torch.no_grad():
        fake = made(old, 0)
    share = torch.rand(4, 1, 1, 1)  # the segment's next random numbers
    point = (share * fake + (1 - share) * b).requires_grad_()
    (slope,) = torch.autograd.grad(old.d(point).sum(), point)
    assert seen[0].raw["gp"] == pytest.approx((slope.flatten(1).norm(dim=1) - 1).square().mean().item(), rel=1e-4)


def test_the_published_code_gives_the_critic_a_head_start():
    of = engine_of_preset("wgan", "warmup")
    of.step()
    assert of.moves == {"critic": 100, "generator": 1}
    of.t = 25
    of.step()
    assert of.moves == {"critic": 105, "generator": 2}
    of.t = 500
    of.step()
    assert of.moves == {"critic": 205, "generator": 3}


SHAPES = {"b": (3, 64, 64)}


@pytest.mark.parametrize(
    ("hyper", "text"),
    [
        (
            {"penalty": "gp"},
            "hyper.penalty: a critic with batch norm has no gradient of one sample to penalise; "
            "nearest: hyper.norm instance",
        ),
        (
            {"clip": None},
            "hyper.clip: without a clamp or a penalty D has no bound on its slope; nearest: 0.01, or hyper.penalty lp",
        ),
        ({"smoothing": 0.1}, "hyper.smoothing: wgan has no target to smooth; these have: lsgan, vanilla, minimax"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(hyper, text):
    with pytest.raises(SettingError) as caught:
        WGAN.check(SHAPES, WGANHyper(**hyper))
    assert str(caught.value) == text


@pytest.mark.parametrize("hyper", [{}, {"norm": "none", "penalty": "lp"}, {"gan": "lsgan", "clip": None}])
def test_what_fits_is_let_through(hyper):
    WGAN.check(SHAPES, WGANHyper(**hyper))


def test_pictures_are_shown_as_many_as_asked_for():
    system = tiny()
    with torch.no_grad():
        shown = system.show({"b": torch.zeros(3, *worlds.SHAPES["b"])})
    assert shown["fake_b"].shape == (3, *worlds.SHAPES["b"])
    assert system.show({}) == {}
