"""SRGAN: small pictures are made of large ones in the step, and translated as they are; a critic plays after a stage."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from cluster.model import Model
from tests.trainers.judging import Flat
from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import CLASSES, IMAGE, SHAPES, build, engine
from trainers.errors import SettingError
from trainers.evaluation import evaluate
from trainers.measures import psnr
from trainers.networks.blocks import instance_norm, no_norm
from trainers.networks.srresnet import SRCritic, SRResNet, resized
from trainers.systems.srgan import SRGAN, SRGANHyper
from trainers.systems.srgan_first import SRGANFirstHyper
from trainers.tree import Tree


def tiny(**hyper):
    """A small SRGAN."""
    system = build("srgan", **hyper)
    assert isinstance(system, SRGAN)
    return system


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def test_the_defaults_are_the_paper_s():
    hyper = SRGANHyper()
    assert (hyper.factor, hyper.blocks, hyper.width, hyper.lr, hyper.beta1) == (4, 16, 64, 1e-4, 0.9)
    weights = {term.name: term.weight for term in SRGAN.terms if term.exists(hyper)}
    assert weights == {"mse": 1, "adv": 1e-3, "d": 1, "mse_first": 1}
    assert {term.name for term in SRGAN.in_force(SRGANHyper(content="task", adversarial=False))} == {"feat"}
    rate = hyper.rate(1000)
    assert (rate(0), rate(499), rate(500), rate(999)) == (1, 1, 0.1, 0.1)
    assert SRGANHyper(drop_from=1.0).rate(1000)(999) == 1


def test_a_small_picture_is_what_pillow_would_save():
    pixels = np.random.default_rng(0).integers(
        96, 160, (IMAGE, IMAGE, 3), np.uint8
    )  # Pillow cuts off between its passes
    b = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1.0
    small = ((tiny().hyper.small(b)[0] + 1.0) * 127.5).round().permute(1, 2, 0).numpy()
    theirs = np.asarray(Image.fromarray(pixels).resize((8, 8), Image.Resampling.BICUBIC)).astype(np.float32)
    assert np.abs(small - theirs).max() <= 1, "Pillow counts in whole numbers"
    large = ((resized(b, 128)[0].clamp(-1, 1) + 1.0) * 127.5).round().permute(1, 2, 0).numpy()
    theirs = np.asarray(Image.fromarray(pixels).resize((128, 128), Image.Resampling.BICUBIC)).astype(np.float32)
    assert np.abs(large - theirs).max() <= 1


@pytest.mark.parametrize("content", ["pixels", "task"])
def test_a_step_is_the_papers_objective(content):
    of = engine("srgan", tree=Tree(1), hyper={"content": content, "layer": 2}, weights={"adv": 0.5})
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    b = images["b"]
    with torch.no_grad():
        fake = old.g.enlarged(old.hyper.small(b))
        d = bce(old.d(b), 1.0) + bce(old.d(fake), 0.0)
        adv = bce(of.system.d(fake), 1.0).item()
        if content == "pixels":
            name, gap = "mse", F.mse_loss(fake, b).item()
        else:
            name, gap = "feat", F.mse_loss(old.task.maps(fake)[1], old.task.maps(b)[1]).item()
    assert [move.players for move in seen] == [("critic",), ("generator",)]
    assert seen[0].raw == pytest.approx({"d": d.item()}, rel=1e-4)
    assert seen[1].raw == pytest.approx({name: gap, "adv": adv}, rel=1e-3)
    assert seen[1].loss == pytest.approx(gap + 0.5 * adv, rel=1e-3)


def test_without_a_critic_it_is_srresnet():
    of = engine("srgan", hyper=SRGAN.presets["srresnet"].hyper)
    of.step()
    assert [player.name for player in of.system.players] == ["generator"] and not hasattr(of.system, "d")
    assert of.moves == {"generator": 1}
    assert set(of.ledger.means()) >= {"mse"}
    (stage,) = SRGAN.stages
    assert stage.steps(of.system.hyper) == 0 and stage.steps(SRGANHyper()) == 10_000


def test_maps_of_the_task_network_teach_the_generator_and_nothing_else():
    of = engine("srgan", hyper={"content": "task", "adversarial": False})
    old = before(of).task.state_dict()
    of.step()
    assert all(torch.equal(value, old[name]) for name, value in of.system.task.state_dict().items())
    assert any(gradient.any() for gradient in gradients(of, "generator").values())
    assert SRGAN.needs_task(of.system.hyper) and not SRGAN.needs_task(SRGANHyper())


def test_before_the_game_the_generator_learns_alone_and_begins_with_it():
    (stage,) = SRGAN.stages
    whole = SRGANHyper(first_steps=30, first_batch=8, width=5, factor=2, content="task", task_classes=CLASSES)
    assert (stage.steps(whole), stage.batch(whole), stage.system.stage) == (30, 8, stage.name)
    assert stage.settings(whole) == SRGANFirstHyper(width=5, factor=2), (
        "what the critic or a task network is, is of no account"
    )
    of = engine("srgan:first", tree=Tree(1))
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    with torch.no_grad():
        mse = F.mse_loss(old.g.enlarged(old.hyper.small(images["b"])), images["b"]).item()
    assert seen[0].raw == pytest.approx({"mse_first": mse}, rel=1e-4)
    first, later = of.system.state_dict(), build("srgan", seed=5)
    drawn = {name: value.clone() for name, value in later.state_dict().items()}
    with torch.no_grad():
        later.enter({stage.name: first})
    for name, value in later.state_dict().items():
        assert torch.equal(value, first[name] if name.startswith("g.") else drawn[name])


def test_an_evaluation_holds_it_and_plain_enlarging_against_the_large_picture():
    of = engine("srgan", tree=Tree(1))
    scores, stages = evaluate(of, Flat({"b": [0, 100, 200]}))
    assert scores["eval/psnr_bicubic"] == 100, "a flat picture loses nothing"
    assert scores["eval/ssim_bicubic"] == pytest.approx(1.0, abs=1e-9)
    flat = torch.stack([torch.full((3, IMAGE, IMAGE), level / 127.5 - 1.0) for level in (0, 100, 200)])
    with torch.no_grad():
        made = of.system.show({"b": flat})["fake_b"]
    assert scores["eval/psnr"] == pytest.approx(psnr(made, flat).double().mean().item(), rel=1e-4)
    assert list(stages) == ["a to b", "b", "b to a"]


def test_it_translates_pictures_that_are_small_already():
    system = tiny()
    model = Model(system, {"b": SHAPES["b"], **system.takes}, {})
    assert (model.targets, model.source("b"), model.shapes["a"]) == (["b"], "a", (3, 8, 8))
    small = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    made = model.translate(small, "b")
    assert made.shape == (IMAGE, IMAGE, 3)
    assert np.array_equal(model.translate(small, "b"), made)


@pytest.mark.parametrize("norm", ["none", "instance", "batch"])
def test_a_picture_is_enlarged_alike_in_any_company(norm):
    system, b = tiny(generator_norm=norm), torch.rand(3, 3, IMAGE, IMAGE)
    with torch.no_grad():
        alone, together = system.show({"b": b[:1]})["fake_b"], system.show({"b": b})["fake_b"][:1]
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("factor", "side"), [(2, 24), (4, 8), (8, 5)])
def test_any_small_picture_becomes_so_much_larger(factor, side):
    with torch.no_grad():
        made = SRResNet(1, 2, 1, factor, no_norm)(torch.randn(1, 1, side, side))
        assert made.shape == (1, 1, factor * side, factor * side) and made.abs().max() <= 1
        assert SRCritic(1, 48, 2, instance_norm)(torch.randn(2, 1, 48, 48)).shape == (2, 1)


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (50, {"adversarial": False}, "data.image: a picture 4 times smaller needs a multiple of 4; nearest: 48 or 52"),
        (
            8,
            {"factor": 8, "adversarial": False},
            "data.image: a picture 8 times smaller needs 2 pixels a side; nearest: 16",
        ),
        (40, {}, "data.image: a critic of 4 halvings needs a multiple of 16; nearest: 32 or 48"),
        (16, {}, "data.image: a critic of 4 halvings needs at least 32; nearest: 32"),
        (
            64,
            {"penalty": "gp"},
            "hyper.penalty: a critic with batch norm has no gradient of one sample to penalise; "
            "nearest: hyper.norm instance",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        SRGAN.check({"b": (3, image, image)}, SRGANHyper(**hyper))
    assert str(caught.value) == text
