"""OST: who follows which loss, and that the shared layers pass a gradient on without moving."""

import pytest
import torch

from tests.trainers.worlds import SHAPES, TINY, engine
from trainers.geometry import turned
from trainers.networks.split_resnet import HALVINGS, Own, Path, Shared
from trainers.systems.ost import OST, OSTHyper


def weights_of(player):
    return [p.detach().clone() for p in player.parameters]


def moved(of, moves):
    """The names of the players that the first `moves` moves of a step move; how far the gradient of the first one came."""
    system, seen = of.system, []
    before = {player.name: weights_of(player) for player in system.players}
    reached: dict[str, float] = {}
    apply = type(of)._move

    def watched(self, flat, total):
        seen.append(flat.player.name)
        reached.setdefault(flat.player.name, float(total.norm))
        apply(self, flat, total)

    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setattr(type(of), "_move", watched)
        of.step()
    changed = {
        p.name for p in system.players if any((x != y).any() for x, y in zip(before[p.name], p.parameters, strict=True))
    }
    return seen, changed, reached


@pytest.mark.parametrize(
    ("hyper", "order"),
    [
        ({}, ["one", "many", "many", "shared", "critic"]),
        ({"selective": "a_only"}, ["one", "many", "shared", "critic"]),
        ({"selective": "none"}, ["one", "many", "shared", "many", "shared", "critic"]),
        ({"freeze_shared": True}, ["one", "many", "many", "critic"]),
        ({"freeze_shared": True, "selective": "a_only"}, ["one", "many", "critic"]),
        ({"freeze_shared": True, "selective": "none"}, ["one", "many", "many", "critic"]),
    ],
)
def test_who_follows_the_one_picture_and_who_the_many(hyper, order):
    of = engine("ost", hyper=hyper)
    seen, changed, _ = moved(of, len(order))
    assert seen == order and changed == set(order)


def test_the_one_pictures_loss_passes_through_the_shared_layers_and_leaves_them_to_the_bit(monkeypatch):
    of = engine("ost", weights={"recon_many": 0.0, "kl": 0.0, "adv_many": 0.0, "recon": 0.0, "adv": 0.0})
    shared = weights_of(of.system.inner)
    _, changed, reached = moved(of, 1)
    # The cycle's loss lies behind the shared layers twice: what reaches the one's encoder came through them.
    assert reached["one"] > 0.0 and "one" in changed
    assert all(torch.equal(x, y) for x, y in zip(shared, of.system.inner.parameters, strict=True))
    encoder = [p for p in of.system.own_one.encoder.parameters() if p.dim() > 1]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder)


def test_frozen_shared_layers_stay_in_both_moves():
    of = engine("ost", hyper={"freeze_shared": True})
    before = [p.detach().clone() for p in of.system.shared.parameters()]
    for _ in range(2):
        of.step()
    assert all(torch.equal(x, y) for x, y in zip(before, of.system.shared.parameters(), strict=True))


def test_the_one_begins_as_the_many_as_far_as_their_channels_allow():
    shapes = {**SHAPES, "a": (1, 32, 32)}
    hyper = OSTHyper(**TINY["ost"])
    system = OST.build(hyper, shapes, {term.name: term.weight for term in OST.in_force(hyper)}, 10)
    with torch.no_grad():
        system.enter({})
    theirs = dict(system.own_many.named_parameters())
    alike = {name: p.shape == theirs[name].shape for name, p in system.own_one.named_parameters()}
    assert sum(not same for same in alike.values()) == 3, "the first weight; the last weight and its shift"
    assert all(torch.equal(p, theirs[name]) for name, p in system.own_one.named_parameters() if alike[name])


@pytest.mark.parametrize("unshared", range(HALVINGS + 1))
def test_a_path_gives_pictures_of_its_target_and_noise_only_where_it_is_drawn(unshared):
    path = Path(Own(1, 4, unshared), Shared(4, unshared, 3), Own(3, 4, unshared), noise=1.0)
    x = torch.rand(2, 1, 32, 32) * 2 - 1
    assert path.code(x).shape == (2, 16, 8, 8)
    assert path(x).shape == (2, 3, 32, 32) and torch.equal(path(x), path(x))
    assert not torch.equal(path.picture(path.code(x)), path.picture(path.code(x)))


def test_turning_keeps_the_middle_and_mirroring_mirrors():
    x = torch.rand(6, 3, 16, 16)
    torch.manual_seed(0)
    assert torch.allclose(turned(x, 0.0, mirror=False), x, atol=1e-5)
    mirrored = turned(x, 0.0, mirror=True)
    ways = [torch.allclose(y, z.flip(-1), atol=1e-5) for y, z in zip(mirrored, x, strict=True)]
    assert {True, False} == set(ways)
    assert all(way or torch.allclose(y, z, atol=1e-5) for way, y, z in zip(ways, mirrored, x, strict=True))
    halves = torch.zeros(4, 1, 17, 17)
    halves[:, :, :, :8] = 1.0
    rotated = turned(halves, 20.0, mirror=False)
    assert not torch.allclose(rotated, halves, atol=0.1)
    assert torch.allclose(rotated[:, :, 8, 8], halves[:, :, 8, 8], atol=0.6)
    assert len({float(picture.sum()) for picture in rotated}) > 1, "each in its own way"
