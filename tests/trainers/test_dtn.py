"""DTN: what a fixed network says of a picture is all that the generator is told; its critic tells three kinds apart."""

import pytest
import torch
import torch.nn.functional as F

from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import BATCH, build, engine
from trainers.errors import SettingError
from trainers.systems.dtn import DTN, DTNHyper, odds_of, total_variation
from trainers.tree import Tree


def tiny(**hyper):
    """A small DTN."""
    system = build("dtn", **hyper)
    assert isinstance(system, DTN)
    return system


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def kind(logits, number):
    """The cross-entropy of pictures that all are of one kind."""
    return F.cross_entropy(logits, torch.full((len(logits),), number))


def test_the_defaults_are_the_paper_s():
    hyper = DTNHyper()
    assert (hyper.critic, hyper.gan, hyper.smooth) == ("ternary", "vanilla", True)
    weights = {term.name: term.weight for term in DTN.terms if term.exists(hyper)}
    assert weights == {"adv": 1, "const": 15, "tid": 15, "tv": 0.05, "d": 1}
    assert DTN.presets["code"].hyper == {"critic": "binary", "smooth": False}


@pytest.mark.parametrize("critic", ["ternary", "binary"])
def test_a_step_is_the_papers_objective(critic):
    of = engine("dtn", tree=Tree(1), hyper={"critic": critic})
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b = images["a"], images["b"]
    with torch.no_grad():
        fake, idt = old.g(old.f.features(a)), old.g(old.f.features(b))
        judged = [old.d(pictures).flatten(1) for pictures in (fake, idt, b)]
        again = [of.system.d(pictures).flatten(1) for pictures in (fake, idt)]
        if critic == "ternary":
            d = sum(kind(logits, number) for number, logits in enumerate(judged))
            adv = kind(again[0], 2) + kind(again[1], 2)
        else:
            d = bce(judged[0], 0.0) + bce(judged[1], 0.0) + bce(judged[2], 1.0)
            adv = bce(again[0], 1.0) + bce(again[1], 1.0)
        by_hand = {
            "adv": adv,
            "const": (old.f.features(a) - old.f.features(fake)).square().mean(),
            "tid": (b - idt).square().mean(),
            "tv": total_variation(fake),
        }
    assert [move.players for move in seen] == [("critic",), ("generator",)]
    assert seen[0].raw == pytest.approx({"d": float(d)}, rel=1e-4)
    assert seen[1].raw == pytest.approx({name: value.item() for name, value in by_hand.items()}, rel=1e-3)
    factors = {"adv": 1, "const": 15, "tid": 15, "tv": 0.05}
    assert seen[1].loss == pytest.approx(sum(factors[n] * v.item() for n, v in by_hand.items()), rel=1e-3)


def test_f_stays_as_it_is_and_gets_no_gradient_and_still_teaches_the_generator():
    of = engine("dtn", weights={"adv": 0.0, "tid": 0.0, "tv": 0.0})
    start = {name: value.clone() for name, value in of.system.f.state_dict().items()}
    for _ in range(3):
        of.step(report=True)
    assert all(torch.equal(value, start[name]) for name, value in of.system.f.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in of.system.f.parameters())
    assert {player.name for player in of.system.players} == {"generator", "critic"}
    assert list(of.system.frozen) == ["task"] and of.system.frozen["task"] is of.system.f
    assert any(gradient.any() for gradient in gradients(of, "generator").values()), "constancy is of what f says"
    assert DTN.needs_task(of.system.hyper)


def test_the_generator_is_told_what_f_says_and_nothing_else():
    system = tiny()
    asked = []
    system.g.register_forward_pre_hook(lambda module, given: asked.append(given[0]))
    a, b = torch.rand(2, BATCH, 3, 32, 32).unbind(0)
    with torch.no_grad():
        shown = system.show({"a": a, "b": b})
        assert torch.equal(asked[0], system.f.features(a))
        assert torch.equal(asked[1], system.f.features(b))
    assert set(shown) == {"fake_b", "idt_b"}


@pytest.mark.parametrize("norm", ["layer", "none", "batch"])
def test_a_picture_is_translated_alike_in_any_company_unless_norms_are_over_the_batch(norm):
    system, a = tiny(norm=norm), torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        alone, together = system.make(a[:1]), system.make(a)[:1]
    assert torch.allclose(alone, together, atol=1e-5) is (norm != "batch")


def test_the_odds_of_real_are_those_against_all_else():
    logits = torch.randn(5, 3)
    real = logits.softmax(1)[:, 2:]
    torch.testing.assert_close(odds_of(logits).sigmoid(), real)
    torch.testing.assert_close(bce(odds_of(logits), 1.0), -real.log().mean())
    assert torch.equal(odds_of(logits[:, :1]), logits[:, :1])


def test_a_critic_s_accuracy_is_of_real_against_generated():
    system = tiny()
    said = iter(
        [torch.tensor([[9.0, 0, 0], [0, 0, 9]]), torch.tensor([[9.0, 0, 0]] * 2), torch.tensor([[0.0, 0, 9]] * 2)]
    )
    system.d = torch.nn.Identity()
    system.d.forward = lambda pictures: next(said)
    scored = system.judged(torch.zeros(2, 1), torch.zeros(2, 1), torch.zeros(2, 1))
    # Of G(a) one is taken for real; G(b) for the kind that G(a) is, which is wrong, but not real; b are all known.
    assert scored.accuracy.item() == pytest.approx(0.5 * (1.0 + 0.75))


def test_total_variation_by_hand():
    picture = torch.zeros(1, 1, 3, 3)
    picture[0, 0, 1, 1] = 3.0
    # Of the four pixels that have both neighbours: two have it as one, itself falls by 3 both ways, the first sees none.
    expected = (0.0 + 3.0 + 3.0 + 18**0.5) / 4
    assert total_variation(picture).item() == pytest.approx(expected, abs=1e-5)
    flat = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    total_variation(flat).backward()
    assert flat.grad is not None and not flat.grad.any(), "no slope where nothing varies, and no NaN"


@pytest.mark.parametrize(
    ("channels", "image", "hyper", "text"),
    [
        (3, 48, {}, "data.image: DCGAN needs a power of two from 8 to 256; nearest: 32 or 64"),
        (
            3,
            32,
            {"gan": "wgan"},
            "hyper.gan: a ternary critic is judged by the cross-entropy of three; nearest: vanilla, or hyper.critic binary",
        ),
        (
            3,
            32,
            {"smoothing": 0.1},
            "hyper.smoothing: a ternary critic has no single target to smooth; nearest: 0, or hyper.critic binary",
        ),
        (
            3,
            32,
            {"norm": "batch", "penalty": "gp"},
            "hyper.penalty: a critic with batch norm has no gradient of one sample to penalise; "
            "nearest: hyper.norm instance",
        ),
        (
            1,
            32,
            {},
            "data.uri: f sees pictures of both domains, a has 1 channels, b has 3; "
            "nearest: system cyclegan with hyper.identity false",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(channels, image, hyper, text):
    with pytest.raises(SettingError) as caught:
        DTN.check({"a": (channels, image, image), "b": (3, image, image)}, DTNHyper(**hyper))
    assert str(caught.value) == text
