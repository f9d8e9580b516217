"""pix2pix is the paper's: what the critic sees, the order of the moves, the ablations, and a translation with noise in it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cluster.model import Model
from tests.trainers import worlds
from tests.trainers.watching import batch, before, gradients, same, watch
from tests.trainers.worlds import SEED, build, engine
from trainers import randomness
from trainers.engine import STAGE, Engine, Options
from trainers.errors import SettingError
from trainers.networks import unet
from trainers.systems.pix2pix import Pix2Pix, Pix2PixHyper
from trainers.tree import Tree

CPU = torch.device("cpu")
NORMS = (nn.InstanceNorm2d, nn.BatchNorm2d)


def tiny(weights=None, **hyper):
    """A small pix2pix."""
    system = build("pix2pix", weights, **hyper)
    assert isinstance(system, Pix2Pix)
    return system


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def test_a_conditional_critic_sees_the_input_too():
    a, b, other = torch.randn(3, 2, 3, 32, 32).unbind(0)
    for conditional, channels in ((True, 6), (False, 3)):
        system = tiny(conditional=conditional)
        assert next(system.d.parameters()).shape[1] == channels
        assert torch.equal(system.judge(a, b), system.judge(other, b)) is not conditional
        assert not torch.equal(system.judge(a, b), system.judge(a, other))


def test_the_innermost_layer_alone_has_no_norm():
    # 32 pixels halved 5 times are one: a norm there would erase the signal, and torch refuses it.
    system = tiny(levels=5)
    first, *middle, innermost = system.ab.encoder
    assert not any(isinstance(module, NORMS) for block in (first, innermost) for module in block.modules())
    assert all(any(isinstance(module, NORMS) for module in block) for block in middle)
    *inner, last = system.ab.decoder
    assert [sum(isinstance(module, NORMS) for module in block) for block in (*inner, last)] == [1, 1, 1, 1, 0]
    dropped = [any(isinstance(module, nn.Dropout) for module in block) for block in (*inner, last)]
    assert dropped == [True, True, True, False, False], "the published first three blocks"
    different = system.show({"a": torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])})["fake_b"]
    assert not torch.allclose(different[0], different[1], atol=1e-4)


@pytest.mark.parametrize("generator", ["unet", "encdec"])
def test_skips_carry_detail_past_the_bottleneck(generator):
    system = tiny(generator=generator, dropout=0.0)
    system.ab.encoder[-1].register_forward_hook(lambda module, given, out: torch.zeros_like(out))
    with torch.no_grad():
        one, other = system.ab(torch.randn(2, 3, 32, 32)).unbind(0)
    assert torch.equal(one, other) is (generator == "encdec")


def test_the_generator_plays_against_the_moved_critic():
    of = engine("pix2pix", tree=Tree(1))
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b = images["a"], images["b"]
    with torch.no_grad():
        randomness.seed_generators(CPU, SEED, STAGE, 0, 0, 0)  # the dropout of the step's one forward
        fake_b = old.ab(a)
        d = 0.5 * (bce(old.judge(a, b), 1.0) + bce(old.judge(a, fake_b), 0.0))
        against_old, against_moved = (bce(s.judge(a, fake_b), 1.0).item() for s in (old, of.system))
        l1 = (fake_b - b).abs().mean().item()
    assert [move.players for move in seen] == [("critic",), ("generator",)]
    assert seen[0].raw == pytest.approx({"d": d.item()}, rel=1e-4)
    assert seen[1].raw == pytest.approx({"adv": against_moved, "l1": l1}, rel=1e-4)
    assert seen[1].raw["adv"] != pytest.approx(against_old, rel=1e-4)
    assert seen[1].loss == pytest.approx(against_moved + 100 * l1, rel=1e-4)


def step_with(weights, hyper=None, critic=1.0, b=0):
    """The generator's gradient after a step: with the critic's weights scaled, and `b` added to the targets."""
    system = tiny(weights, **(hyper or {}))
    with torch.no_grad():
        for parameter in system.d.parameters():
            parameter.mul_(critic)
    honest = worlds.read(1)

    def read(source, draw, replica):
        found = honest(source, draw, replica)
        return found | {"b": found["b"] + np.uint8(b)}

    of = Engine(system, read, worlds.SHAPES, Tree(1), Options(SEED), CPU)
    of.step()
    return gradients(of, "generator")


def test_the_ablations_are_reached_by_weights():
    l1_alone = {"adv": 0.0}
    assert not same(step_with({}, critic=3.0), step_with({}))
    assert same(step_with(l1_alone, critic=3.0), step_with(l1_alone)), "L1 alone: the critic says nothing to G"
    # With the critic at rest (d: 0), the truth reaches G by the L1 term and by nothing else.
    gan, gan_l1 = {"l1": 0.0, "d": 0.0}, {"d": 0.0}
    for conditional in (True, False):
        hyper = {"conditional": conditional}
        assert same(step_with(gan, hyper, b=9), step_with(gan, hyper)), "GAN and cGAN"
        assert not same(step_with(gan_l1, hyper, b=9), step_with(gan_l1, hyper)), "L1 + GAN and L1 + cGAN"


@pytest.mark.parametrize(
    ("preset", "critic_speaks", "truth_speaks", "conditional"),
    [
        ("l1", False, True, True),
        ("gan", True, False, False),
        ("cgan", True, False, True),
        ("l1-gan", True, True, False),
    ],
)
def test_the_ablation_s_rows_are_presets(preset, critic_speaks, truth_speaks, conditional):
    chosen = Pix2Pix.presets[preset]
    weights = {**chosen.weights, "d": 0.0}
    base = step_with(weights, chosen.hyper)
    assert same(step_with(weights, chosen.hyper, critic=3.0), base) is not critic_speaks
    assert same(step_with(weights, chosen.hyper, b=9), base) is not truth_speaks
    assert worlds.engine_of_preset("pix2pix", preset).system.hyper.conditional is conditional


# Output maps at 256 pixels: 1x1, 16x16, 70x70 and 286x286 of the paper's study of receptive fields.
@pytest.mark.parametrize(("critic", "side"), [("pixel", 256), ("patch16", 126), ("patch70", 30), ("patch286", 6)])
def test_the_papers_critics_at_256_pixels(critic, side):
    shapes = dict.fromkeys(("a", "b"), (3, 256, 256))
    hyper = Pix2PixHyper(critic=critic)
    Pix2Pix.check(shapes, hyper)
    with torch.device("meta"):
        system = Pix2Pix.build(hyper, shapes, {term.name: term.weight for term in Pix2Pix.terms}, 100)
        assert isinstance(system, Pix2Pix)
        pictures = torch.empty(1, 3, 256, 256)
        assert system.ab(pictures).shape == pictures.shape
        assert system.judge(pictures, pictures).shape == (1, 1, side, side)


def test_noise_joins_the_input_as_constant_maps():
    system, seen = tiny(noise=2, dropout=0.0), []
    system.ab.register_forward_pre_hook(lambda _, found: seen.append(found[0]))
    a = torch.randn(3, 3, 32, 32)
    torch.manual_seed(1)
    with torch.no_grad():
        system.make(a)
    torch.manual_seed(1)
    z = torch.randn(3, 2)
    assert torch.equal(seen[0][:, :3], a)
    assert torch.equal(seen[0][:, 3:], z[:, :, None, None].expand(-1, -1, 32, 32))


def test_noise_is_the_step_s_own_and_the_critic_does_not_see_it():
    of = Engine(tiny(noise=2, dropout=0.0), worlds.read(2), worlds.SHAPES, Tree(2), Options(SEED), CPU)
    told, judged = [], []
    of.system.ab.register_forward_pre_hook(lambda _, found: told.append(found[0][:, 3:, 0, 0]))
    of.system.d.register_forward_pre_hook(lambda _, found: judged.append(found[0].shape[1]))
    of.step()
    of.step()
    vectors = torch.cat(told)
    assert vectors.shape == (2 * worlds.BATCH, 2), "one forward for each replica and step"
    assert len({tuple(vector.tolist()) for vector in vectors}) == len(vectors)
    assert set(judged) == {6}


def test_noise_makes_a_translation_vary():
    images = {"a": batch(engine("pix2pix"))["a"][:1].expand(2, -1, -1, -1)}
    for noise in (0, 2):
        with torch.no_grad():
            one, other = tiny(noise=noise, dropout=0.0).show(images)["fake_b"]
        assert torch.equal(one, other) is (noise == 0)


def test_the_noise_baseline_is_a_preset():
    of = worlds.engine_of_preset("pix2pix", "noise")
    assert (of.system.hyper.noise, of.system.hyper.gan) == (8, "lsgan")
    assert next(of.system.ab.parameters()).shape[1] == 3 + 8


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (64, {"levels": 8}, "hyper.levels: 8 halvings need an image of at least 256 pixels, not 64; nearest: 6"),
        (100, {}, "data.image: the U-Net needs a multiple of 8; nearest: 96 or 104"),
        (48, {"levels": 5}, "data.image: the U-Net needs a multiple of 32; nearest: 32 or 64"),
        (4, {}, "data.image: the U-Net needs a multiple of 8; nearest: 8"),
        (64, {"critic": "patch286"}, "hyper.critic: patch286 needs an image of at least 96 pixels, not 64; nearest: patch142"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_what_would(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        Pix2Pix.check({"a": (3, image, image), "b": (3, image, image)}, Pix2PixHyper(**hyper))
    assert str(caught.value) == text


@pytest.mark.parametrize(("image", "levels"), [(256, 8), (128, 7), (96, 5), (64, 6), (512, 8), (24, 3)])
def test_levels_go_down_to_one_pixel_where_they_can(image, levels):
    Pix2Pix.check({"a": (3, image, image), "b": (3, image, image)}, Pix2PixHyper(critic="pixel"))
    assert unet.levels_for(image, None) == levels


def test_batch_statistics_are_a_replicas_own():
    a = torch.randn(2, 3, 32, 32)
    for norm in ("instance", "batch"):
        system = tiny(norm=norm, dropout=0.0)
        with torch.no_grad():
            alone, together = system.ab(a[:1]), system.ab(a)[:1]
            assert torch.allclose(alone, together, atol=1e-5) is (norm == "instance")
            assert torch.allclose(system.show({"a": a})["fake_b"][:1], alone, atol=1e-6), "one image's, when shown"
    honest = worlds.read(2)

    def disturbed(source, draw, replica):
        found = honest(source, draw, replica)
        return {d: 255 - pixels for d, pixels in found.items()} if replica == 1 else found

    raw = []
    for read in (honest, disturbed):
        of = Engine(tiny(norm="batch"), read, worlds.SHAPES, Tree(2), Options(SEED), CPU)
        seen = watch(of)
        of.step()
        raw.append([move.raw for move in seen])
    assert raw[0][0] == raw[1][0], "replica 0 does not see what replica 1 holds"
    assert raw[0][1] != raw[1][1]


def test_dropout_makes_a_translation_a_function_of_the_seed():
    system = tiny()
    images = {"a": batch(engine("pix2pix"))["a"]}
    shown = []
    for seed in (1, 2, 1):
        randomness.seed_generators(CPU, seed)
        with torch.no_grad():
            shown.append(system.show(images)["fake_b"])
    assert torch.equal(shown[0], shown[2])
    assert not torch.equal(shown[0], shown[1])
    model, picture = Model(system, worlds.SHAPES, {}), worlds.read(1)("ab", 0, 0)["a"][0]
    first = model.translate(picture, "b")
    torch.rand(100)
    assert first.shape == (32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(model.translate(picture, "b"), first)
