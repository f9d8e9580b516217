"""Augmented CycleGAN is the published one: the critics move first, and the same pictures are then played against them."""

from typing import Any

import numpy as np
import pytest
import torch

from cluster.model import Model
from tests.trainers import worlds
from tests.trainers.latents import alone
from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import SEED, TINY, engine
from trainers import randomness
from trainers.engine import STAGE
from trainers.errors import SettingError
from trainers.networks.augmented import PairEncoder, PlainGenerator, ToldGenerator, VectorCritic
from trainers.networks.blocks import NORMS
from trainers.settings import Balance, aliases
from trainers.systems.augmented_cyclegan import AugmentedCycleGAN, AugmentedCycleGANHyper
from trainers.tree import Tree

NAME = "augmented-cyclegan"
LATENT = TINY[NAME]["latent"]


def noise(count):
    """What the first replica draws in its first step."""
    randomness.seed_generators(torch.device("cpu"), SEED, STAGE, 0, 0, 0)
    return torch.randn(count, LATENT)


def real(logits):
    return (logits - 1).square().mean()


def fake(logits):
    return logits.square().mean()


def test_the_objective_is_the_published_one():
    of = engine(NAME, tree=Tree(1))
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b, new = images["a"], images["b"], of.system
    z = noise(len(a))
    with torch.no_grad():
        fake_b, fake_a = old.ab(a, z), old.ba(b)
        code = old.e(torch.cat([fake_a, b], 1))
        judged = {
            "d_a": 0.5 * (real(old.d_a(a)) + fake(old.d_a(fake_a))),
            "d_b": 0.5 * (real(old.d_b(b)) + fake(old.d_b(fake_b))),
            "d_z": 0.5 * (real(old.d_z(z)) + fake(old.d_z(code))),
        }
        played = {
            "adv_ab": real(new.d_b(fake_b)),
            "adv_ba": real(new.d_a(fake_a)),
            "adv_z": real(new.d_z(code)),
            "cyc_a": (old.ba(fake_b) - a).abs().mean(),
            "cyc_b": (old.ab(fake_a, code) - b).abs().mean(),
            "cyc_z": (old.e(torch.cat([a, fake_b], 1)) - z).abs().mean(),
        }
    loss = sum(value.item() * (0.025 if name == "cyc_z" else 1.0) for name, value in played.items())
    assert [move.players for move in seen] == [("critics",), ("generators",)]
    assert seen[0].raw == pytest.approx({name: value.item() for name, value in judged.items()}, rel=1e-4)
    assert seen[1].raw == pytest.approx({name: value.item() for name, value in played.items()}, rel=1e-4)
    assert [move.loss for move in seen] == pytest.approx(
        [sum(value.item() for value in judged.values()), loss], rel=1e-4
    )


@pytest.mark.parametrize("turns", [1, 3])
def test_moved_critics_are_played_with_the_very_same_pictures(turns):
    of = engine(NAME, tree=Tree(1), balance=Balance(critic_turns=turns))
    given: dict[str, list[Any]] = {"d_a": [], "d_b": [], "d_z": []}
    weights: dict[str, list[Any]] = {name: [] for name in given}
    for name in given:
        critic = of.system.get_submodule(name)

        def look(network, found, name=name):
            given[name].append(found[0].detach().clone())
            weights[name].append(next(network.parameters()).detach().clone())

        critic.register_forward_pre_hook(look)
    of.step()
    for name, shown in given.items():
        *turned, played = shown
        assert len(turned) == 2 * turns
        assert all(torch.equal(made, played) for made in turned[1::2]), "the same bytes in each turn, and then"
        assert all(torch.equal(truth, turned[0]) for truth in turned[::2]) and not torch.equal(turned[0], played)
        assert not torch.equal(weights[name][-1], weights[name][-2]), "against a critic that has moved since"


@pytest.mark.parametrize(
    ("term", "networks"),
    [
        ("adv_ab", {"ab"}),
        ("adv_ba", {"ba"}),
        ("adv_z", {"e", "ba"}),
        ("cyc_a", {"ab", "ba"}),
        ("cyc_b", {"ab", "ba", "e"}),
        ("cyc_z", {"ab", "e"}),
    ],
)
def test_whom_a_term_teaches(term, networks):
    found = gradients(alone(NAME, term), "generators")
    assert {name.split(".")[0] for name, gradient in found.items() if gradient.any()} == networks


@pytest.mark.parametrize(("term", "network"), [("d_a", "d_a"), ("d_b", "d_b"), ("d_z", "d_z")])
def test_a_critics_term_teaches_that_critic(term, network):
    found = gradients(alone(NAME, term), "critics")
    assert {name.split(".")[0] for name, gradient in found.items() if gradient.any()} == {network}


def test_the_penalties_lie_between_what_each_critic_is_given(monkeypatch):
    given = []

    def penalise(self, critic, true, made):
        given.append((critic, true, made))
        return critic(true).mean()

    monkeypatch.setattr(AugmentedCycleGANHyper, "penalise", penalise)
    of = engine(NAME, tree=Tree(1), hyper={"penalty": "gp"})
    old, images = before(of), batch(of)
    of.step()
    a, b = images["a"], images["b"]
    z = noise(len(a))
    with torch.no_grad():
        fake_b, fake_a = old.ab(a, z), old.ba(b)
        code = old.e(torch.cat([fake_a, b], 1))
    assert [critic for critic, _, _ in given] == [of.system.d_a, of.system.d_b, of.system.d_z]
    wanted = [(a, fake_a), (b, fake_b), (z[:, :, None, None], code[:, :, None, None])]
    torch.testing.assert_close([(true, made) for _, true, made in given], wanted)


def test_the_penalty_of_a_vector_is_on_its_own_gradient():
    torch.manual_seed(0)
    critic, hyper = VectorCritic(2, 8), AugmentedCycleGANHyper(penalty="gp")
    with torch.no_grad():
        for network in critic:
            if isinstance(network, torch.nn.Linear):
                network.weight.fill_(0.0)
                network.weight.fill_diagonal_(1.0)
                network.bias.fill_(10.0)  # on the rectifiers' straight part
    z = torch.rand(3, 2, 1, 1)
    assert hyper.penalise(critic, z, z).item() == pytest.approx(0.0, abs=1e-6)


def test_critics_learn_at_a_fifth_of_the_rate_throughout():
    of = engine(NAME)
    assert of.options.balance.lr_ratio == 0.2
    for _ in range(worlds.STEPS):
        of.step()
        generators, critics = (of.optimizers[name].param_groups[0]["lr"] for name in ("generators", "critics"))
        assert critics == pytest.approx(0.2 * generators)
    assert generators < 2e-4, "it has fallen"


def test_a_translation_varies_with_the_vector_and_is_repeated_by_the_picture():
    of = engine(NAME)
    model, picture = Model(of.system, worlds.SHAPES, {}), worlds.read(1)("a", 0, 0)["a"][0]
    first = model.translate(picture, "b")
    torch.rand(100)
    assert np.array_equal(model.translate(picture, "b"), first)
    images = batch(of)
    with torch.no_grad():
        one, other = of.system.show({"a": images["a"][:1].expand(2, -1, -1, -1)})["fake_b"]
        assert not torch.equal(one, other)
        together, by_itself = (of.system.show({"b": images["b"][:n]})["cycle_b"][0] for n in (2, 1))
    torch.testing.assert_close(together, by_itself)


def test_generators_keep_the_size_and_hear_the_vector():
    torch.manual_seed(0)
    told, plain = ToldGenerator(1, 3, 4, 2, 5), PlainGenerator(3, 1, 4, 2)
    picture, z = torch.rand(1, 1, 16, 16).expand(2, -1, -1, -1), torch.randn(2, 5)
    with torch.no_grad():
        for parameter in told.parameters():
            parameter.mul_(20)
    made = told(picture, z)
    assert made.shape == (2, 3, 16, 16) and not torch.allclose(*made)
    assert plain(made).shape == (2, 1, 16, 16) and made.abs().max() <= 1
    kernels = [[p.shape[2] for p in network.parameters() if p.dim() == 4] for network in (told, plain)]
    assert kernels[0] == kernels[1] == [7, 3, 3, *[3] * 4, 3, 3, 7]


@pytest.mark.parametrize("image", [8, 16, 64])
@pytest.mark.parametrize("norm", NORMS)
def test_an_encoder_of_any_power_of_two(image, norm):
    PairEncoder.check(image)
    encoder = PairEncoder(4, image, 4, 5, NORMS[norm])
    assert encoder(torch.rand(1, 4, image, image)).shape == (1, 5), "one sample is enough"


def test_what_does_not_fit_is_refused():
    with pytest.raises(SettingError) as caught:
        AugmentedCycleGAN.check(dict.fromkeys(("a", "b"), (3, 48, 48)), AugmentedCycleGANHyper())
    assert str(caught.value) == "data.image: the encoder needs a power of two from 8 to 512; nearest: 32 or 64"


def test_the_papers_names_of_the_weights():
    known = aliases(AugmentedCycleGAN.terms)
    assert known["cyc"] == known["lambda_cyc"] == ("cyc_a", "cyc_b")
    assert (known["lambda_A"], known["lambda_B"], known["lambda_z"]) == (("cyc_a",), ("cyc_b",), ("cyc_z",))
    hyper = AugmentedCycleGANHyper()
    assert (hyper.latent, hyper.width, hyper.encoder_width, hyper.critic_width, hyper.lr) == (16, 32, 32, 64, 2e-4)
