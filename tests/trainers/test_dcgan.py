"""DCGAN plays the game of 2014: its loss by hand and unhalved, new noise for each move, pictures that are judged apart."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainers.watching import batch, before, watch
from tests.trainers.worlds import SEED, build, engine
from trainers import randomness
from trainers.engine import STAGE
from trainers.errors import SettingError
from trainers.from_noise import COMPANY, NoiseHyper
from trainers.settings import Balance
from trainers.systems.dcgan import DCGAN
from trainers.tree import Tree

CPU = torch.device("cpu")


def tiny(**hyper):
    """A small DCGAN."""
    system = build("dcgan", **hyper)
    assert isinstance(system, DCGAN)
    return system


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def made(system, segment, count=4):
    """What a system makes of the noise of a segment of the first step."""
    randomness.seed_generators(CPU, SEED, STAGE, 0, 0, segment)
    return system.make(count, CPU)


def test_the_objective_is_the_papers():
    of = engine("dcgan", tree=Tree(1))
    seen, old, b = watch(of), before(of), batch(of)["b"]
    of.step()
    with torch.no_grad():
        fake, other = made(old, 0), made(old, 1)
        d = bce(old.d(b), 1.0) + bce(old.d(fake), 0.0)
        against_old, against_moved = (bce(system.d(other), 1.0).item() for system in (old, of.system))
    assert not torch.allclose(fake, other), "G's move has new noise"
    assert [move.players for move in seen] == [("critic",), ("generator",)]
    assert seen[0].raw == pytest.approx({"d": d.item()}, rel=1e-4)
    assert seen[0].loss == pytest.approx(d.item(), rel=1e-4), "real + fake, not halved"
    assert seen[1].raw == pytest.approx({"adv": against_moved}, rel=1e-4)
    assert against_moved != pytest.approx(against_old, rel=1e-4)


def test_a_blind_critic_costs_twice_log_two():
    of = engine("dcgan")
    with torch.no_grad():
        for p in of.system.d.last.parameters():
            p.zero_()
    seen = watch(of)
    of.step()
    assert seen[0].raw["d"] == pytest.approx(2 * math.log(2))


def test_real_and_generated_pictures_pass_the_critic_apart():
    system = tiny()
    b, fake = torch.randn(2, 4, 3, 32, 32).unbind(0)
    passes = []
    system.d.register_forward_hook(lambda module, given, out: passes.append((given[0], out.detach())))
    system.judge(b, fake)
    assert [given is pictures for (given, _), pictures in zip(passes, (b, fake), strict=True)] == [True, True]
    with torch.no_grad():
        together = system.d(torch.cat([b, fake]))[:4]
    assert not torch.allclose(passes[0][1], together, rtol=1e-3), "batch norm would have mixed them"


def loss_of_critic(preset):
    """(the critic's weighted loss, logits of real pictures, of generated ones) in a preset's first move."""
    of = engine(
        "dcgan", tree=Tree(1), hyper=dict(DCGAN.presets[preset].hyper), weights=dict(DCGAN.presets[preset].weights)
    )
    seen, old, b = watch(of), before(of), batch(of)["b"]
    of.step()
    with torch.no_grad():
        return seen[0].loss, old.d(b), old.d(made(old, 0))


def test_the_published_critics_of_the_presets():
    loss, real, fake = loss_of_critic("lsgan")
    assert loss == pytest.approx((0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()).item(), rel=1e-4)
    loss, real, fake = loss_of_critic("hinge")
    assert loss == pytest.approx((F.relu(1 - real).mean() + F.relu(1 + fake).mean()).item(), rel=1e-4)
    loss, real, fake = loss_of_critic("smoothed")
    assert loss == pytest.approx((0.9 * bce(real, 1.0) + 0.1 * bce(real, 0.0) + bce(fake, 0.0)).item(), rel=1e-4)
    loss, real, fake = loss_of_critic("minimax")
    assert loss == pytest.approx((bce(real, 1.0) + bce(fake, 0.0)).item(), rel=1e-4)


def test_the_minimax_generator_minimises_the_critics_gain():
    of = engine("dcgan", tree=Tree(1), hyper={"gan": "minimax"})
    seen, old = watch(of), before(of)
    of.step()
    with torch.no_grad():
        by_hand = (1 - of.system.d(made(old, 1)).sigmoid()).log().mean().item()
    assert seen[1].raw["adv"] == pytest.approx(by_hand, rel=1e-4)
    assert by_hand < 0


def test_each_turn_has_new_pictures_and_new_noise():
    of = engine("dcgan", tree=Tree(1), balance=Balance(critic_turns=3))
    passes = []
    of.system.d.register_forward_hook(lambda module, given, out: passes.append(given[0].detach()))
    of.step()
    real, fake = passes[0:6:2], passes[1:6:2]
    assert all(torch.equal(real[turn], batch(of, draw=turn)["b"]) for turn in range(3))
    assert of.draws == {"b": 3}
    pictures = [*fake, passes[6]]
    assert not any(torch.allclose(pictures[i], pictures[j]) for i in range(4) for j in range(i))


def test_a_critic_says_logits():
    system = tiny()
    assert not any(isinstance(module, nn.Sigmoid) for module in system.modules())
    with torch.no_grad():
        system.d.last.weight.mul_(1e4)
        logits = system.d(torch.randn(8, 3, 32, 32))
    assert logits.min() < -1
    assert logits.max() > 2


@pytest.mark.parametrize("kind", ["normal", "spherical"])
def test_noise_lies_where_it_is_said_to(kind):
    hyper = NoiseHyper(latent_kind=kind, latent=64)
    torch.manual_seed(1)
    z = hyper.noise(500, CPU)
    lengths = z.norm(dim=1)
    assert z.shape == (500, 64)
    assert (lengths - 8).abs().max() < 1e-4 if kind == "spherical" else lengths.std() > 0.5
    assert z.mean().abs() < 0.02
    assert z.std().item() == pytest.approx(1.0, abs=0.02)


def test_pictures_are_shown_in_company():
    system = tiny()
    shown = {}
    for count in (1, 5, COMPANY, COMPANY + 3):
        torch.manual_seed(3)
        with torch.no_grad():
            shown[count] = system.show({"b": torch.zeros(count, 3, 32, 32)})["fake_b"]
        assert shown[count].shape == (count, 3, 32, 32)
        assert shown[count].abs().max() <= 1
    assert torch.equal(shown[1], shown[COMPANY][:1]), "one picture alone would have the statistics of one"
    assert torch.equal(shown[5], shown[COMPANY][:5])
    assert system.show({"a": torch.zeros(1, 3, 32, 32)}) == {}


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (48, {}, "data.image: DCGAN needs a power of two from 8 to 256; nearest: 32 or 64"),
        (
            64,
            {"penalty": "gp"},
            "hyper.penalty: a critic with batch norm has no gradient of one sample to penalise; "
            "nearest: hyper.norm instance",
        ),
        (
            64,
            {"gan": "hinge", "smoothing": 0.1},
            "hyper.smoothing: hinge has no target to smooth; these have: lsgan, vanilla, minimax",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        DCGAN.check({"b": (3, image, image)}, NoiseHyper(**hyper))
    assert str(caught.value) == text


@pytest.mark.parametrize("norm", ["instance", "none"])
def test_a_critic_without_batch_norm_may_be_penalised(norm):
    hyper = NoiseHyper(penalty="lp", norm=norm)
    DCGAN.check({"b": (3, 64, 64)}, hyper)
    assert hyper.generator_norm == "batch"
    of = engine("dcgan", hyper={"penalty": "gp", "norm": norm}, weights={"d": 0.0})
    old = before(of)
    of.step()
    moved = {n for n, p in of.system.d.named_parameters() if not torch.equal(p, old.d.get_parameter(n))}
    assert {n for n, _ in old.d.named_parameters() if n.endswith("weight")} <= moved, "the penalty reaches them all"
