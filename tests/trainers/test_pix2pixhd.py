"""pix2pixHD: a generator in parts that learn one after the other, critics of several sizes, their features matched."""

import pytest
import torch
import torch.nn.functional as F

from tests.trainers import worlds
from tests.trainers.judging import Flat, grey
from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import CLASSES, build, engine
from trainers.errors import SettingError
from trainers.evaluation import evaluate
from trainers.label_maps import classes_of, levels_of
from trainers.measures import l1
from trainers.networks.enhancer import CoarseToFine, FeatureCritic, halved
from trainers.settings import Reads
from trainers.systems.pix2pixhd import Pix2PixHD, Pix2PixHDHyper
from trainers.tree import Tree

PARTS = {"global_share": 0.5, "local_share": 1 / 6}  # of six steps: three, one, and two of all together


def tiny(**hyper):
    """A small pix2pixHD."""
    system = build("pix2pixhd", **hyper)
    assert isinstance(system, Pix2PixHD)
    return system


def by_hand(critic, real, fake):
    """adv, fm and d of lists of features, as the paper's code sums them."""
    adv = sum((f[-1] - 1).square().mean() for f in fake)
    d = sum(0.5 * ((r[-1] - 1).square().mean() + f[-1].square().mean()) for r, f in zip(real, fake, strict=True))
    fm = sum(
        4 / (len(r) - 1) / len(real) * F.l1_loss(f[i], r[i])
        for r, f in zip(real, fake, strict=True)
        for i in range(len(r) - 1)
    )
    return {"adv": float(adv), "fm": float(fm)}, float(d)


def test_the_defaults_are_the_published_ones():
    hyper = Pix2PixHDHyper()
    assert (hyper.halvings, hyper.blocks, hyper.enhancers, hyper.scales, hyper.lr) == (4, 9, 0, 2, 2e-4)
    assert (hyper.gan, hyper.decay_from) == ("lsgan", 0.5)
    assert {term.name: term.weight for term in Pix2PixHD.terms if term.exists(hyper)} == {"adv": 1, "fm": 10, "d": 1}
    fine = Pix2PixHD.presets["coarse-to-fine"].hyper
    assert Pix2PixHDHyper(**fine).parts(300) == (200, 210)


@pytest.mark.parametrize("hyper", [{}, {"enhancers": 0, "scales": 3}])
def test_a_step_is_the_papers_objective(hyper):
    of = engine("pix2pixhd", tree=Tree(1), hyper=hyper)
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b = images["a"], images["b"]
    with torch.no_grad():
        fake_b = old.ab(a)
        features = [old.d.features(torch.cat([a, picture], 1)) for picture in (b, fake_b)]
    made, d = by_hand(old.d, *features)
    assert [move.players for move in seen] == [
        ("generator",) if "enhancers" in hyper else ("generator", "enhancer"),
        ("critic",),
    ]
    assert seen[0].raw == pytest.approx(made, rel=1e-4)
    assert seen[0].loss == pytest.approx(made["adv"] + 10 * made["fm"], rel=1e-4)
    assert seen[1].raw == pytest.approx({"d": d}, rel=1e-4), "of the same pictures, one forward"


def test_matching_gives_no_gradient_to_features_of_real_pictures():
    system = tiny()
    real, fake = ([[torch.randn(2, 3, 4, 4, requires_grad=True) for _ in range(4)] for _ in range(2)] for _ in range(2))
    system.match(real, fake).backward()
    assert all(feature.grad is None for maps in real for feature in maps)
    assert all(feature.grad is not None and feature.grad.any() for maps in fake for feature in maps[:-1])
    assert all(maps[-1].grad is None for maps in fake), "logits are no features"


def test_the_critic_learns_nothing_from_matching():
    digests = []
    for weights in ({"fm": 10.0}, {"fm": 0.0}):
        of = engine("pix2pixhd", weights=weights)
        of.step()
        digests.append((gradients(of, "critic"), gradients(of, "generator")))
    (critic, generator), (critic0, generator0) = digests
    assert all(torch.equal(critic[name], critic0[name]) for name in critic)
    assert not any(torch.equal(generator[name], generator0[name]) for name in generator if generator[name].any())


def test_the_weight_of_matching_does_not_depend_on_the_number_of_layers_or_critics():
    system = tiny()
    for scales, layers in ((1, 3), (2, 5), (3, 2)):
        real = [[torch.zeros(1, 1, 2, 2) for _ in range(layers)] for _ in range(scales)]
        fake = [[torch.full((1, 1, 2, 2), 0.5) for _ in range(layers)] for _ in range(scales)]
        assert system.match(real, fake).item() == pytest.approx(2.0)


def test_the_parts_learn_one_after_the_other():
    of = engine("pix2pixhd", tree=Tree(1), hyper=PARTS)
    made = []
    of.system.d.register_forward_hook(lambda module, given, _: made.append(given[0].shape[-1]))
    counts = []
    for _ in range(6):
        of.step()
        counts.append((of.moves["generator"], of.moves["head"], of.moves["enhancer"], of.moves["critic"]))
    assert counts == [(1, 1, 0, 1), (2, 2, 0, 2), (3, 3, 0, 3), (3, 3, 1, 4), (4, 3, 2, 5), (5, 3, 3, 6)]
    assert made[::2] == [16] * 3 + [32] * 3, "the critic sees pictures of the size that is made"


def test_only_the_enhancer_is_followed_while_it_learns_alone():
    of = engine("pix2pixhd", hyper={"local_share": 0.5})
    start = before(of).state_dict()
    for _ in range(3):
        of.step()
    now = of.system.state_dict()
    assert {
        name.split(".")[1] for name in now if name.startswith("ab.") and not torch.equal(now[name], start[name])
    } == {
        "enhancers",
        "last",
    }


def test_the_rate_begins_anew_with_the_enhancers():
    of = engine("pix2pixhd", tree=Tree(1), hyper={**PARTS, "decay_from": 0.0})
    rates = []
    for _ in range(6):
        of.step()
        rates.append(of.optimizers["generator"].param_groups[0]["lr"] / of.system.hyper.lr)
    assert rates == pytest.approx([1, 0.75, 0.5, 1, 0.75, 0.5])


def test_the_global_generator_works_at_a_fraction_of_the_size():
    seen = []
    network = CoarseToFine(3, 2, 4, 2, 1, enhancers=2, local_blocks=1, coarse=False)
    network.body.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        made = network(x)
    assert made.shape == (1, 2, 32, 32)
    assert torch.equal(seen[0], halved(halved(x)))
    assert torch.equal(seen[0], network.smallest(x))
    assert {name: len(networks) for name, networks in network.parts.items()} == {"generator": 1, "enhancer": 2}


def test_a_label_map_is_a_plane_for_each_class():
    of = engine("pix2pixhd", tree=Tree(1), hyper={"input": "label_map"})
    assert of.system.reads == Reads(("b", "labels"), paired=True, label_map="labels")
    seen = []
    of.system.ab.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    of.step()
    truth = classes_of(levels_of(batch(of)["labels"]), CLASSES)
    assert seen[0].shape == (worlds.BATCH, CLASSES, 32, 32)
    assert torch.equal(seen[0].argmax(1), truth)
    assert torch.equal(seen[0].sum(1), torch.ones(worlds.BATCH, 32, 32))


def test_an_evaluation_holds_what_is_made_of_a_label_map_against_the_pictures_of_that_map():
    of = engine("pix2pixhd", tree=Tree(1), hyper={"input": "label_map"})
    assert (of.system.reads.source, Pix2PixHD.reads.source) == ("labels", "a")
    asked = []
    of.system.ab.register_forward_pre_hook(lambda module, given: asked.append(len(given[0])))
    pictures = Flat({"b": [0, 100, 200], "labels": [0, 128, 0]}, truth=True, truths=[[0, 2]])
    scores, _ = evaluate(of, pictures)
    assert asked == [3]
    made = of.system.show({"labels": grey(0, 1)[:, :1]})["fake_b"].detach()
    middle = of.system.show({"labels": grey(128, 1)[:, :1]})["fake_b"].detach()
    gaps = [l1(made, grey(0, 1)), l1(middle, grey(100, 1)), l1(made, grey(200, 1))]
    assert scores["eval/nearest_truth"] == pytest.approx(torch.cat(gaps).mean().item(), abs=1e-4)


@pytest.mark.parametrize(("image", "scales", "strided"), [(4, 2, 3), (16, 4, 2), (32, 1, 1), (256, 3, 3)])
def test_a_critic_has_logits_at_each_size_and_all_layers(image, scales, strided):
    FeatureCritic.check(image, scales)
    critic = FeatureCritic(1, 1, scales, strided, torch.nn.InstanceNorm2d)
    with torch.no_grad():
        found = critic.features(torch.zeros(1, 1, image, image))
        logits = critic(torch.zeros(1, 1, image, image))
    assert [len(maps) for maps in found] == [strided + 2] * scales
    assert all(torch.equal(maps[-1], said) for maps, said in zip(found, logits, strict=True))


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (
            32,
            {"enhancers": 1},
            "hyper.halvings: a generator of 4 halvings and 1 enhancers needs an image of at least 64 pixels, not 32; nearest: 3",
        ),
        (
            40,
            {},
            "data.image: a generator of 4 halvings and 0 enhancers needs a multiple of 16; nearest: 32 or 48",
        ),
        (32, {"scales": 6}, "hyper.scales: of 32 pixels 5 halvings leave one; nearest: 5"),
        (
            64,
            {"local_share": 0.1},
            "hyper.local_share: without enhancers the global generator is all there is; nearest: 0, or hyper.enhancers 1",
        ),
        (
            64,
            {"enhancers": 1, "global_share": 0.8, "local_share": 0.3},
            "hyper.local_share: that much of the run is not left; nearest: 0.2",
        ),
        (
            64,
            {"input": "label_map", "classes": 1},
            "hyper.classes: a map of one class tells nothing; nearest: 2",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        Pix2PixHD.check({"a": (3, image, image), "b": (3, image, image)}, Pix2PixHDHyper(**hyper))
    assert str(caught.value) == text
