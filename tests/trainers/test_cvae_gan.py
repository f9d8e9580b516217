"""cVAE-GAN is the paper's: from b to z and back, one critic, an encoder that follows all of it."""

import pytest
import torch

from tests.trainers import worlds
from tests.trainers.latents import LATENT, alone, divergence, lively, noise, says_fake, says_real, taught
from tests.trainers.watching import batch, before, watch
from tests.trainers.worlds import engine
from trainers.systems.cvae_gan import CVAEGAN
from trainers.tree import Tree


def test_the_objective_is_the_papers():
    of = lively("cvae-gan")
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b = images["a"], images["b"]
    (eps,) = noise(len(a))
    with torch.no_grad():
        mu, log_variance = old.e(b)
        encoded = old.ab(a, mu + (0.5 * log_variance).exp() * eps)
        adv = says_real(old.d(encoded)).item()
        l1 = (encoded - b).abs().mean().item()
        kl = divergence(mu, log_variance).item()
        d = (says_real(old.d(b)) + says_fake(old.d(encoded))).item()
    made, judged = seen
    assert [move.players for move in seen] == [("generator", "encoder"), ("critic",)]
    assert made.raw == pytest.approx({"adv": adv, "l1": l1, "kl": kl}, rel=1e-4)
    assert made.loss == pytest.approx(adv + 10 * l1 + 0.01 * kl, rel=1e-4)
    assert judged.raw == pytest.approx({"d": d}, rel=1e-4)
    assert judged.loss == pytest.approx(d, rel=1e-4)


@pytest.mark.parametrize(
    ("term", "players"),
    [("adv", "generator encoder"), ("l1", "generator encoder"), ("kl", "encoder"), ("d", "critic")],
)
def test_whom_a_term_teaches(term, players):
    assert taught(alone("cvae-gan", term)) == set(players.split())


def test_it_trains_on_single_pairs_and_draws_what_it_shows():
    assert (CVAEGAN.min_per_replica, CVAEGAN.even, CVAEGAN.varied) == (1, False, True)
    of = engine("cvae-gan", tree=Tree(4))
    assert len(batch(of)["a"]) == 1
    of.step()
    of.settle()
    a = batch(of)["a"]
    with torch.no_grad():
        torch.manual_seed(1)
        shown = of.system.show({"a": a})["fake_b"]
        torch.manual_seed(1)
        assert torch.equal(shown, of.system.ab(a, torch.randn(1, LATENT)))


def test_the_formula_s_critic_judges_pairs():
    of = worlds.engine_of_preset("cvae-gan", "conditional")
    given = []
    of.system.d.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    images = batch(of)
    of.step()
    assert [seen.shape[1] for seen in given[:2]] == [6, 6]
    assert all(torch.equal(seen[:, :3], images["a"]) for seen in (given[0], given[2], given[3]))
    assert torch.equal(given[2], torch.cat([images["a"], images["b"]], 1))
