"""StarGAN: a label that survives the norm, a permutation of labels, five moves of the critic on new pictures, one of G."""

import pytest
import torch
import torch.nn.functional as F

from tests.trainers.watching import batch, before, watch
from tests.trainers.worlds import BATCH, CLASSES, SEED, build, engine
from trainers import randomness
from trainers.engine import STAGE
from trainers.errors import SettingError
from trainers.networks.star import StarCritic, StarGenerator, halvings_for
from trainers.penalty import gradient_penalty
from trainers.replica import attributes, classes
from trainers.settings import Balance, Reads
from trainers.systems.stargan import StarGAN, StarGANHyper
from trainers.tree import Tree

CPU = torch.device("cpu")


def tiny(**hyper):
    """A small StarGAN."""
    system = build("stargan", **hyper)
    assert isinstance(system, StarGAN)
    return system


def drawn(of, draw=0):
    """The pictures of a draw, and their labels as numbers."""
    return batch(of, draw)["b"], torch.from_numpy(of.read("b", draw, 0)[classes("b")])


def test_the_defaults_are_the_published_ones():
    hyper = StarGANHyper()
    assert (hyper.gan, hyper.penalty, hyper.penalty_patches, hyper.lr) == ("wgan", "gp", "sum", 1e-4)
    assert (hyper.beta1, hyper.beta2, hyper.decay_from, StarGAN.balance.critic_turns) == (0.5, 0.999, 0.5, 5)
    assert {term.name: term.weight for term in StarGAN.terms} == {
        "adv": 1, "cls_fake": 1, "rec": 10, "d": 1, "cls_real": 1, "gp": 10,
    }  # fmt: skip
    generator, critic = StarGenerator(3, 5, 64, 6), StarCritic(3, 128, 8, 64, halvings_for(128, None))
    # The parameters of the published networks at 128 pixels: five labels of CelebA, eight of RaFD.
    assert sum(p.numel() for p in generator.parameters()) == 8_430_528
    assert sum(p.numel() for p in critic.parameters()) == 44_786_624


def test_a_label_survives_the_norm_because_padding_is_by_zeros():
    torch.manual_seed(0)
    generator = StarGenerator(3, CLASSES, 8, 2)
    picture, labels = torch.rand(1, 3, 32, 32).expand(CLASSES, -1, -1, -1) * 2 - 1, torch.eye(CLASSES)
    with torch.no_grad():
        told = generator(picture, labels)
        first = generator.layers[0]
        assert isinstance(first, torch.nn.Conv2d)
        first.padding_mode = "reflect"
        untold = generator(picture, labels)
    assert all((told[i] - told[j]).abs().mean() > 1e-3 for i, j in ((0, 1), (1, 2), (0, 2)))
    torch.testing.assert_close(untold[0], untold[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(untold[1], untold[2], atol=1e-4, rtol=0)


def test_a_step_is_the_papers_objective():
    of = engine("stargan", tree=Tree(1), hyper={"penalty": "gp"}, balance=Balance())
    seen, old = watch(of), before(of)
    real, numbers = drawn(of)
    of.step()
    own = F.one_hot(numbers, CLASSES).float()
    randomness.seed_generators(CPU, SEED, STAGE, 0, 0, 0)
    wanted = own[torch.randperm(BATCH)]
    with torch.no_grad():
        fake = old.g(real, wanted)
    gp = gradient_penalty(lambda image: old.d(image)[0], real, fake, "gp", "sum").item()
    with torch.no_grad():
        (src_real, cls_real), (src_fake, _) = old.d(real), old.d(fake)
        src, cls_fake = of.system.d(fake)
        by_hand = {
            "d": src_fake.mean() - src_real.mean(),
            "cls_real": F.cross_entropy(cls_real, numbers),
            "adv": -src.mean(),
            "cls_fake": F.cross_entropy(cls_fake, wanted.argmax(1)),
            "rec": (real - old.g(fake, own)).abs().mean(),
        }
    d, cls, adv, cls2, rec = (value.item() for value in by_hand.values())
    assert [move.players for move in seen] == [("critic",), ("generator",)]
    assert seen[0].raw == pytest.approx({"d": d, "cls_real": cls, "gp": gp}, rel=1e-4, abs=1e-6)
    assert seen[0].loss == pytest.approx(d + cls + 10 * gp, rel=1e-4)
    assert seen[1].raw == pytest.approx({"adv": adv, "cls_fake": cls2, "rec": rec}, rel=1e-4, abs=1e-6)
    assert seen[1].loss == pytest.approx(adv + cls2 + 10 * rec, rel=1e-4)


def test_the_critic_has_five_turns_on_new_pictures_and_the_generator_one_on_the_last():
    of = engine("stargan", tree=Tree(1))
    judged, asked = [], []
    of.system.g.register_forward_pre_hook(lambda module, given: asked.append(given))
    honest = of.system.judge

    def judge(real, fake, own):
        judged.append(real)
        return honest(real, fake, own)

    of.system.judge = judge
    of.step()
    pictures = [drawn(of, draw)[0] for draw in range(5)]
    assert of.moves == {"critic": 5, "generator": 1}
    assert of.draws == {"b": 5}
    assert all(torch.equal(one, other) for one, other in zip(judged, pictures, strict=True))
    assert [len(given[0]) for given in asked] == [BATCH] * 7, "five fakes, G's own, and the way back"
    assert torch.equal(asked[4][0], pictures[4])
    assert torch.equal(asked[5][0], pictures[4])
    assert torch.equal(asked[4][1], asked[5][1]), "the labels that D saw asked for"


def test_the_wanted_labels_are_those_of_the_batch_in_another_order():
    of = engine("stargan", tree=Tree(1))
    wanted = []
    of.system.g.register_forward_pre_hook(lambda module, given: wanted.append(given[1].argmax(1)))
    orders = set()
    for step in range(4):
        of.step()
        for turn in range(5):
            _, numbers = drawn(of, 5 * step + turn)
            asked = wanted[7 * step + turn]
            assert sorted(asked.tolist()) == sorted(numbers.tolist())
            orders.add(tuple((asked == numbers).tolist()))
    assert len(orders) > 1


def test_attributes_cost_their_sum_and_classes_one_cross_entropy():
    logits, told = torch.randn(4, CLASSES), torch.rand(4, CLASSES) > 0.5
    system = tiny(labels="attributes")
    each = F.binary_cross_entropy_with_logits(logits, told.float(), reduction="none")
    torch.testing.assert_close(system.classify(logits, system.hot(told)), each.sum(1).mean())
    numbers = torch.tensor([0, 2, 1, 1])
    torch.testing.assert_close(
        tiny().classify(logits, tiny().hot(numbers)), -logits.log_softmax(1)[range(4), numbers].mean()
    )


def test_attributes_of_the_data_are_told_to_both():
    of = engine("stargan", tree=Tree(1), hyper={"labels": "attributes"}, balance=Balance())
    asked, read = [], []
    of.system.g.register_forward_pre_hook(lambda module, given: asked.append(given[1]))
    honest = of.system.classify

    def classify(logits, labels):
        read.append(labels)
        return honest(logits, labels)

    of.system.classify = classify
    told = torch.from_numpy(of.read("b", 0, 0)[attributes("b")]).float()
    of.step()
    assert torch.equal(read[0], told), "D reads a real picture's own"
    assert torch.equal(read[1], asked[1]), "and in a translation what was asked for"
    assert torch.equal(asked[2], told), "the way back is to its own"
    assert sorted(asked[0].tolist()) == sorted(told.tolist())


def test_domains_are_two_labels_and_what_is_shown_is_a_translation_of_each():
    of = engine("stargan", tree=Tree(1), hyper={"labels": "domain"})
    assert of.system.reads == Reads(("a", "b"), paired=False)
    asked = []
    of.system.g.register_forward_pre_hook(lambda module, given: asked.append((given[0], given[1].argmax(1).tolist())))
    a, b = torch.randn(2, 3, 32, 32), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        shown = of.system.show({"a": a, "b": b})
    assert [labels for _, labels in asked] == [[1, 1], [0, 0], [0], [1]]
    given = [a, shown["fake_b"], b, shown["fake_a"]]
    assert all(torch.equal(one, other) for (one, _), other in zip(asked, given, strict=True))
    assert set(shown) == set(StarGAN.shows) == set(StarGAN.showing(of.system.hyper))
    assert set(of.system.translators) == {"a", "b"}


@pytest.mark.parametrize("told", [None, torch.tensor([[True, False, False], [False, True, True]])])
def test_attributes_are_turned_over_one_by_one_in_what_is_shown(told):
    system = tiny(labels="attributes")
    asked = []
    system.g.register_forward_pre_hook(lambda module, given: asked.append(given[1]))
    images = {"b": torch.randn(2, 3, 32, 32), **({} if told is None else {attributes("b"): told})}
    with torch.no_grad():
        own = system.read(images["b"]) if told is None else told.float()
        assert set(system.show(images)) == set(StarGAN.showing(system.hyper))
    assert torch.equal(asked[0], (own - torch.eye(2, CLASSES)).abs())
    assert torch.equal(asked[1], own)


class Pointed(torch.nn.Module):
    """Makes of every picture one that is full of the label it is told; as a critic, reads that."""

    def forward(self, x, labels=None):
        if labels is None:
            return x[:, :1], x[:, :, 0, 0]
        return labels[:, :, None, None].expand(-1, -1, 4, 4) - 0.5


class Idle(torch.nn.Module):
    """Makes nothing of a picture."""

    def forward(self, x, labels):
        return x


@pytest.mark.parametrize("labels", ["class", "attributes"])
def test_what_is_reached_is_the_share_of_labels_that_are_read(labels):
    system, pictures = tiny(labels=labels), {"b": torch.rand(4, CLASSES, 4, 4) - 0.5}
    with torch.no_grad():
        system.g = system.d = Pointed()
        assert system.verdicts(pictures, {})["reached"].tolist() == [1.0] * 4
        system.g = Idle()
        whole = 1 / CLASSES if labels == "class" else 0.0
        found = system.verdicts(pictures, {})
        assert found["reached"].tolist() == pytest.approx([whole] * 4), "no translation at all"
        assert found["back"].tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (62, {}, "data.image: StarGAN's generator needs a multiple of 4; nearest: 60 or 64"),
        (32, {"halvings": 6}, "hyper.halvings: of 32 pixels 6 halvings leave nothing; nearest: 4"),
        (32, {"classes": 1}, "hyper.classes: there is nothing to translate between; nearest: 2"),
        (
            32,
            {"labels": "domain"},
            "hyper.labels: one generator makes pictures of both, and their channels differ (1 of a and 3 of b); "
            "nearest: system cyclegan",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        StarGAN.check({"a": (1, image, image), "b": (3, image, image)}, StarGANHyper(**hyper))
    assert str(caught.value) == text


@pytest.mark.parametrize(("image", "halvings"), [(8, 2), (32, 4), (48, 4), (64, 5), (128, 6), (256, 6)])
def test_the_critic_sees_the_whole_picture(image, halvings):
    assert halvings_for(image, None) == halvings
    with torch.no_grad():
        source, label = StarCritic(1, image, 3, 2, halvings)(torch.zeros(2, 1, image, image))
    assert source.shape == (2, 1, image >> halvings, image >> halvings)
    assert label.shape == (2, 3)
