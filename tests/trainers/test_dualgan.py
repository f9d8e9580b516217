"""DualGAN is its authors': Wasserstein critics with a two-sided penalty, a strong reconstruction, RMSProp."""

import pytest
import torch

from tests.trainers.watching import before, gradients, same, watch
from tests.trainers.worlds import SEED, SHAPES, engine, engine_of_preset
from trainers import randomness
from trainers.engine import STAGE
from trainers.errors import SettingError
from trainers.networks.dcgan import DCGANCritic
from trainers.networks.patch import PatchCritic
from trainers.optimizers import RMSProp
from trainers.replica import to_images
from trainers.settings import Balance
from trainers.systems.dualgan import DualGAN, DualGANHyper
from trainers.tree import Tree

CPU = torch.device("cpu")
PLAIN = {"dropout": 0.0}


def drawn(of, domain, number):
    """What replica 0 draws of a domain for the `number`-th time."""
    return to_images(of.read(domain, number, 0)[domain], CPU, torch.contiguous_format)


def test_the_objective_is_the_papers():
    of = engine("dualgan", tree=Tree(1), hyper=PLAIN)
    seen, old = watch(of), before(of)
    of.step()
    a, b, moved = drawn(of, "a", 0), drawn(of, "b", 0), of.system
    with torch.no_grad():
        fake_b, fake_a = old.ab(a), old.ba(b)
        critics = {
            "d_a": old.d_a(fake_a).mean() - old.d_a(a).mean(),
            "d_b": old.d_b(fake_b).mean() - old.d_b(b).mean(),
        }
        made = {"rec_a": (old.ba(fake_b) - a).abs().mean(), "rec_b": (old.ab(fake_a) - b).abs().mean()}
        # The generators have moved since, the critics have not: what they say of the old pictures is what the game was.
        made |= {"adv_ab": -moved.d_b(fake_b).mean(), "adv_ba": -moved.d_a(fake_a).mean()}
    assert [move.players for move in seen] == [("critics",), ("generators",)]
    penalties = {name: seen[0].raw[name] for name in ("gp_a", "gp_b")}
    assert seen[0].raw == pytest.approx({name: x.item() for name, x in critics.items()} | penalties, rel=1e-3, abs=1e-6)
    assert seen[1].raw == pytest.approx({name: x.item() for name, x in made.items()}, rel=1e-3, abs=1e-6)
    judged = sum(x.item() for x in critics.values()) + 10 * sum(penalties.values())
    assert seen[0].loss == pytest.approx(judged, rel=1e-3), "not halved"
    game = made["adv_ab"] + made["adv_ba"] + 500 * (made["rec_a"] + made["rec_b"])
    assert seen[1].loss == pytest.approx(game.item(), rel=1e-3)


def test_the_penalty_is_two_sided():
    # A critic without slope: a norm of 0 costs (0 - 1)^2, and a one-sided penalty would cost nothing.
    for penalty, cost in (("gp", 1.0), ("lp", 0.0)):
        of = engine("dualgan", hyper={"penalty": penalty})
        with torch.no_grad():
            for parameter in of.system.d_a.parameters():
                parameter.zero_()
        seen = watch(of)
        of.step()
        assert seen[0].raw["gp_a"] == pytest.approx(cost, abs=1e-5)
    assert DualGANHyper().penalty == "gp"


def test_critics_see_fresh_pictures_each_turn_and_the_generators_the_last():
    of = engine("dualgan", tree=Tree(1), hyper=PLAIN, balance=Balance(critic_turns=3))
    seen, old = watch(of), before(of)
    of.step()
    assert [move.players[0] for move in seen] == ["critics"] * 3 + ["generators"]
    assert of.draws == {"a": 3, "b": 3}
    with torch.no_grad():
        back = [(old.ba(old.ab(a)) - a).abs().mean().item() for a in (drawn(of, "a", n) for n in range(3))]
    assert seen[3].raw["rec_a"] == pytest.approx(back[2], rel=1e-4)
    assert seen[3].raw["rec_a"] != pytest.approx(back[0], rel=1e-4)


def test_the_published_learning():
    system = DualGAN.build(DualGANHyper(width=4, critic_width=4), SHAPES, {}, 100)
    assert [player.optimizer for player in system.players] == [RMSProp(5e-5, 0.9)] * 2
    assert [player.rate(99) for player in system.players] == [1.0, 1.0]
    assert DualGAN.balance.critic_turns == 1
    assert [player.clip for player in system.players] == [None, None]


def test_clipping_holds_every_parameter_of_the_critics():
    of = engine_of_preset("dualgan", "clip")
    seen = watch(of)
    of.step()
    assert of.moves == {"generators": 1, "critics": 3}
    bound = [float(p.detach().abs().max()) for p in of.gradients["critics"].parameters]
    assert max(bound) <= 0.01 + 1e-9
    assert max(float(p.detach().abs().max()) for p in of.gradients["generators"].parameters) > 0.02
    assert of.system.weights["rec_a"] == of.system.weights["rec_b"] == 200.0
    assert "gp_a" not in seen[0].raw


@pytest.mark.parametrize(("critic", "kind", "logits"), [("global", DCGANCritic, 1), ("patch16", PatchCritic, 14 * 14)])
def test_what_the_critics_see(critic, kind, logits):
    system = DualGAN.build(DualGANHyper(width=4, critic_width=4, critic=critic), SHAPES, {}, 10)
    assert isinstance(system.d_a, kind) and isinstance(system.d_b, kind)
    with torch.no_grad():
        assert system.d_a(torch.randn(2, *SHAPES["a"]))[0].numel() == logits, "one for the whole picture, or a map"


def test_dropout_is_the_noise_and_it_is_seeded():
    of = engine("dualgan", tree=Tree(1))
    seen, old, a = watch(of), before(of), drawn(of, "a", 0)
    of.step()
    with torch.no_grad():
        randomness.seed_generators(CPU, SEED, STAGE, 0, 0, 0)
        fake_b, _ = old.ab(a), old.ba(drawn(of, "b", 0))
        expected = (old.d_b(fake_b).mean() - old.d_b(drawn(of, "b", 0)).mean()).item()
        assert seen[0].raw["d_b"] == pytest.approx(expected, rel=1e-3, abs=1e-6)
        shown = []
        for seed in (1, 1, 2):
            randomness.seed_generators(CPU, seed)
            shown.append(of.system.show({"a": a})["fake_b"])
    assert torch.equal(shown[0], shown[1])
    assert not torch.equal(shown[0], shown[2])


def test_each_side_follows_its_own_losses():
    def followed(**weights):
        of = engine("dualgan", weights=weights)
        of.step()
        return gradients(of, "critics"), gradients(of, "generators")

    critics, generators = followed()
    assert same(followed(rec_a=3.0)[0], critics)
    assert not same(followed(rec_a=3.0)[1], generators)
    assert not same(followed(gp_a=1.0)[0], critics)


@pytest.mark.parametrize(
    ("term", "taught"), [("adv_ab", "ab"), ("adv_ba", "ba"), ("rec_a", "ab ba"), ("rec_b", "ab ba")]
)
def test_whom_a_term_teaches(term, taught):
    of = engine("dualgan")
    of.system.weights = {name: float(name == term) for name in of.system.weights}
    of.step()
    reached = {name.split(".")[0] for name, gradient in gradients(of, "generators").items() if gradient.any()}
    assert reached == set(taught.split())


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (96, {}, "data.image: the global critic needs a power of two from 8 to 256; nearest: 64 or 128"),
        (100, {}, "data.image: the U-Net needs a multiple of 8; nearest: 96 or 104"),
        (64, {"levels": 8}, "hyper.levels: 8 halvings need an image of at least 256 pixels, not 64; nearest: 6"),
        (
            64,
            {"norm": "batch"},
            "hyper.penalty: a critic with batch norm has no gradient of one sample to penalise; nearest: hyper.norm instance",
        ),
        (
            16,
            {"critic": "patch70"},
            "hyper.critic: patch70 needs an image of at least 24 pixels, not 16; nearest: patch34",
        ),
    ],
)
def test_what_does_not_fit_is_refused(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        DualGAN.check({"a": (3, image, image), "b": (3, image, image)}, DualGANHyper(**hyper))
    assert str(caught.value) == text


def test_patches_fit_sides_that_are_no_power_of_two():
    DualGAN.check({"a": (3, 96, 96), "b": (1, 96, 96)}, DualGANHyper(critic="patch70"))
