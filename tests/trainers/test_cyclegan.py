"""CycleGAN is the paper's: its sizes, its objective computed by hand, and who learns from what."""

import numpy as np
import pytest
import torch

from data_shards.order import Order
from tests.trainers.watching import batch, before, gradients, same, watch
from tests.trainers.worlds import TINY, engine
from trainers.errors import SettingError
from trainers.systems.cyclegan import CycleGAN, CycleGANHyper
from trainers.tree import Tree

EVERY_WEIGHT = {term.name: term.weight for term in CycleGAN.terms}


def millions(network):
    return round(sum(p.numel() for p in network.parameters()) / 1e6, 3)


@pytest.mark.parametrize(("image", "generator"), [(256, 11.378), (128, 7.838)])  # 9 blocks and 6
def test_the_published_sizes(image, generator):
    shapes = {"a": (3, image, image), "b": (3, image, image)}
    with torch.device("meta"):
        system = CycleGAN.build(CycleGANHyper(), shapes, EVERY_WEIGHT, 100)
    assert millions(system.ab) == millions(system.ba) == generator
    assert millions(system.d_a) == millions(system.d_b) == 2.765


def test_the_objective_is_the_papers():
    of = engine("cyclegan", tree=Tree(1))
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b = images["a"], images["b"]
    with torch.no_grad():
        fake_b, fake_a = old.ab(a), old.ba(b)
        by_hand = {
            "adv_ab": (old.d_b(fake_b) - 1).square().mean(),
            "adv_ba": (old.d_a(fake_a) - 1).square().mean(),
            "cyc_a": (old.ba(fake_b) - a).abs().mean(),
            "cyc_b": (old.ab(fake_a) - b).abs().mean(),
            "idt_a": (old.ba(a) - a).abs().mean(),
            "idt_b": (old.ab(b) - b).abs().mean(),
        }
        critics = {
            "d_a": 0.5 * ((old.d_a(a) - 1).square().mean() + old.d_a(fake_a).square().mean()),
            "d_b": 0.5 * ((old.d_b(b) - 1).square().mean() + old.d_b(fake_b).square().mean()),
        }
    assert [move.players for move in seen] == [("generators",), ("critics",)]
    assert seen[0].raw == pytest.approx({name: value.item() for name, value in by_hand.items()}, rel=1e-4)
    assert seen[1].raw == pytest.approx({name: value.item() for name, value in critics.items()}, rel=1e-4)
    game = by_hand["adv_ab"] + by_hand["adv_ba"]
    total = game + 10 * (by_hand["cyc_a"] + by_hand["cyc_b"]) + 5 * (by_hand["idt_a"] + by_hand["idt_b"])
    assert seen[0].loss == pytest.approx(total.item(), rel=1e-4)
    assert seen[1].loss == pytest.approx(sum(value.item() for value in critics.values()), rel=1e-4)


def test_the_identity_weight_is_a_multiple_of_the_cycles():
    of = engine("cyclegan", weights={"cyc_a": 3.0, "idt_a": 2.0})
    assert (of.system.weights["idt_a"], of.system.weights["idt_b"]) == (6.0, 5.0)


def test_each_side_follows_its_own_losses():
    def after_a_step(**weights):
        of = engine("cyclegan", weights=weights)
        of.step()
        return gradients(of, "generators"), gradients(of, "critics")

    generators, critics = after_a_step()
    with_strong_critics = after_a_step(d_a=7.0, d_b=7.0)
    assert same(with_strong_critics[0], generators)
    assert not same(with_strong_critics[1], critics)
    with_weak_cycles = after_a_step(cyc_a=1.0, cyc_b=1.0)
    assert not same(with_weak_cycles[0], generators)
    assert same(with_weak_cycles[1], critics)


@pytest.mark.parametrize(
    ("term", "taught"),
    [("adv_ab", "ab"), ("adv_ba", "ba"), ("cyc_a", "ab ba"), ("cyc_b", "ab ba"), ("idt_a", "ba"), ("idt_b", "ab")],
)
def test_whom_a_term_teaches(term, taught):
    of = engine("cyclegan")
    of.system.weights = {name: float(name == term) for name in of.system.weights}
    of.step()
    reached = {name.split(".")[0] for name, gradient in gradients(of, "generators").items() if gradient.any()}
    assert reached == set(taught.split())


@pytest.mark.parametrize("domain", ["a", "b"])
def test_the_critics_judge_the_history(monkeypatch, domain):
    of = engine("cyclegan", tree=Tree(1))
    seen, old, images = watch(of), before(of), batch(of)
    past = torch.full((4, 3, 32, 32), 0.25)
    offered = []

    class Past:
        def swap(self, made):
            offered.append(made)
            return past

    monkeypatch.setitem(of.pools[0], domain, Past())
    of.step()
    generator, critic, source = (old.ab, old.d_b, "a") if domain == "b" else (old.ba, old.d_a, "b")
    with torch.no_grad():
        torch.testing.assert_close(offered[0], generator(images[source]))
        by_hand = 0.5 * ((critic(images[domain]) - 1).square().mean() + critic(past).square().mean())
    assert not offered[0].requires_grad
    assert seen[1].raw[f"d_{domain}"] == pytest.approx(by_hand.item(), rel=1e-4)


def test_half_of_what_the_critics_judge_is_from_the_past(monkeypatch):
    of = engine("cyclegan", tree=Tree(1), hyper={"pool": 4, "lr": 0.0})
    pool, old = of.pools[0]["b"], []
    honest = pool.swap

    def swap(made):
        given = honest(made)
        old.extend((given != made).flatten(1).any(1).tolist())
        return given

    monkeypatch.setattr(pool, "swap", swap)
    for _ in range(25):
        of.step()
    assert not any(old[:4]), "while the history fills, what is made is judged"
    assert len(old) == 100 and 0.35 < sum(old[4:]) / 96 < 0.65


def test_without_identity_nothing_of_it_is_computed():
    def passes(of):
        """How often a step runs ab."""
        count = []
        of.system.ab.register_forward_hook(lambda *_: count.append(1))
        of.step()
        return len(count) / len(of.pools)

    assert passes(engine("cyclegan")) == 3
    assert passes(engine("cyclegan", weights={"idt_a": 0.0, "idt_b": 0.0})) == 2
    off = engine("cyclegan", hyper={"identity": False})
    assert passes(off) == 2
    assert not {"idt_a", "idt_b"} & {*off.system.weights, *off.ledger.means()}


def test_unequal_channels_refuse_the_identity_alone():
    shapes = {"a": (3, 32, 32), "b": (1, 32, 32)}
    with pytest.raises(SettingError) as caught:
        CycleGAN.check(shapes, CycleGANHyper(**TINY["cyclegan"]))
    assert str(caught.value) == (
        "hyper.identity: the identity terms need equal channels, a has 3, b has 1; nearest: false"
    )
    without = CycleGANHyper(**TINY["cyclegan"], identity=False)
    CycleGAN.check(shapes, without)
    system = CycleGAN.build(without, shapes, EVERY_WEIGHT, 10)
    with torch.no_grad():
        shown = system.show({domain: torch.zeros(1, *shape) for domain, shape in shapes.items()})
    assert {name: picture.shape[1] for name, picture in shown.items()} == {
        "fake_b": 1, "cycle_a": 3, "fake_a": 3, "cycle_b": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("image", "text"), [(34, "multiple of 4; nearest: 32 or 36"), (16, "nearest: patch34")])
def test_images_that_do_not_fit_are_refused(image, text):
    with pytest.raises(SettingError, match=text):
        CycleGAN.check({"a": (3, image, image), "b": (3, image, image)}, CycleGANHyper())


def test_the_draw_of_b_does_not_follow_that_of_a():
    sources, size = CycleGAN.reads.sources, 200
    assert sources == {"a": ("a",), "b": ("b",)}
    orders = [Order(0, source, np.zeros(size, int), 1, size) for source in sources]
    drawn = [[order.samples(epoch, 0).tolist() for order in orders] for epoch in range(2)]
    meetings = [set(zip(a, b, strict=True)) for a, b in drawn]
    assert sum(i == j for i, j in meetings[0]) < 10, "not the same index on both sides"
    assert len(meetings[0] & meetings[1]) < 10, "and not the same pairs in the next epoch"
