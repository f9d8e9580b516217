"""What a conditional GAN is told of a picture besides its class: attributes, or the domain; and the wrong ones of them."""

import pytest
import torch
import torch.nn.functional as F

from tests.trainers.judging import Flat
from tests.trainers.watching import batch
from tests.trainers.worlds import BATCH, CLASSES, build, engine
from trainers.errors import SettingError
from trainers.evaluation import How, evaluate
from trainers.from_noise import COMPANY
from trainers.replica import attributes
from trainers.samples import CHUNK
from trainers.settings import Reads
from trainers.systems.cgan import CGAN, CGANHyper, other_attributes
from trainers.tree import Tree


def tiny(**hyper):
    """A small conditional GAN."""
    system = build("cgan", **hyper)
    assert isinstance(system, CGAN)
    return system


def rows_of(*rows):
    """Attributes: a text of 0 and 1 for each sample."""
    return torch.tensor([[digit == "1" for digit in row] for row in rows])


def test_wrong_attributes_are_another_sample_s_and_never_the_right_ones():
    system, told = tiny(labels="attributes"), rows_of("110", "110", "000", "011", "110", "000")
    found = torch.stack([system.wrong(told) for _ in range(600)])
    assert found.dtype == torch.bool
    assert not (found == told).all(2).any()
    there = {tuple(row) for row in told.tolist()}
    assert {tuple(row) for row in found.flatten(0, 1).tolist()} == there, "none is made up"
    # Samples 0, 1, 4 and 2, 5 are alike: sample 3 has five others, of which three have 110.
    share = (found[:, 3] == told[0]).all(1).float().mean().item()
    assert abs(share - 0.6) < 5 * (0.6 * 0.4 / 600) ** 0.5, "every other sample is as likely"


@pytest.mark.parametrize("rows", [["101"] * 4, ["000"], ["1"] * 3, ["0", "0"]])
def test_where_all_have_the_same_attributes_one_is_turned_over(rows):
    told = rows_of(*rows)
    torch.manual_seed(3)
    found = torch.stack([other_attributes(told) for _ in range(100)])
    assert ((found != told).sum(2) == 1).all()
    assert (found != told).any(0).all(), "any of them"
    torch.manual_seed(3)
    assert torch.equal(found[0], other_attributes(told)), "the random stream decides which"


def test_a_sample_alone_of_its_kind_takes_from_the_others_and_they_from_it():
    told = rows_of("10", "10", "10", "01")
    assert torch.equal(other_attributes(told), rows_of("01", "01", "01", "10"))


def test_attributes_are_told_by_a_1_each():
    told = rows_of("110", "000")
    assert torch.equal(tiny(labels="attributes").hot(told), torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))


def heard(of):
    """What the networks are told from now on: lists of the generator's labels and of the critic's (picture, labels)."""
    made, judged = [], []
    of.system.g.register_forward_pre_hook(lambda module, given: made.append(given[1]))
    of.system.d.register_forward_pre_hook(lambda module, given: judged.append(given))
    return made, judged


def test_attributes_are_the_pictures_own_and_the_wrong_ones_are_not():
    of = engine("cgan", tree=Tree(1), hyper={"labels": "attributes"})
    made, judged = heard(of)
    for draw in range(3):
        real, told = batch(of, draw)["b"], torch.from_numpy(of.read("b", draw, 0)[attributes("b")])
        of.step()
        assert len(told.unique(dim=0)) > 1
        assert [torch.equal(labels, told.float()) for labels in made[2 * draw :]] == [True, True]
        (_, fake), (same, wrong), (shown, right) = judged[4 * draw : 4 * draw + 3]
        assert torch.equal(real, shown)
        assert torch.equal(real, same)
        assert torch.equal(fake, told.float())
        assert torch.equal(right, told.float())
        assert (wrong != right).any(1).all()


def test_domains_are_drawn_half_and_half_and_the_wrong_label_is_the_other_one():
    of = engine("cgan", tree=Tree(1), hyper={"labels": "domain", "classes": 2})
    made, judged = heard(of)
    for draw in range(3):
        there = batch(of, draw)
        real = torch.cat([there["a"], there["b"]])
        of.step()
        sides = F.one_hot(torch.tensor([0] * BATCH + [1] * BATCH)).float()
        assert [torch.equal(labels, sides) for labels in made[2 * draw :]] == [True, True]
        (_, fake), (same, wrong), (shown, right) = judged[4 * draw : 4 * draw + 3]
        assert torch.equal(real, shown)
        assert torch.equal(real, same)
        assert torch.equal(fake, sides)
        assert torch.equal(right, sides)
        assert torch.equal(wrong, 1 - sides)


def test_what_is_read_depends_on_the_labels():
    assert CGAN.reading(CGANHyper()) == CGAN.reads == Reads(("b",), paired=False, labelled=("b",))
    assert CGAN.reading(CGANHyper(labels="attributes")) == Reads(("b",), paired=False, attributed=("b",))
    assert CGAN.reading(CGANHyper(labels="domain")) == Reads(("a", "b"), paired=False, mixed=True)


def test_a_grid_shows_each_picture_s_own_attributes():
    system = tiny(labels="attributes")
    asked = []
    system.g.register_forward_pre_hook(lambda module, given: asked.append(given[1].bool()))
    told = rows_of("110", "000", "111")
    with torch.no_grad():
        shown = system.show({"b": torch.zeros(3, 3, 32, 32), attributes("b"): told})
    assert set(shown) == {"fake_b"}
    assert torch.equal(asked[0], told.repeat(COMPANY, 1)[:COMPANY]), "in company that has them too"
    with torch.no_grad():
        system.show({"b": torch.zeros(2, 3, 32, 32)})
    assert torch.equal(asked[1][:4], rows_of("100", "010", "001", "100")), "else one alone after the other"


def test_an_evaluation_shows_each_validation_picture_s_own_attributes():
    of = engine("cgan", tree=Tree(1), hyper={"labels": "attributes"})
    count = CHUNK + 3  # the last chunk is not a whole one
    made, _ = heard(of)
    scores, _ = evaluate(of, Flat({"b": [9] * count}), How(draws=2))
    assert scores["eval/diversity"] > 0
    first, last = (
        torch.tensor([[i >> bit & 1 for bit in range(CLASSES)] for i in one])
        for one in (range(CHUNK), range(CHUNK, count))
    )
    assert [len(labels) for labels in made] == [COMPANY] * 6, "each chunk is shown once and drawn twice"
    assert all(torch.equal(labels[:CHUNK], first.float()) for labels in made[:3])
    assert all(torch.equal(labels[:3], last.float()) for labels in made[3:])


def test_a_grid_shows_a_picture_of_the_other_domain_beside_each():
    system = tiny(labels="domain", classes=2)
    asked = []
    system.g.register_forward_pre_hook(lambda module, given: asked.append(given[1].argmax(1).tolist()))
    system.g.register_forward_hook(lambda module, given, made: asked.append(made))
    a, b = torch.zeros(3, 3, 32, 32), torch.zeros(1, 3, 32, 32)
    with torch.no_grad():
        for images, counts in (
            ({"a": a, "b": b}, {"fake_b": 3, "fake_a": 1}),
            ({"a": a}, {"fake_b": 3}),
            ({"b": b}, {"fake_b": 1, "fake_a": 1}),
        ):
            asked.clear()
            shown = system.show(images)
            assert {name: len(pictures) for name, pictures in shown.items()} == counts
            labels, made = asked
            assert labels == [0] * COMPANY + [1] * COMPANY
            assert torch.equal(shown["fake_b"], made[COMPANY : COMPANY + counts["fake_b"]])
            assert "fake_a" not in shown or torch.equal(shown["fake_a"], made[: counts["fake_a"]])
    assert system.show({}) == {}


@pytest.mark.parametrize(
    ("channels", "classes", "text"),
    [
        (3, 3, "hyper.classes: there are 2 domains to tell apart; leave it out"),
        (
            1,
            None,
            "hyper.labels: one generator makes pictures of both domains, and their channels differ (1 of a and 3 of b); "
            "nearest: class",
        ),
    ],
)
def test_domains_that_one_generator_cannot_make_are_refused(channels, classes, text):
    shapes = {"a": (channels, 32, 32), "b": (3, 32, 32)}
    with pytest.raises(SettingError) as caught:
        CGAN.check(shapes, CGANHyper(labels="domain", classes=classes))
    assert str(caught.value) == text
