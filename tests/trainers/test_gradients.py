"""Gradients come to the same bits whether a single replica's are stepped on as they are or by way of the flat buffer."""

import math

import pytest
import torch
from torch import nn

from tests.trainers.worlds import VARIANTS, engine, state_digest, variant
from trainers.errors import NonFiniteError
from trainers.gradients import FlatGradient, OwnGradient, differentiate, reduce_move
from trainers.optimizers import Adam
from trainers.system import Move, Player, Weighed
from trainers.tree import Tree

CPU = torch.device("cpu")
ALONE = Tree(1)
KINDS = pytest.mark.parametrize("kind", [OwnGradient, FlatGradient])
STEPS = 3


def player(*parameters, name="player"):
    """A player of some parameters."""
    return Player(name, (nn.ParameterList(parameters),), Adam(1e-3, 0.5, 0.999), lambda t: 1.0)


def gradient_of(of, kind=OwnGradient):
    """Where its gradients come together."""
    return OwnGradient(of) if kind is OwnGradient else FlatGradient(of, 0, CPU)


def through_buffers(of):
    """The engine of one replica, with flat buffers all the same."""
    of.gradients = {p.name: FlatGradient(p, of.ledger.size, of.device) for p in of.system.players}
    return of


def played(of, steps=STEPS):
    """All that it comes to: the state, the numbers but for the norms, the skips; and the norms."""
    norms = []
    for _ in range(steps):
        of.step()
        norms.append({name: norm.item() for name, norm in of.ledger.norms.items()})
    means = {name: value.hex() for name, value in of.ledger.means().items()}
    return (state_digest(of), means, of.skipped), norms


# What is compiled differs in its networks alone, and takes half a minute here.
@pytest.mark.parametrize("name", [name for name, (_, _, how) in VARIANTS.items() if not how.get("compiled")])
def test_one_replica_alone_trains_as_by_way_of_the_buffer(name):
    alone, norms = played(variant(name, ALONE))
    buffered, others = played(through_buffers(variant(name, ALONE)))
    assert alone == buffered
    assert norms == [pytest.approx(other, rel=1e-5) for other in others], "a norm is added up in another order"


@pytest.mark.parametrize("name", ["pix2pix", "wgan", "bicyclegan"])  # wgan's optimizer cannot mask an update by itself
def test_one_replica_alone_skips_what_is_not_finite(name):
    def begun():
        return engine(name, tree=ALONE, on_nonfinite="skip", bad=(1, 0))

    of = begun()
    alone, _ = played(of)
    buffered, _ = played(through_buffers(begun()))
    assert alone == buffered
    assert sum(of.skipped.values()) > 0


def test_one_replica_alone_stops_at_a_bad_gradient_and_names_its_player():
    of = engine("pix2pix", tree=ALONE)
    generator = next(player for player in of.system.players if not player.critic)
    generator.parameters[-1].register_hook(lambda gradient: gradient * math.nan)
    of.step()
    with pytest.raises(NonFiniteError, match=r"^step 0: not finite: gradient of generator$"):
        of.settle()


def test_one_replica_alone_has_no_buffer_and_several_have_one_for_each_player():
    for replicas, kind in ((1, OwnGradient), (2, FlatGradient), (4, FlatGradient)):
        assert {type(gradient) for gradient in engine("cyclegan", tree=Tree(replicas)).gradients.values()} == {kind}


@pytest.mark.parametrize("scale", [1.0, 1e-18, 1e18])
@KINDS
def test_the_norm_is_that_of_all_gradients_together(kind, scale):
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in ((7, 3), (1,), (130,))]
    gradient, values = gradient_of(player(*parameters), kind), [scale * torch.randn(p.shape) for p in parameters]
    gradient.push(values)
    (total,) = reduce_move([gradient], torch.zeros(1), ALONE)
    expected = math.sqrt(sum(v.double().square().sum().item() for v in values))
    assert total.norm.item() == pytest.approx(expected, rel=1e-5)
    assert all(torch.equal(g, v) for g, v in zip(total.gradients, values, strict=True))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e30])  # the square of the last one is no number of 32 bits
@KINDS
def test_the_norm_tells_of_one_bad_number(kind, bad):
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2))]
    gradient = gradient_of(player(*parameters), kind)
    gradient.push([torch.ones(3), torch.tensor([[1.0, bad], [1.0, 1.0]])])
    (total,) = reduce_move([gradient], torch.zeros(1), ALONE)
    assert not torch.isfinite(total.norm)


@KINDS
def test_gradients_have_the_strides_of_their_parameters(kind):
    parameters = [
        nn.Parameter(torch.zeros(4, 3, 2, 2).to(memory_format=torch.channels_last)),
        nn.Parameter(torch.zeros(3)),
        nn.Parameter(torch.zeros(2, 5)),
    ]
    values = [torch.randn(4, 3, 2, 2), torch.ones(1).expand(3), torch.randn(5, 2).t()]
    gradient = gradient_of(player(*parameters), kind)
    gradient.push(values)
    (total,) = reduce_move([gradient], torch.zeros(1), ALONE)
    for p, found, value in zip(parameters, total.gradients, values, strict=True):
        assert found.stride() == p.stride()
        assert torch.equal(found, value)


def test_nothing_is_copied_where_nothing_has_to_be():
    gradient, value = OwnGradient(player(nn.Parameter(torch.zeros(2, 5)))), torch.ones(2, 5)
    gradient.push([value])
    assert gradient.reduce(ALONE, None).gradients[0] is value


@KINDS
def test_what_was_begun_can_be_given_up(kind):
    gradient = gradient_of(player(nn.Parameter(torch.zeros(2))), kind)
    gradient.push([torch.full((2,), 5.0)])
    gradient.clear()
    gradient.push([torch.ones(2)])
    assert gradient.reduce(ALONE, None).gradients[0].tolist() == [1.0, 1.0]


@KINDS
def test_the_losses_of_several_pairs_add_up_and_leave_each_other_alone(kind):
    p, q, r, s = (nn.Parameter(torch.tensor([value])) for value in (1.0, 2.0, 3.0, 4.0))
    both, other, idle = player(p, q, name="both"), player(r, name="other"), player(s, name="idle")
    shared = 5 * (p + q + r).sum()
    one, same, _ = torch.autograd.grad(shared, (p, q, r), retain_graph=True)
    assert one.data_ptr() == same.data_ptr(), "what is added to p's would be added to q's too"
    move = Move((Weighed((p * p * s).sum()), both), (Weighed(shared), both, other), (Weighed(torch.ones(())), idle))
    active = {of.name: gradient_of(of, kind) for of in (both, other, idle)}
    differentiate(move, active)
    assert all(parameter.grad is None for parameter in (p, q, r, s)), "what was pushed is held once"
    totals = dict(zip(active, reduce_move(list(active.values()), torch.zeros(1), ALONE), strict=True))
    found = {name: [gradient.item() for gradient in total.gradients] for name, total in totals.items()}
    assert found == {"both": [13.0, 5.0], "other": [5.0], "idle": [0.0]}


def test_a_player_that_rests_is_left_alone():
    p, q = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    one, other = player(p, name="one"), player(q, name="other")
    q.grad = torch.full((1,), 7.0)
    gradient = OwnGradient(one)
    differentiate(Move((Weighed((3 * p * q).sum()), one, other)), {"one": gradient})
    assert gradient.reduce(ALONE, None).gradients[0].item() == 3.0
    assert q.grad.item() == 7.0


def test_the_last_moves_gradients_are_given_up_before_the_next_ones_are_made():
    of = engine("pix2pix", tree=ALONE)
    seen: dict[str, list[bool]] = {}
    for one in of.system.players:
        first = one.parameters[0]
        first.register_hook(lambda gradient, p=first, name=one.name: seen.setdefault(name, []).append(p.grad is None))
    for _ in range(2):
        of.step()
    assert seen == {"critic": [True, True], "generator": [True, True]}
    assert all(p.grad is not None for p in of.system.parameters()), "after a step they can be looked at"
