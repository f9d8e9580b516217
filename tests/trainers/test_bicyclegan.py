"""BicycleGAN is the published one: half-batches, two critics, and an encoder that does not follow the latent loss."""

from typing import Any

import numpy as np
import pytest
import torch

from cluster.model import Model
from orchestrator.planning.sizes import Machine, find_sizes
from orchestrator.sweep_file.sweep import Sweep
from tests.trainers import worlds
from tests.trainers.latents import LATENT, alone, divergence, lively, noise, says_fake, says_real, taught
from tests.trainers.watching import batch, before, gradients, same, watch
from tests.trainers.worlds import engine
from trainers.errors import SettingError
from trainers.settings import aliases
from trainers.systems.bicyclegan import BicycleGAN, BicycleGANHyper
from trainers.tree import Tree


def fakes(old, a1, b1):
    """What the generator makes in a first step: of the encoded vectors, and of those it draws; and all vectors."""
    eps, z = noise(len(a1), len(a1))
    mu, log_variance = old.e(b1)
    code = mu + (0.5 * log_variance).exp() * eps
    return old.ab(a1, code), old.ab(a1, z), code, z


def test_the_objective_is_the_published_one():
    of = lively("bicyclegan")
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    (a1, _), (b1, b2) = images["a"].chunk(2), images["b"].chunk(2)
    with torch.no_grad():
        encoded, drawn, _, z = fakes(old, a1, b1)
        adv, adv2 = says_real(old.d(encoded)).item(), says_real(old.d2(drawn)).item()
        l1 = (encoded - b1).abs().mean().item()
        kl = divergence(*old.e(b1)).item()
        latent = (old.e(drawn)[0] - z).abs().mean().item()
        d = (says_real(old.d(b1)) + says_fake(old.d(encoded))).item()
        d2 = (says_real(old.d2(b2)) + says_fake(old.d2(drawn))).item()
    assert [move.players for move in seen] == [("generator", "encoder"), ("generator",), ("critic",), ("critic2",)]
    assert seen[0].raw == pytest.approx({"adv": adv, "adv2": adv2, "l1": l1, "kl": kl}, rel=1e-4)
    assert [move.raw for move in seen[1:]] == [
        pytest.approx({"latent": latent}, rel=1e-4),
        pytest.approx({"d": d}, rel=1e-4),
        pytest.approx({"d2": d2}, rel=1e-4),
    ]
    losses = [adv + adv2 + 10 * l1 + 0.01 * kl, 0.5 * latent, d, d2]
    assert [move.loss for move in seen] == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize("conditional", [False, True])
def test_what_the_networks_are_given(conditional):
    of = lively("bicyclegan", hyper={"conditional": conditional})
    old, images = before(of), batch(of)
    (a1, a2), (b1, b2) = images["a"].chunk(2), images["b"].chunk(2)
    given: dict[str, list[Any]] = {name: [] for name in ("ab", "e", "d", "d2")}
    for name, each in given.items():
        of.system.get_submodule(name).register_forward_pre_hook(lambda _, found, each=each: each.append(found))
    of.step()
    with torch.no_grad():
        encoded, drawn, code, z = fakes(old, a1, b1)
    real, made, real2, made2 = (
        (torch.cat([a, b], 1) if conditional else b,) for a, b in ((a1, b1), (a1, encoded), (a2, b2), (a1, drawn))
    )
    expected: dict[str, list[Any]] = {
        "ab": [(a1, code), (a1, z)],
        "e": [(b1,), (drawn,)],
        "d": [made, real, made],
        "d2": [made2, real2, made2],
    }
    for name, calls in expected.items():
        assert len(given[name]) == len(calls)
        for found, wanted in zip(given[name], calls, strict=True):
            torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("moves_encoder", [False, True])
def test_the_latent_loss_moves_the_encoder_only_where_asked(moves_encoder):
    def after_a_step(latent):
        of = engine("bicyclegan", weights={"latent": latent}, hyper={"latent_moves_encoder": moves_encoder})
        of.step()
        return gradients(of, "encoder"), gradients(of, "generator"), of.system.e.state_dict()

    encoder, generator, weights = after_a_step(0.5)
    stronger = after_a_step(5.0)
    assert same(stronger[0], encoder) is not moves_encoder
    assert same(stronger[2], weights) is not moves_encoder
    assert not same(stronger[1], generator), "the generator follows it"


@pytest.mark.parametrize(
    ("term", "players"),
    [("adv", "generator encoder"), ("adv2", "generator"), ("l1", "generator encoder"), ("kl", "encoder"),
     ("latent", "generator"), ("d", "critic"), ("d2", "critic2")],
)  # fmt: skip
def test_whom_a_term_teaches(term, players):
    assert taught(alone("bicyclegan", term)) == set(players.split())


def test_the_penalties_lie_between_what_each_critic_is_given(monkeypatch):
    given = []

    def penalise(self, critic, real, fake):
        given.append((critic, real, fake))
        return critic(real)[0].mean()

    monkeypatch.setattr(BicycleGANHyper, "penalise_scales", penalise)
    of = lively("bicyclegan", hyper={"penalty": "gp", "conditional": True})
    old, images = before(of), batch(of)
    (a1, a2), (b1, b2) = images["a"].chunk(2), images["b"].chunk(2)
    of.step()
    with torch.no_grad():
        encoded, drawn, _, _ = fakes(old, a1, b1)
    assert [critic for critic, _, _ in given] == [of.system.d, of.system.d2]
    torch.testing.assert_close(given[0][1:], (torch.cat([a1, b1], 1), torch.cat([a1, encoded], 1)))
    torch.testing.assert_close(given[1][1:], (torch.cat([a2, b2], 1), torch.cat([a1, drawn], 1)))


@pytest.mark.parametrize(
    ("batch_size", "replicas", "refusal"),
    [
        (2, 1, None),
        (8, 2, None),
        (6, 2, "bicyclegan splits each of 2 replicas in two halves, so the batch is a multiple of 4, not 6"),
        (5, 1, "bicyclegan splits each of 1 replicas in two halves, so the batch is a multiple of 2, not 5"),
    ],
)
def test_a_batch_that_cannot_be_halved_is_refused(batch_size, replicas, refusal):
    data = {"uri": "shards", "image": 64, "batch": batch_size, "replicas": replicas}
    sweep = Sweep.model_validate({"system": "bicyclegan", "data": data, "steps": 100})
    _, refusals = find_sizes(sweep, BicycleGAN, Machine(cpus=4, gpus=0), {})
    assert [(found.path, found.problem) for found in refusals] == ([("data.batch", refusal)] if refusal else [])


def test_the_smallest_batch_is_a_pair_of_pairs():
    assert (BicycleGAN.min_per_replica, BicycleGAN.even) == (2, True)
    of = engine("bicyclegan", tree=Tree(4))  # 4 samples over 4 replicas would be one each
    assert [len(images) for images in batch(of, replica=3).values()][:2] == [2, 2]
    of.step()
    of.settle()


def test_a_translation_varies_with_the_vector_and_is_repeated_by_the_picture():
    of = engine("bicyclegan")
    model, picture = Model(of.system, worlds.SHAPES, {}), worlds.read(1)("ab", 0, 0)["a"][0]
    first = model.translate(picture, "b")
    torch.rand(100)
    assert np.array_equal(model.translate(picture, "b"), first)
    one_image_twice = {"a": batch(of)["a"][:1].expand(2, -1, -1, -1)}
    with torch.no_grad():
        one, other = of.system.show(one_image_twice)["fake_b"]
    assert not torch.equal(one, other)


def test_a_vector_can_join_at_the_input_alone():
    channels = {}
    for where in ("all", "input"):
        encoder = engine("bicyclegan", hyper={"where": where}).system.ab.encoder
        channels[where] = [weight.shape[1] for weight in (p for p in encoder.parameters() if p.dim() == 4)]
    assert channels == {"all": [3 + LATENT, 4 + LATENT, 8 + LATENT], "input": [3 + LATENT, 4, 8]}


def test_the_papers_names_of_the_weights():
    known = aliases(BicycleGAN.terms)
    assert known["lambda"] == known["lambda_1"] == known["lambda_L1"] == ("l1",)
    assert known["lambda_latent"] == known["lambda_lat"] == known["lambda_z"] == ("latent",)
    assert (known["lambda_GAN"], known["lambda_GAN2"], known["lambda_KL"]) == (("adv",), ("adv2",), ("kl",))
    assert known["gp"] == ("gp_d", "gp_d2")
    defaults = {term.name: term.weight for term in BicycleGAN.terms}
    assert [defaults[name] for name in ("adv", "adv2", "l1", "kl", "latent")] == [1.0, 1.0, 10.0, 0.01, 0.5]


def test_the_formulas_are_a_preset_each():
    published = BicycleGANHyper()
    assert (published.conditional, published.latent_moves_encoder, published.latent, published.gan) == (
        False,
        False,
        8,
        "lsgan",
    )
    assert (published.where, published.scales, published.norm, published.dropout) == ("all", 2, "instance", 0.0)
    assert worlds.engine_of_preset("bicyclegan", "conditional").system.hyper.conditional
    assert worlds.engine_of_preset("bicyclegan", "latent-moves-encoder").system.hyper.latent_moves_encoder


def test_small_images_need_small_critics():
    shapes = dict.fromkeys(("a", "b"), (3, 32, 32))
    BicycleGAN.check(shapes, BicycleGANHyper(critic="patch34"))
    with pytest.raises(SettingError) as caught:
        BicycleGAN.check(shapes, BicycleGANHyper())
    assert str(caught.value) == "hyper.scales: 2 scales need an image of at least 47 pixels, not 32; nearest: 1"
