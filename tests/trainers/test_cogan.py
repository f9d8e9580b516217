"""CoGAN is the published one: one noise for a pair, and layers that both domains have in common."""

import pytest
import torch

from tests.trainers import worlds
from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import SEED, SHAPES, TINY, engine
from trainers import randomness
from trainers.adversarial import CRITERIA
from trainers.engine import STAGE
from trainers.errors import SettingError
from trainers.from_noise import COMPANY
from trainers.networks.blocks import instance_norm
from trainers.networks.cogan import TiedCritics, TiedGenerators, layers_of
from trainers.networks.dcgan import DCGANCritic, DCGANGenerator
from trainers.scores import available, everything
from trainers.settings import Balance
from trainers.systems.cogan import CoGAN, CoGANHyper
from trainers.tree import Tree

LATENT = TINY["cogan"]["latent"]
LAYERS = layers_of(worlds.IMAGE)


def noise(count, segment):
    """What the first replica draws in a segment of its first step."""
    randomness.seed_generators(torch.device("cpu"), SEED, STAGE, 0, 0, segment)
    return torch.randn(count, LATENT)


def test_the_objective_is_the_published_one():
    of = engine("cogan", tree=Tree(1))
    seen, old, images = watch(of), before(of), batch(of)
    of.step()
    a, b, new, gan = images["a"], images["b"], of.system, CRITERIA["vanilla"]()
    with torch.no_grad():
        fake_a, fake_b = old.g(noise(len(a), 0))
        judged = {
            "d_a": gan.real(old.d.judge_a(a)) + gan.fake(old.d.judge_a(fake_a)),
            "d_b": gan.real(old.d.judge_b(b)) + gan.fake(old.d.judge_b(fake_b)),
        }
        made_a, made_b = old.g(noise(len(a), 1))
        made = {"adv_a": gan.real(new.d.judge_a(made_a)), "adv_b": gan.real(new.d.judge_b(made_b))}
    assert [move.players for move in seen] == [("critics",), ("generators",)]
    for move, terms in zip(seen, (judged, made), strict=True):
        assert move.raw == pytest.approx({name: value.item() for name, value in terms.items()}, rel=1e-4)
        assert move.loss == pytest.approx(sum(value.item() for value in terms.values()), rel=1e-4)


def test_each_move_of_the_critics_has_new_pictures_and_new_noise():
    of = engine("cogan", tree=Tree(1), balance=Balance(critic_turns=2))
    given = []
    of.system.g.register_forward_pre_hook(lambda _, found: given.append(found[0]))
    of.step()
    assert of.draws == {"a": 2, "b": 2}
    assert [torch.equal(z, noise(4, segment)) for segment, z in enumerate(given)] == [True] * 3


def test_with_all_of_its_layers_a_side_is_dcgans():
    torch.manual_seed(0)
    generators = TiedGenerators(LATENT, (1, 3), 32, 4, "deconv", instance_norm, 2)
    plain = DCGANGenerator(LATENT, 3, 32, 4, "deconv", instance_norm)
    own = dict(zip(plain.state_dict(), [*generators.tied.parameters(), *generators.b.parameters()], strict=True))
    plain.load_state_dict(own)
    z = torch.randn(2, LATENT)
    a, b = generators(z)
    assert a.shape == (2, 1, 32, 32) and torch.equal(b, plain(z))

    critics = TiedCritics((1, 3), 32, 4, "strided", instance_norm, 2)
    judge = DCGANCritic(3, 32, 4, "strided", instance_norm)
    own = dict(zip(judge.state_dict(), [*critics.b.parameters(), *critics.tied.parameters()], strict=True))
    judge.load_state_dict(own)
    assert torch.equal(critics.judge_b(b), judge(b))
    assert [says.shape for says in critics(a, b)] == [(2, 1, 1, 1)] * 2


@pytest.mark.parametrize("tied", range(LAYERS))
def test_so_many_layers_are_common(tied):
    system = engine("cogan", hyper={"tied": tied, "tied_critic": tied}).system
    convolutions = {
        name: sum(p.dim() == 4 for p in network.parameters())
        for side in (system.g, system.d)
        for name, network in ((f"{side is system.d} {child}", net) for child, net in side.named_children())
    }
    for critic in (False, True):
        found = {part: convolutions[f"{critic} {part}"] for part in ("a", "b", "tied")}
        assert found == {"a": LAYERS - tied, "b": LAYERS - tied, "tied": tied}


def followed(player, *terms):
    """What a player's move follows where these terms alone have a weight."""
    of = engine("cogan")
    of.system.weights = {known: float(known in terms) for known in of.system.weights}
    of.step()
    return gradients(of, player)


@pytest.mark.parametrize(("player", "terms"), [("generators", ("adv_a", "adv_b")), ("critics", ("d_a", "d_b"))])
def test_common_layers_follow_both_domains(player, terms):
    both, a, b = followed(player, *terms), followed(player, terms[0]), followed(player, terms[1])
    for name, gradient in both.items():
        torch.testing.assert_close(gradient, a[name] + b[name], rtol=1e-4, atol=1e-6)
        if name.endswith("weight") and name.split(".")[1] == "tied":
            assert a[name].any() and b[name].any()
        elif name.endswith("weight"):
            assert (a[name].any(), b[name].any()) == (name.split(".")[1] == "a", name.split(".")[1] == "b")


def test_a_pair_is_of_one_noise():
    of = engine("cogan")
    images = {domain: torch.zeros(3, *SHAPES[domain]) for domain in "ab"}
    torch.manual_seed(3)
    with torch.no_grad():
        shown = of.system.show(images)
        torch.manual_seed(3)
        a, b = of.system.g(torch.randn(COMPANY, LATENT))
        alone = of.system.show({"a": images["a"]})
    assert torch.equal(shown["fake_a"], a[:3]) and torch.equal(shown["fake_b"], b[:3])
    assert set(alone) == {"fake_b"} and of.system.show({}) == {}


def test_nothing_made_is_the_counterpart_of_a_picture():
    given = everything(CoGAN)
    assert not given.truth and not given.labelled
    found = {score.name for score in available(CoGAN, given)}
    assert found >= {"kid[task]", "fid[task]", "collapse", "diversity", "diversity[task]"}
    assert not found & {"l1", "content", "cosine", "separation", "distance_correlation", "retrieval", "task_accuracy"}


@pytest.mark.parametrize(
    ("hyper", "refusal"),
    [
        ({"tied": 5}, "hyper.tied: of 5 layers each domain keeps one of its own; nearest: 4"),
        ({"tied_critic": 9}, "hyper.tied_critic: of 5 layers each domain keeps one of its own; nearest: 4"),
        ({"penalty": "gp"}, "hyper.penalty: a critic with batch norm has no gradient of one sample to penalise; "),
    ],
)
def test_what_does_not_fit_is_refused(hyper, refusal):
    with pytest.raises(SettingError) as caught:
        CoGAN.check(dict.fromkeys(("a", "b"), (3, 64, 64)), CoGANHyper(**hyper))
    assert str(caught.value).startswith(refusal)


def test_published_ties():
    assert CoGANHyper().ties(32) == (3, 3) and CoGANHyper().ties(64) == (4, 4)
    assert worlds.engine_of_preset("cogan", "untied").system.hyper.ties(32) == (0, 0)
