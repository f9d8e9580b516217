"""cLR-GAN is the paper's: from z to b and back, by an encoder that is a point estimate and learns from the latent loss alone."""

import pytest
import torch

from tests.trainers import worlds
from tests.trainers.latents import LATENT, alone, lively, noise, says_fake, says_real, taught
from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import engine
from trainers.systems.clr_gan import CLRGAN
from trainers.tree import Tree


def test_the_objective_is_the_papers():
    of = lively("clr-gan")
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b = images["a"], images["b"]
    (z,) = noise(len(a))
    with torch.no_grad():
        drawn = old.ab(a, z)
        adv = says_real(old.d(drawn)).item()
        latent = (old.e(drawn)[0] - z).abs().mean().item()
        d = (says_real(old.d(b)) + says_fake(old.d(drawn))).item()
    made, judged = seen
    assert [move.players for move in seen] == [("generator", "encoder"), ("critic",)]
    assert made.raw == pytest.approx({"adv": adv, "latent": latent}, rel=1e-4)
    assert made.loss == pytest.approx(adv + 0.5 * latent, rel=1e-4)
    assert judged.raw == pytest.approx({"d": d}, rel=1e-4)


def test_the_latent_loss_is_the_mean_distance():
    of = engine("clr-gan", tree=Tree(1))
    constant = torch.tensor([0.5, -1.0, 2.0])
    with torch.no_grad():
        of.system.e.mu.weight.zero_()
        of.system.e.mu.bias.copy_(constant)
    seen = watch(of)
    of.step()
    (z,) = noise(worlds.BATCH)
    by_hand = sum(abs(float(z[i, j]) - float(constant[j])) for i in range(worlds.BATCH) for j in range(LATENT))
    assert seen[0].raw["latent"] == pytest.approx(by_hand / (worlds.BATCH * LATENT), rel=1e-5)


@pytest.mark.parametrize(("term", "players"), [("adv", "generator"), ("latent", "generator encoder"), ("d", "critic")])
def test_whom_a_term_teaches(term, players):
    assert taught(alone("clr-gan", term)) == set(players.split())


def test_the_encoder_follows_the_latent_loss():
    def after_a_step(latent):
        of = engine("clr-gan", weights={"latent": latent})
        of.step()
        return gradients(of, "encoder")

    weak, strong = after_a_step(0.5), after_a_step(1.0)
    for name, gradient in weak.items():
        torch.testing.assert_close(strong[name], 2 * gradient)
    assert any(gradient.any() for gradient in weak.values())


@pytest.mark.parametrize("encoder", ["resnet", "conv"])
def test_the_encoder_has_no_variance(encoder):
    of = engine("clr-gan", hyper={"encoder": encoder})
    names = [name for name, _ in of.system.e.named_parameters()]
    assert [name for name in names if not name.startswith("body.")] == ["mu.weight", "mu.bias"]


def test_it_trains_on_single_pairs_and_draws_what_it_shows():
    assert (CLRGAN.min_per_replica, CLRGAN.even, CLRGAN.varied) == (1, False, True)
    of = engine("clr-gan", tree=Tree(4))
    assert len(batch(of)["a"]) == 1
    of.step()
    of.settle()
    a = batch(of)["a"]
    with torch.no_grad():
        torch.manual_seed(1)
        shown = of.system.show({"a": a})["fake_b"]
        torch.manual_seed(1)
        assert torch.equal(shown, of.system.ab(a, torch.randn(1, LATENT)))
