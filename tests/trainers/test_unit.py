"""UNIT is the published one: its divergence, its noise, and layers that two domains share where asked."""

import pytest
import torch

from tests.trainers import worlds
from tests.trainers.latents import alone, says_fake, says_real
from tests.trainers.watching import batch, before, gradients, same, watch
from tests.trainers.worlds import SEED, engine
from trainers import randomness
from trainers.engine import STAGE
from trainers.errors import SettingError
from trainers.settings import aliases
from trainers.systems.unit import UNIT, UNITHyper, divergence
from trainers.tree import Tree

SHARED = {"blocks": 2, "share_layers": 1}


def noise(like, segment):
    """What the first replica adds to codes of this shape in a segment of its first step, one draw after another."""
    randomness.seed_generators(torch.device("cpu"), SEED, STAGE, 0, 0, segment)
    while True:
        yield torch.randn(like.shape)


@pytest.mark.parametrize("hyper", [{}, SHARED])
def test_the_objective_is_the_published_one(hyper):
    of = engine("unit", tree=Tree(1), hyper=hyper)
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b, new = images["a"], images["b"], of.system
    with torch.no_grad():
        code_a, code_b = old.encode("a", a), old.encode("b", b)
        drawn = noise(code_a, 0)
        fake_b, fake_a = old.decode("b", code_a + next(drawn)), old.decode("a", code_b + next(drawn))
        judged = {
            "d_a": says_real(old.d_a(a)) + says_fake(old.d_a(fake_a)),
            "d_b": says_real(old.d_b(b)) + says_fake(old.d_b(fake_b)),
        }
        drawn = noise(code_a, 1)
        z_a, z_b = code_a + next(drawn), code_b + next(drawn)
        fake_b, fake_a = old.decode("b", z_a), old.decode("a", z_b)
        again_a, again_b = old.encode("b", fake_b), old.encode("a", fake_a)
        back_a, back_b = old.decode("a", again_a + next(drawn)), old.decode("b", again_b + next(drawn))
        made = {
            "adv_ab": says_real(new.d_b(fake_b)),
            "adv_ba": says_real(new.d_a(fake_a)),
            "rec_a": (old.decode("a", z_a) - a).abs().mean(),
            "rec_b": (old.decode("b", z_b) - b).abs().mean(),
            "kl_a": code_a.square().mean(),
            "kl_b": code_b.square().mean(),
            "cyc_a": (back_a - a).abs().mean(),
            "cyc_b": (back_b - b).abs().mean(),
            "kl_cyc_a": again_a.square().mean(),
            "kl_cyc_b": again_b.square().mean(),
        }
    weights = {"adv": 1.0, "rec": 10.0, "kl": 0.01, "cyc": 10.0, "kl_cyc": 0.01}
    loss = sum(weights[name.rpartition("_")[0]] * value.item() for name, value in made.items())
    assert [move.players for move in seen] == [("critics",), ("generators",)]
    assert seen[0].raw == pytest.approx({name: value.item() for name, value in judged.items()}, rel=1e-4)
    assert seen[1].raw == pytest.approx({name: value.item() for name, value in made.items()}, rel=1e-4)
    assert [move.loss for move in seen] == pytest.approx(
        [sum(value.item() for value in judged.values()), loss], rel=1e-4
    )


def test_the_divergence_is_a_mean_over_everything():
    code = torch.randn(2, 3, 4, 4)
    assert divergence(code).item() == pytest.approx(
        sum(x * x for x in code.flatten().tolist()) / code.numel(), rel=1e-5
    )
    assert divergence(torch.cat([code, code])).item() == pytest.approx(divergence(code).item())


def test_a_translation_has_no_noise():
    of = engine("unit")
    images = batch(of)
    with torch.no_grad():
        torch.manual_seed(1)
        first = of.system.show(images)
        torch.manual_seed(2)
        assert same(of.system.show(images), first)
        plain = of.system.decode("b", of.system.encode("a", images["a"]))
        assert torch.equal(first["fake_b"], plain)
        assert torch.equal(of.system.translators["b"](images["a"]), plain)
        assert torch.equal(first["cycle_a"], of.system.decode("a", of.system.encode("b", plain)))


def parameters(of, networks):
    """The names of a system's parameters in networks whose names begin so."""
    return {name for name, _ in of.system.named_parameters() if name.startswith(networks)}


def reached(of):
    """The names of the generators' parameters that the last move has a gradient for."""
    return {name for name, gradient in gradients(of, "generators").items() if gradient.any()}


OF_A, OF_B = ("encoders.a", "decoders.a"), ("encoders.b", "decoders.b")
BOTH = ("last_encoder", "first_decoder")


def test_two_autoencoders_share_nothing_unless_asked():
    of = engine("unit")
    assert not parameters(of, BOTH)
    assert not reached(alone("unit", "rec_a")) & parameters(of, OF_B)
    assert not reached(alone("unit", "rec_b")) & parameters(of, OF_A)


def test_shared_layers_are_one_and_follow_both_domains():
    found = {}
    for term in ("rec_a", "rec_b"):
        of = engine("unit", hyper=SHARED)
        of.system.weights = {known: float(known == term) for known in of.system.weights}
        of.step()
        found[term] = gradients(of, "generators")
    there, back = of.system.translators["b"], of.system.translators["a"]
    assert there[1] is back[1] is of.system.last_encoder and there[2] is back[2] is of.system.first_decoder
    shared = parameters(of, BOTH)
    weights = {name for name in shared if name.endswith("weight")}
    assert len(weights) == 4, "two convolutions each"
    assert all(found[term][name].any() for term in found for name in weights)
    of = engine("unit", hyper=SHARED)
    of.system.weights = {known: float(known.startswith("rec")) for known in of.system.weights}
    of.step()
    added = gradients(of, "generators")
    for name in weights:
        torch.testing.assert_close(added[name], found["rec_a"][name] + found["rec_b"][name], rtol=1e-4, atol=1e-6)


def test_sharing_costs_no_depth():
    plain, shared = (engine("unit", hyper={"blocks": 2, "share_layers": n}).system.translators["b"] for n in (0, 2))
    assert [p.shape for p in plain.parameters()] == [p.shape for p in shared.parameters()]


@pytest.mark.parametrize("alike", [True, False])
def test_networks_that_begin_alike_translate_a_picture_into_itself_and_part_in_training(alike):
    of = engine("unit", hyper={"alike": alike})
    a = batch(of)["a"]

    def difference():
        """Between a's translation, and a encoded and decoded."""
        with torch.no_grad():
            return float((of.system.translators["b"](a) - of.system.decode("a", of.system.encode("a", a))).abs().max())

    assert (difference() == 0.0) is alike
    of.step()
    assert difference() > 0.0
    assert not parameters(of, OF_A) & parameters(of, OF_B), "each domain has its own"


def test_domains_of_other_channels_cannot_begin_alike():
    with pytest.raises(
        SettingError, match=r"hyper\.alike: networks of pictures with 3 channels and with 1 cannot begin alike"
    ):
        UNIT.check({"a": (3, 64, 64), "b": (1, 64, 64)}, UNITHyper(alike=True))


def test_the_rate_is_halved_again_and_again():
    factor = UNITHyper(halve_every=10).rate(25)
    assert [factor(t) for t in (0, 9, 10, 19, 20)] == [1.0, 1.0, 0.5, 0.5, 0.25]
    assert UNITHyper(halve_every=10, decay_from=0.0).rate(25)(10) == pytest.approx(0.5 * (1 - 10 / 26))
    of = engine("unit", hyper={"halve_every": 1})
    of.step()
    of.step()
    assert of.optimizers["generators"].param_groups[0]["lr"] == 0.5e-4


@pytest.mark.parametrize(
    ("hyper", "image", "refusal"),
    [
        ({"share_layers": 5}, 64, "hyper.share_layers: there are only 4 residual blocks to share; nearest: 4"),
        ({}, 62, "data.image: the content encoder needs a multiple of 4; nearest: 60 or 64"),
        ({}, 32, "hyper.scales: 3 scales of 4 layers need an image of at least 61 pixels, not 32; nearest: 2"),
        ({"gan": "wgan", "smoothing": 0.1}, 64, "hyper.smoothing: wgan has no target to smooth; "),
    ],
)
def test_what_does_not_fit_is_refused(hyper, image, refusal):
    with pytest.raises(SettingError) as caught:
        UNIT.check(dict.fromkeys(("a", "b"), (3, image, image)), UNITHyper(**hyper))
    assert str(caught.value).startswith(refusal)


def test_published_settings_fit():
    for image in (64, 128, 256, 512):
        UNIT.check({"a": (3, image, image), "b": (1, image, image)}, UNITHyper())


def test_the_papers_names_of_the_weights():
    known = aliases(UNIT.terms)
    assert known["lambda_0"] == known["adv"] == ("adv_ab", "adv_ba")
    assert (known["lambda_1"], known["lambda_3"]) == (("kl_a", "kl_b"), ("kl_cyc_a", "kl_cyc_b"))
    assert (known["lambda_2"], known["lambda_4"]) == (("rec_a", "rec_b"), ("cyc_a", "cyc_b"))
    hyper = UNITHyper()
    assert (hyper.lr, hyper.weight_decay, hyper.beta1, hyper.halve_every, hyper.share_layers) == (
        1e-4,
        1e-4,
        0.5,
        100_000,
        0,
    )
    assert worlds.engine_of_preset("unit", "shared").system.hyper.share_layers == 1
    paper = worlds.engine_of_preset("unit", "paper").system
    found = {name.rpartition("_")[0]: weight for name, weight in paper.weights.items()}
    assert found == {"adv": 10.0, "rec": 100.0, "kl": 0.1, "cyc": 100.0, "kl_cyc": 0.1, "d": 1.0}
