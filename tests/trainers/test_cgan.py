"""The conditional GAN's critic tells three things apart: real and right, real and wrong, generated."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import CLASSES, SEED, build, engine
from trainers import randomness
from trainers.engine import STAGE
from trainers.errors import SettingError
from trainers.from_noise import COMPANY
from trainers.replica import classes
from trainers.systems.cgan import CGAN, CGANHyper
from trainers.tree import Tree

CPU = torch.device("cpu")


def tiny(**hyper):
    """A small conditional GAN."""
    system = build("cgan", **hyper)
    assert isinstance(system, CGAN)
    return system


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def drawn(of, draw=0):
    """The pictures of a draw, and their labels."""
    return batch(of, draw)["b"], torch.from_numpy(of.read("b", draw, 0)[classes("b")])


@pytest.mark.parametrize("count", [2, 3, 10])
def test_a_wrong_label_never_is_the_right_one(count):
    system = tiny(classes=count)
    labels = torch.arange(count).repeat_interleave(600)
    wrong = system.wrong(labels)
    assert (wrong.dtype, wrong.shape) == (torch.int64, labels.shape)
    assert not (wrong == labels).any()
    assert 0 <= wrong.min() <= wrong.max() < count
    for label in range(count):
        found = torch.bincount(wrong[labels == label], minlength=count)
        assert found[label] == 0
        expected = 600 / (count - 1)
        others = torch.cat([found[:label], found[label + 1 :]])
        assert (others - expected).abs().max() < 5 * expected**0.5, "every other class is as likely"


def test_wrong_labels_are_new_each_time():
    system, labels = tiny(classes=10), torch.zeros(50, dtype=torch.int64)
    assert not torch.equal(system.wrong(labels), system.wrong(labels))


class Noted(nn.Module):
    """A blind critic that notes what it is asked, and answers with leaves whose gradients can be read."""

    def __init__(self):
        super().__init__()
        self.asked, self.said = [], []

    def forward(self, image, labels):
        self.asked.append((image, labels.argmax(1)))
        self.said.append(torch.zeros(len(image), 1, 1, 1, requires_grad=True))
        assert torch.equal(labels.sum(1), torch.ones(len(labels)))
        return self.said[-1]


def judged(matching):
    """What a critic is asked, with the gradient of its loss by each answer's mean: {(picture, label): gradient}."""
    system = tiny(matching=matching)
    system.d = Noted()
    b, fake = torch.randn(2, 6, 3, 32, 32).unbind(0)
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    loss = system.judge(b, fake, labels).loss
    assert loss is not None
    loss.backward()
    found = {}
    for (image, asked), said in zip(system.d.asked, system.d.said, strict=True):
        assert image is b or image is fake
        assert torch.equal(asked, labels) or not (asked == labels).any()
        key = "real" if image is b else "fake", "right" if torch.equal(asked, labels) else "wrong"
        assert key not in found
        found[key] = said.grad.sum().item()
    return loss.item(), found


def test_both_negatives_push_their_logits_down_by_half():
    loss, gradients_of = judged(matching=True)
    # The slope of l is a half at 0, on either side.
    assert gradients_of == pytest.approx({("real", "right"): -0.5, ("real", "wrong"): 0.25, ("fake", "right"): 0.25})
    assert loss == pytest.approx(2 * torch.tensor(2.0).log().item()), "as loud as without wrong labels"


def test_without_matching_it_is_the_plain_game():
    loss, gradients_of = judged(matching=False)
    assert gradients_of == pytest.approx({("real", "right"): -0.5, ("fake", "right"): 0.5})
    assert loss == pytest.approx(2 * torch.tensor(2.0).log().item())


@pytest.mark.parametrize("matching", [True, False])
def test_the_objective_is_the_papers(matching):
    of = engine("cgan", tree=Tree(1), hyper={"matching": matching})
    seen, old = watch(of), before(of)
    b, labels = drawn(of)
    of.step()
    with torch.no_grad():
        randomness.seed_generators(CPU, SEED, STAGE, 0, 0, 0)
        fake, wrong = old.make(labels), old.wrong(labels)
        s_r, s_w, s_f = (
            old.d(b, old.hot(labels)),
            old.d(b, old.hot(wrong)),
            old.d(fake, old.hot(labels)),
        )
        negatives = 0.5 * (bce(s_w, 0.0) + bce(s_f, 0.0)) if matching else bce(s_f, 0.0)
        randomness.seed_generators(CPU, SEED, STAGE, 0, 0, 1)
        again = old.make(labels)
        adv = bce(of.system.d(again, old.hot(labels)), 1.0)
    assert not torch.allclose(again, fake), "G's move has new noise"
    assert [move.players for move in seen] == [("critic",), ("generator",)]
    assert seen[0].loss == pytest.approx((bce(s_r, 1.0) + negatives).item(), rel=1e-4)
    assert seen[1].raw == pytest.approx({"adv": adv.item()}, rel=1e-4)


def test_the_labels_are_the_data_sets():
    of = engine("cgan", tree=Tree(1))
    asked = []
    of.system.g.register_forward_pre_hook(lambda module, given: asked.append(given[1].argmax(1)))
    for draw in range(3):
        _, labels = drawn(of, draw)
        of.step()
        assert len(labels.unique()) > 1
        assert [torch.equal(seen, labels) for seen in asked[2 * draw :]] == [True, True]


def test_a_label_changes_what_is_made_and_what_is_said():
    system = tiny()
    images = torch.randn(1, 3, 32, 32).expand(CLASSES, -1, -1, -1)
    with torch.no_grad():
        z = torch.randn(1, 4).expand(CLASSES, -1)
        made = system.g(z, system.hot(torch.arange(CLASSES)))
        said = system.d(images, system.hot(torch.arange(CLASSES))).flatten()
    assert all(not torch.allclose(made[0], made[label], atol=1e-3) for label in range(1, CLASSES))
    assert len(said.unique()) == CLASSES


@pytest.mark.parametrize("count", [1, 7, COMPANY + 2])
def test_a_grid_shows_the_classes_in_turn(count):
    system = tiny()
    asked = []
    system.g.register_forward_pre_hook(lambda module, given: asked.append(given[1].argmax(1).tolist()))
    with torch.no_grad():
        shown = system.show({"b": torch.zeros(count, 3, 32, 32)})["fake_b"]
    assert shown.shape == (count, 3, 32, 32)
    assert asked[0][:count] == [i % CLASSES for i in range(count)]
    assert len(asked[0]) == max(count, COMPANY), "in company, for the sake of batch norm"
    assert system.show({}) == {}


def test_the_penalty_is_taken_beside_the_right_label():
    hyper = {"norm": "none", "penalty": "gp"}
    of = engine("cgan", tree=Tree(1), hyper=hyper, weights={"d": 0.0})
    seen, asked = watch(of), []
    of.system.d.register_forward_pre_hook(lambda module, given: asked.append(given[1].argmax(1)))
    _, labels = drawn(of)
    of.step()
    assert seen[0].loss == pytest.approx(10 * seen[0].raw["gp"])
    assert torch.equal(asked[0], labels)
    # A label only moves the kinks of the slope by the picture: no gradient of the penalty reaches its embedding.
    reached = {name for name, gradient in gradients(of, "critic").items() if gradient.any()}
    assert reached == {"d.body.0.weight", "d.body.2.weight", "d.body.5.weight", "d.last.0.weight", "d.last.2.weight"}


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (64, {"classes": 1}, "hyper.classes: there is no wrong label among so few classes; nearest: 2"),
        (48, {"classes": 3}, "data.image: DCGAN needs a power of two from 8 to 256; nearest: 32 or 64"),
        (
            64,
            {"classes": 3, "penalty": "lp"},
            "hyper.penalty: a critic with batch norm has no gradient of one sample to penalise; "
            "nearest: hyper.norm instance",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        CGAN.check({"b": (3, image, image)}, CGANHyper(**hyper))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "hyper",
    [
        {},
        {"classes": 2},
        {"classes": 40, "norm": "none", "penalty": "lp"},
        {"labels": "attributes", "classes": 1},
        {"labels": "domain", "classes": 2},
    ],
)
def test_what_fits_is_let_through(hyper):
    CGAN.check({"a": (1, 32, 32), "b": (1, 32, 32)}, CGANHyper(**hyper))
