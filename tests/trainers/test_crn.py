"""CRN: a cascade from coarse to fine, held to its truth by layers; of several pictures each region has its nearest."""

import pytest
import torch
import torch.nn.functional as F

from cluster.task import READS
from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import BATCH, build, engine
from trainers.errors import SettingError
from trainers.networks.cascade import Cascade, sides_to, width_at
from trainers.networks.classifier import LAYERS, Segmenter
from trainers.systems.crn import CRN, EVERY, CRNHyper, gaps_of
from trainers.task_maps import KINDS
from trainers.tree import Tree

LAYERED = ("pix", "feat_1", "feat_2", "feat_3")


def tiny(**hyper):
    """A small CRN."""
    system = build("crn", **hyper)
    assert isinstance(system, CRN)
    return system


def test_the_defaults_are_the_paper_s():
    hyper = CRNHyper()
    assert (hyper.features, hyper.images, hyper.width, hyper.lr, hyper.beta1) == ("task", 1, 1024, 1e-4, 0.9)
    assert {term.name: term.weight for term in CRN.terms if term.exists(hyper)} == dict.fromkeys(LAYERED, 1)
    widths = {side: width_at(1024, side) for side in sides_to(1024)}
    assert widths == {**dict.fromkeys((4, 8, 16, 32, 64), 1024), 128: 512, 256: 512, 512: 128, 1024: 32}
    assert KINDS.keys() == READS.keys() and len(LAYERED) == 1 + LAYERS


def test_every_module_sees_the_input_at_its_own_size():
    network, seen = Cascade(2, 3, 32, 5), []
    for module in network.stages:
        module.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    x = torch.randn(1, 2, 32, 32)
    with torch.no_grad():
        assert network.pictures(x).shape == (1, 1, 3, 32, 32)
    assert [given.shape[1:] for given in seen] == [(2, 4, 4), *((7, side, side) for side in (8, 16, 32))]
    for given in seen:
        torch.testing.assert_close(given[:, -2:], F.adaptive_avg_pool2d(x, given.shape[-1]))


@pytest.mark.parametrize(
    ("hyper", "weights"),
    [
        ({}, {}),
        ({"input": "label_map", "task_kind": "segmenter"}, {"pix": 0.5, "feat_2": 3.0}),
        ({"features": "none"}, {}),
    ],
)
def test_a_step_is_the_papers_objective(hyper, weights):
    of = engine("crn", tree=Tree(1), hyper=hyper, weights=weights)
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    b = images["b"]
    with torch.no_grad():
        made = old.ab.pictures(old.hyper.told(images[old.reads.source]))[:, 0]
        pairs = list(zip(old.layers(b), old.layers(made), strict=True))
    by_hand = {name: F.l1_loss(one, other).item() for name, (one, other) in zip(LAYERED, pairs, strict=False)}
    assert len(by_hand) == (1 if hyper.get("features") == "none" else 4)
    assert [move.players for move in seen] == [("generator",)]
    assert seen[0].raw == pytest.approx(by_hand, rel=1e-4)
    assert seen[0].loss == pytest.approx(sum(weights.get(n, 1.0) * value for n, value in by_hand.items()), rel=1e-4)


@pytest.mark.parametrize("source", ["picture", "label_map"])
def test_of_several_pictures_the_nearest_of_each_region_counts(source):
    weights = {"pix": 2.0, "feat_1": 0.5}
    of = engine("crn", tree=Tree(1), hyper={"images": 3, "input": source}, weights=weights)
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    told = old.hyper.told(images[old.reads.source])
    regions = told if source == "label_map" else torch.ones(BATCH, 1, 32, 32)
    totals = torch.zeros(BATCH, 3, regions.shape[1])
    with torch.no_grad():
        made = old.ab.pictures(told)
        real = old.layers(images["b"])
        for number in range(3):
            for name, one, other in zip(LAYERED, old.layers(made[:, number]), real, strict=True):
                share = F.adaptive_avg_pool2d(regions, one.shape[-1])
                for region in range(regions.shape[1]):
                    apart = (one - other) * share[:, region, None]
                    totals[:, number, region] += weights.get(name, 1.0) * apart.abs().mean((1, 2, 3))
    by_hand = (1 - EVERY) * totals.amin(1) + EVERY * totals.mean(1)
    assert seen[0].loss == pytest.approx(by_hand.sum(1).mean().item(), rel=1e-4)
    nearest = totals.argmin(1)
    assert nearest.shape[1] == 1 or (nearest != nearest[:, :1]).any(), "not all regions of a picture have the same"


def test_regions_add_up_to_the_whole():
    real, made = torch.randn(2, 5, 7, 7), torch.randn(2, 3, 5, 7, 7)
    regions = F.one_hot(torch.randint(4, (2, 32, 32)), 4).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(gaps_of(real, made, regions).sum(2), (made - real[:, None]).abs().mean((2, 3, 4)))


def test_layers_teach_the_generator_and_the_task_network_stays_as_it_is():
    of = engine("crn", hyper={"task_kind": "segmenter"}, weights={"pix": 0.0, "feat_1": 0.0, "feat_2": 0.0})
    old = before(of).task.state_dict()
    of.step()
    assert isinstance(of.system.task, Segmenter) and list(of.system.frozen) == ["task"]
    assert all(torch.equal(value, old[name]) for name, value in of.system.task.state_dict().items())
    assert all(gradient.any() for name, gradient in gradients(of, "generator").items() if name.endswith("weight"))
    assert CRN.needs_task(of.system.hyper) and not CRN.needs_task(CRNHyper(features="none"))


def test_one_of_several_pictures_is_shown_and_a_code_says_which():
    system = tiny(images=3, features="none")
    a = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        every = system.ab.pictures(a).clamp(-1, 1)
        torch.manual_seed(1)
        shown = system.show({"a": a})["fake_b"]
        torch.manual_seed(1)
        which = torch.rand(2, 3).argmax(1)
        assert torch.equal(shown, every[torch.arange(2), which])
        assert torch.equal(system.ab(a, torch.eye(3)[[2, 0]]), every[torch.arange(2), [2, 0]])
    assert CRN.varies(system.hyper) and not CRN.varies(CRNHyper())


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (48, {}, "data.image: a cascade from 4 pixels on needs a power of two from 8 to 1024; nearest: 32 or 64"),
        (4, {}, "data.image: a cascade from 4 pixels on needs a power of two from 8 to 1024; nearest: 8"),
        (
            64,
            {"input": "label_map", "classes": 1},
            "hyper.classes: a map of one class tells nothing; nearest: 2",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        CRN.check(dict.fromkeys("ab", (3, image, image)), CRNHyper(**hyper))
    assert str(caught.value) == text
