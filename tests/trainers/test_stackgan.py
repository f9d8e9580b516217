"""StackGAN: who learns from what, which captions are wrong, and what stage II leaves alone."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from tests.trainers.judging import Flat
from tests.trainers.worlds import SHAPES, STEPS, TINY, build, engine
from trainers.errors import SettingError
from trainers.evaluation import evaluate
from trainers.networks.stackgan import Text, divergence
from trainers.replica import texts
from trainers.system import Move
from trainers.systems.stackgan import MATCH, StackGAN, StackGANHyper
from trainers.texts import codes, others

BOTH = pytest.mark.parametrize("name", ["stackgan", "stackgan:first"])
WORDS = torch.tensor([[7, 3], [5, 0], [7, 3], [4, 1]])


def built(name: str, **options: Any) -> Any:
    """A tiny system."""
    return build(name, **options)


class Given:
    """A replica that draws the same pictures and words each time."""

    def __init__(self):
        self.b = torch.rand(4, *SHAPES["b"], generator=torch.manual_seed(1)) * 2 - 1

    def draw_labelled(self, domain):
        return self.b, WORDS

    def turns(self, player):
        return range(1)


def moves(system):
    """The weighed losses of D and of G, of the first step."""
    torch.manual_seed(0)
    found = {}
    for move in system.step(0, Given()):
        assert isinstance(move, Move)
        ((weighed, (player,)),) = move.pairs
        found[player.name] = weighed
    return found["critic"], found["generator"]


def reached(loss, network):
    """The largest gradient of a loss in a network; 0.0 where there is none."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    slopes = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
    return max((float(slope.abs().max()) for slope in slopes if slope is not None), default=0.0)


def readers(system):
    """What makes a condition of words, as far as the stage teaches it."""
    return [system.first.augmentation, system.first.text] if system.stage else [system.second.augmentation]


def silence_the_condition(system):
    """The picture no longer depends on the condition: what reaches the text then came through D."""
    entry = system.first.generator.layers[0] if system.stage else system.second.join[0]
    here = slice(system.hyper.latent, None) if system.stage else slice(-system.hyper.condition, None)
    with torch.no_grad():
        (entry.weight[here] if system.stage else entry.weight[:, here]).zero_()


@BOTH
@pytest.mark.parametrize("reads", ["words", "mu"])
def test_no_gradient_reaches_the_text_through_what_d_is_told(name, reads):
    system = built(name, weights=dict.fromkeys(("kl", "kl_first"), 0.0), critic_reads=reads)
    critic, generator = moves(system)
    assert all(reached(critic.loss, part) == 0.0 for part in readers(system))
    assert reached(critic.loss, system.d) > 0.0
    assert all(reached(generator.loss, part) > 0.0 for part in readers(system)), "through the picture it does"
    silence_the_condition(system)
    _, generator = moves(system)
    assert generator.loss.requires_grad
    assert all(reached(generator.loss, part) == 0.0 for part in readers(system))


@BOTH
def test_d_is_told_the_text_and_answers_to_it(name):
    system = built(name)
    with torch.no_grad():
        seen = system.d.see(Given().b)
        said = [system.d.fits(seen, torch.full((4, 3), level)) for level in (0.0, 1.0)]
    assert not torch.equal(*said)


def test_stage_one_stands_still_in_stage_two():
    of = engine("stackgan")
    before = {name: p.detach().clone() for name, p in of.system.first.named_parameters()}
    for _ in range(STEPS):
        of.step()
    assert "text.embed.weight" in before
    assert all(torch.equal(p, before[name]) for name, p in of.system.first.named_parameters())
    assert not any(p.requires_grad for p in of.system.first.parameters())
    owned = {id(p) for player in of.system.players for p in player.parameters}
    assert not owned & {id(p) for p in of.system.first.parameters()}


def test_stage_two_begins_with_stage_ones_generator_and_a_critic_of_its_own():
    stage, system = _small_stage(), built("stackgan")
    own = {name: p.clone() for name, p in system.d.named_parameters()}
    trained = {name: torch.randn_like(p) for name, p in stage.named_parameters()}
    with torch.no_grad():
        system.enter({"first": trained})
    assert all(torch.equal(p, trained[f"first.{name}"]) for name, p in system.first.named_parameters())
    assert all(torch.equal(p, own[name]) for name, p in system.d.named_parameters())


def _small_stage():
    kind = StackGAN.stages[0].system
    hyper = StackGAN.stages[0].settings(StackGANHyper(**TINY["stackgan"]))
    shapes = {"b": (3, TINY["stackgan"]["first_image"], TINY["stackgan"]["first_image"])}
    return kind.build(hyper, shapes, {term.name: term.weight for term in kind.terms}, STEPS)


@BOTH
def test_d_and_g_play_the_same_pictures(name):
    system, seen = built(name), []
    system.d.see.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    moves(system)
    of_d, of_g = seen[-2], seen[-1]
    assert torch.equal(of_d, of_g)
    assert not of_d.requires_grad
    assert of_g.requires_grad


@BOTH
def test_the_critic_learns_to_read_by_itself_or_goes_by_what_the_generator_makes_of_a_text(name):
    system, mu = built(name), torch.randn(4, 3)
    told = system.d.told(system.hyper.read(WORDS), mu)
    assert torch.equal(told[0], told[2]) and not torch.equal(told[0], told[1]), "the same words, and others"
    critic, generator = moves(system)
    assert reached(critic.loss, system.d.reader) > 0.0
    assert reached(generator.loss, system.d.reader) > 0.0, "which only the critic moves"
    assert system.first.text.embed.weight is not system.d.reader.text.embed.weight
    by_mu = built(name, critic_reads="mu")
    assert by_mu.d.told(by_mu.hyper.read(WORDS), mu) is mu
    assert by_mu.d.reader is None


def entropy(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


@BOTH
def test_the_critics_loss_is_the_papers(name):
    system = built(name)
    b, fake = Given().b, Given().b.flip(0)
    right, wrong = torch.randn(4, 3), torch.randn(4, 3)
    with torch.no_grad():
        d = system.d
        real, mistaken, made = (d.fits(d.see(x), text) for x, text in ((b, right), (b, wrong), (fake, right)))
        told = system.judge(b, fake, right, wrong).loss
        if system.stage:
            expected = entropy(real, 1.0) + 0.5 * (entropy(mistaken, 0.0) + entropy(made, 0.0))
        else:
            alone, made_alone = d.real(d.see(b)), d.real(d.see(fake))
            expected = (entropy(real, 1.0) + entropy(alone, 1.0)) / 2
            expected += (entropy(mistaken, 0.0) + entropy(made, 0.0) + entropy(made_alone, 0.0)) / 3
    torch.testing.assert_close(told, expected)


def test_the_generators_terms_are_of_both_heads():
    _, generator = moves(built("stackgan"))
    assert generator.raw.keys() == {"adv", "adv_alone", "kl"}
    expected = generator.raw["adv"] + generator.raw["adv_alone"] + 2.0 * generator.raw["kl"]
    torch.testing.assert_close(generator.loss.detach(), expected)


def test_the_divergence_is_the_mean_of_the_closed_form():
    mu, log_sigma = torch.randn(5, 3), torch.randn(5, 3)
    expected = kl_divergence(Normal(mu, log_sigma.exp()), Normal(torch.tensor(0.0), torch.tensor(1.0))).mean()
    torch.testing.assert_close(divergence(mu, log_sigma), expected)
    assert divergence(torch.zeros(2, 2), torch.zeros(2, 2)) == 0.0


def test_a_wrong_caption_never_is_the_right_one():
    random = torch.Generator().manual_seed(0)
    for count in (2, 3, 8):
        for kinds in (2, 3, 20):
            told = torch.randint(0, kinds, (count, 2), generator=random)
            wrong = others(told)
            assert (wrong != told).any(1)[told.any(1)].all()
            if len(told.unique(dim=0)) > 1:
                there = (wrong[:, None] == told[None]).all(2).any(1)
                assert there.all(), "a caption of the batch, where one differs"


def test_the_next_that_differs_is_taken_from_the_start_again():
    told = torch.tensor([[1], [1], [2], [2], [1]])
    assert others(told).flatten().tolist() == [2, 2, 1, 1, 2]
    assert others(torch.tensor([[1], [2], [3]])).flatten().tolist() == [2, 3, 1]


def test_where_all_are_the_same_the_wrong_one_has_no_words():
    assert others(torch.tensor([[4, 1], [4, 1]])).tolist() == [[0, 0], [0, 0]]
    assert others(torch.tensor([[4, 1]])).tolist() == [[0, 0]]


def test_texts_are_the_words_that_they_have():
    told = codes(torch.tensor([[70, 31, 0], [31, 70, 0], [31, 0, 0]]), vocabulary=9)
    assert torch.equal(told[0], told[1])
    assert not torch.equal(told[0], told[2])
    assert told[2].tolist() == [0, 0, 31 % 9 + 1]
    assert int(codes(torch.randint(1, 10**9, (50, 4)), 9).min()) >= 1
    assert int(codes(torch.randint(1, 10**9, (50, 4)), 9).max()) <= 9


def test_a_text_is_as_loud_with_many_words_as_with_one():
    text = Text(500, 64)
    with torch.no_grad():
        one, many = (text(torch.randint(1, 501, (200, count))).std() for count in (1, 12))
        assert float(many) == pytest.approx(float(one), rel=0.1)
        assert not text(torch.zeros(2, 5, dtype=torch.int64)).any()


class Captioned(Flat):
    """Flat pictures that have texts."""

    def __init__(self, grey, words):
        super().__init__({"b": grey})
        self.words = words

    def text(self, domain, index):
        """One or two words."""
        return self.words[index].numpy()


@BOTH
def test_what_is_shown_is_of_the_texts_that_stand_beside(name):
    of = engine(name)
    told, _ = evaluate(of, Captioned([0, 50, 90, 200], WORDS))
    again, _ = evaluate(of, Captioned([0, 50, 90, 200], WORDS))
    assert told == again
    with torch.no_grad():
        pictures = torch.zeros(4, *SHAPES["b"])

        def shown(words):
            torch.manual_seed(5)
            return of.system.show({"b": pictures, texts("b"): words})["fake_b"]

        first, second = shown(WORDS), shown(WORDS.roll(1, 0))
    assert not torch.equal(first, second)
    assert first.shape == pictures.shape


def test_the_match_is_one_for_a_picture_of_its_text_and_a_half_for_any(monkeypatch):
    of, grey = engine("stackgan"), [0, 20, 45, 90, 140, 200, 255, 170, 10, 60]
    pictures = torch.tensor(grey).div(127.5).sub(1.0)[:, None, None, None].expand(-1, *SHAPES["b"])
    samples = Captioned(grey, torch.arange(1, 11)[:, None])

    def match(made):
        def show(images):
            places = images[texts("b")].flatten() - 1
            return {"fake_b": made[places]}

        monkeypatch.setattr(of.system, "show", show)
        return evaluate(of, samples)[0][f"eval/{MATCH}"]

    assert match(pictures) == 1.0
    assert match(pictures.roll(1, 0)) < 0.9
    assert match(pictures[3:4].expand(10, -1, -1, -1)) == pytest.approx(0.5)
    assert match(-pictures) < 0.5


@pytest.mark.parametrize(("first", "near"), [(32, 16), (64, 16)])
def test_stage_one_is_smaller(first, near):
    hyper = StackGANHyper(**{**TINY["stackgan"], "first_image": first})
    with pytest.raises(SettingError, match=f"stage I makes pictures smaller than those of 32 pixels; nearest: {near}"):
        StackGAN.check(SHAPES, hyper)
    StackGAN.check({"b": (3, 128, 128)}, hyper)


def test_every_way_from_a_small_picture_to_a_large_one():
    for first, image in ((8, 16), (8, 64), (32, 64), (64, 256)):
        hyper = StackGANHyper(**{**TINY["stackgan"], "first_image": first})
        system = StackGAN.build(hyper, {"b": (1, image, image)}, dict.fromkeys(("adv", "adv_alone", "kl", "d"), 1.0), 1)
        with torch.no_grad():
            assert system.show({"b": torch.zeros(2, 1, image, image)})["fake_b"].shape == (2, 1, image, image)


def test_the_first_losses_are_those_of_a_blind_critic():
    critic, generator = moves(built("stackgan:first"))
    assert float(critic.raw["d_first"]) == pytest.approx(2 * math.log(2), rel=0.3)
    assert float(generator.raw["adv_first"]) == pytest.approx(math.log(2), rel=0.3)
