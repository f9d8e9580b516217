"""MUNIT is the published one: contents and styles, what is recovered of them, and styles that are drawn to be shown."""

import itertools

import numpy as np
import pytest
import torch

from cluster.model import Model
from tests.trainers import worlds
from tests.trainers.judging import Flat
from tests.trainers.latents import alone, says_fake, says_real
from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import SEED, TINY, engine
from trainers import randomness
from trainers.engine import STAGE
from trainers.errors import SettingError
from trainers.evaluation import evaluate
from trainers.settings import aliases
from trainers.state import load_state, named_state
from trainers.systems.munit import MUNIT, MUNITHyper
from trainers.tree import Tree

STYLE = TINY["munit"]["style"]


def styles(count, segment):
    """What the first replica draws in a segment of its first step: two styles for each of so many pictures."""
    randomness.seed_generators(torch.device("cpu"), SEED, STAGE, 0, 0, segment)
    return torch.randn(count, STYLE), torch.randn(count, STYLE)


def apart(one, other):
    return (one - other).abs().mean()


@pytest.mark.parametrize("cycle", [False, True])
def test_the_objective_is_the_published_one(cycle):
    of = engine("munit", tree=Tree(1), hyper={"cycle": cycle})
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b, new = images["a"], images["b"], of.system
    enc_a, enc_b = (old.contents[domain] for domain in "ab")
    dec_a, dec_b = (old.decoders[domain] for domain in "ab")
    style_of_a, style_of_b = (old.styles[domain] for domain in "ab")
    with torch.no_grad():
        s_a, s_b = styles(len(a), 0)
        fake_a, fake_b = dec_a(enc_b(b), s_a), dec_b(enc_a(a), s_b)
        judged = {
            "d_a": says_real(old.d_a(a)) + says_fake(old.d_a(fake_a)),
            "d_b": says_real(old.d_b(b)) + says_fake(old.d_b(fake_b)),
        }
        s_a, s_b = styles(len(a), 1)
        fake_a, fake_b = dec_a(enc_b(b), s_a), dec_b(enc_a(a), s_b)
        made = {
            "adv_ab": says_real(new.d_b(fake_b)),
            "adv_ba": says_real(new.d_a(fake_a)),
            "rec_a": apart(dec_a(enc_a(a), style_of_a(a)), a),
            "rec_b": apart(dec_b(enc_b(b), style_of_b(b)), b),
            "content_a": apart(enc_b(fake_b), enc_a(a)),
            "content_b": apart(enc_a(fake_a), enc_b(b)),
            "style_a": apart(style_of_a(fake_a), s_a),
            "style_b": apart(style_of_b(fake_b), s_b),
        }
        if cycle:
            made["cyc_a"] = apart(dec_a(enc_b(fake_b), style_of_a(a)), a)
            made["cyc_b"] = apart(dec_b(enc_a(fake_a), style_of_b(b)), b)
    weights = {"rec": 10.0, "cyc": 10.0}
    loss = sum(weights.get(name.rpartition("_")[0], 1.0) * value.item() for name, value in made.items())
    assert [move.players for move in seen] == [("critics",), ("generators",)]
    assert seen[0].raw == pytest.approx({name: value.item() for name, value in judged.items()}, rel=1e-4)
    assert seen[1].raw == pytest.approx({name: value.item() for name, value in made.items()}, rel=1e-4)
    assert [move.loss for move in seen] == pytest.approx(
        [sum(value.item() for value in judged.values()), loss], rel=1e-4
    )


def test_a_swap_keeps_the_shape_of_contents_and_styles():
    system = MUNIT.build(
        MUNITHyper(**TINY["munit"]), {"a": (1, 32, 32), "b": (3, 32, 32)}, {t.name: t.weight for t in MUNIT.terms}, 1
    )
    a, b = torch.rand(2, 1, 32, 32), torch.rand(2, 3, 32, 32)
    swapped = system.decoders["b"](system.contents["a"](a), system.styles["b"](b))
    assert swapped.shape == b.shape
    assert system.styles["b"](swapped).shape == system.draw(b).shape == (2, STYLE)
    assert system.contents["b"](swapped).shape == system.contents["a"](a).shape


@pytest.mark.parametrize(
    ("term", "networks"),
    [
        ("rec_a", ("contents.a", "styles.a", "decoders.a")),
        ("style_a", ("contents.b", "styles.a", "decoders.a")),
        ("content_a", ("contents.a", "contents.b", "decoders.b")),
        ("adv_ba", ("contents.b", "decoders.a")),
        ("cyc_a", ("contents.a", "styles.a", "decoders.a", "contents.b", "decoders.b")),
    ],
)
def test_whom_a_term_teaches(term, networks):
    of = engine("munit", hyper={"cycle": True})
    of.system.weights = {known: float(known == term) for known in of.system.weights}
    of.step()
    taught = {name for name, gradient in gradients(of, "generators").items() if gradient.any()}
    assert {".".join(name.split(".")[:2]) for name in taught} == set(networks)


def test_the_cycle_is_a_choice():
    of = alone("munit", "rec_a")
    assert not {"cyc_a", "cyc_b"} & set(of.system.weights)
    assert worlds.engine_of_preset("munit", "cycle").system.weights["cyc_a"] == 10.0


def displayed(of, monkeypatch):
    """The styles that an evaluation draws, and what it shows with them."""
    drawn, honest = [], of.system.draw

    def draw(pictures):
        drawn.append(honest(pictures))
        return drawn[-1]

    monkeypatch.setattr(of.system, "draw", draw)
    _, stages = evaluate(of, Flat(dict.fromkeys("ab", range(0, 250, 50))))
    monkeypatch.undo()
    return torch.cat(drawn), stages["a to b"]


def test_the_styles_that_are_shown_are_the_same_at_every_evaluation_and_after_a_resume(monkeypatch):
    of, other = engine("munit"), engine("munit")
    first, _ = displayed(of, monkeypatch)
    of.step()
    second, picture = displayed(of, monkeypatch)
    assert torch.equal(first, second) and first.unique(dim=0).shape == first.shape
    state = named_state(of)
    assert state is not None
    load_state(other, state)
    third, resumed = displayed(other, monkeypatch)
    assert torch.equal(third, second) and np.array_equal(resumed, picture)


def test_a_translation_varies_with_the_style_and_is_repeated_by_the_picture():
    of = engine("munit")
    model, picture = Model(of.system, worlds.SHAPES, {}), worlds.read(1)("a", 0, 0)["a"][0]
    for target in model.targets:
        first = model.translate(picture, target)
        torch.rand(100)
        assert np.array_equal(model.translate(picture, target), first)
    twice = {"a": batch(of)["a"][:1].expand(2, -1, -1, -1)}
    with torch.no_grad():
        shown = of.system.show(twice)
    assert not torch.equal(*shown["fake_b"])


@pytest.mark.parametrize(
    ("image", "refusal"),
    [
        (12, "data.image: the style encoder needs an image of at least 16 pixels; nearest: 16"),
        (32, "hyper.scales: 3 scales of 4 layers need an image of at least 61 pixels, not 32; nearest: 2"),
    ],
)
def test_small_images_are_refused(image, refusal):
    with pytest.raises(SettingError) as caught:
        MUNIT.check(dict.fromkeys(("a", "b"), (3, image, image)), MUNITHyper())
    assert str(caught.value) == refusal


def test_the_papers_names_of_the_weights():
    known = aliases(MUNIT.terms)
    names = {"lambda_x": "rec", "lambda_c": "content", "lambda_s": "style", "lambda_cyc": "cyc"}
    for symbol, group in names.items():
        assert known[symbol] == known[group] == (f"{group}_a", f"{group}_b")
    defaults = {term.name: term.weight for term in MUNIT.terms}
    pairs = itertools.product(("rec", "content", "style"), "ab")
    assert [defaults[f"{group}_{domain}"] for group, domain in pairs] == [10.0, 10.0, 1.0, 1.0, 1.0, 1.0]
    hyper = MUNITHyper()
    assert (hyper.style, hyper.mlp, hyper.width, hyper.blocks, hyper.lr, hyper.cycle) == (8, 256, 64, 4, 1e-4, False)
