"""BEGAN balances two reconstruction errors: k, and with it the critic's loss, by hand."""

import pytest
import torch
from torch import nn

from tests.trainers.watching import batch, before, gradients, watch
from tests.trainers.worlds import SEED, build, engine, state_of
from trainers import randomness
from trainers.adversarial import GAMMA, K_RATE
from trainers.engine import STAGE
from trainers.errors import SettingError
from trainers.optimizers import Adam
from trainers.state import load_state
from trainers.systems.began import BEGAN, BEGANHyper
from trainers.tree import Tree

CPU = torch.device("cpu")


def tiny(**hyper):
    """A small BEGAN."""
    system = build("began", **hyper)
    assert isinstance(system, BEGAN)
    return system


def made(system, segment, t=0):
    """What a system makes of the noise of a segment."""
    randomness.seed_generators(CPU, SEED, STAGE, t, 0, segment)
    return system.make(4, CPU)


def error(system, images):
    """L(v): how far the autoencoder is from reconstructing `images`."""
    return (system.d.reconstruct(images) - images).abs().mean().item()


def test_the_objective_is_the_papers():
    of = engine("began", tree=Tree(1))
    k = 0.0
    for t in range(4):
        seen, old, b = watch(of), before(of), batch(of, draw=t)["b"]
        with torch.no_grad():
            real, fake = error(old, b), error(old, made(old, 0, t))
        assert of.numbers["d"].item() == pytest.approx(k, abs=1e-9)
        of.step()
        with torch.no_grad():
            by_generator = error(of.system, made(old, 1, t))
        assert [move.players for move in seen[:2]] == [("critic",), ("generator",)]
        assert seen[0].raw == pytest.approx({"d": real - k * fake}, rel=1e-5)
        assert seen[1].raw == pytest.approx({"adv": by_generator}, rel=1e-4), "new noise, and the moved autoencoder"
        k = min(max(k + K_RATE * (GAMMA * real - fake), 0.0), 1.0)
    assert k > 0, "new networks leave a generator's dim pictures easier to reconstruct than real ones"


@pytest.mark.parametrize(("k", "fake", "after"), [(0.9999, 0.0, 1.0), (0.0001, 1.0, 0.0), (0.5, 1.0, None)])
def test_k_is_held_between_0_and_1(monkeypatch, k, fake, after):
    of = engine("began", tree=Tree(1))
    of.numbers["d"].fill_(k)
    logits = iter([torch.full((4, 1, 32, 32), -1.0), torch.full((4, 1, 32, 32), -fake), torch.zeros(4, 1, 32, 32)])
    of.system.d = Says(of.system.d, logits)
    of.step()
    drifted = k + K_RATE * (GAMMA * 1.0 - fake)
    assert of.numbers["d"].item() == pytest.approx(drifted if after is None else after)


class Says(nn.Module):
    """A critic that says what it is told to."""

    def __init__(self, critic, logits):
        super().__init__()
        self.critic, self.logits = critic, logits

    def forward(self, x):
        return next(self.logits)


def test_k_makes_the_critic_worsen_the_fakes():
    def after_a_step(k):
        of = engine("began", tree=Tree(1))
        of.numbers["d"].fill_(k)
        of.step()
        return gradients(of, "critic")

    none, half, whole = after_a_step(0.0), after_a_step(0.5), after_a_step(1.0)
    system = tiny()
    with torch.no_grad():
        fake = made(system, 0)
    (-system.d(fake)).mean().backward()  # L(G(z)): its gradient is subtracted k times
    for name, p in system.d.named_parameters(prefix="d"):
        assert p.grad is not None
        torch.testing.assert_close(whole[name], none[name] - p.grad, atol=1e-6, rtol=1e-3)
        torch.testing.assert_close(half[name], none[name] - 0.5 * p.grad, atol=1e-6, rtol=1e-3)


def test_k_is_kept_with_the_weights():
    of = engine("began")
    for _ in range(3):
        of.step()
    assert of.numbers["d"] > 0
    again = engine("began")
    load_state(again, state_of(of))
    assert torch.equal(again.numbers["d"], of.numbers["d"])


def test_the_generator_is_a_decoder_with_weights_of_its_own():
    system = tiny()
    shapes = [p.shape for p in system.g.parameters()]
    assert shapes == [p.shape for p in system.d.decoder.parameters()]
    assert not any(p is q for p in system.g.parameters() for q in system.d.parameters())
    assert not any(isinstance(m, nn.BatchNorm2d | nn.InstanceNorm2d | nn.Sigmoid) for m in system.modules())
    assert [p.shape for p in tiny(width=6).g.parameters()] != shapes, "of a width of its own, too"


def test_noise_is_uniform():
    system = tiny()
    seen = []
    system.g.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    with torch.no_grad():
        system.make(500, CPU)
    (z,) = seen
    assert z.shape == (500, 4)
    assert -1 <= z.min() < -0.99
    assert 0.99 < z.max() <= 1
    assert z.square().mean().item() == pytest.approx(1 / 3, abs=0.02)


def test_what_is_shown_is_cut_and_what_is_judged_is_not():
    system = tiny()
    with torch.no_grad():
        for p in system.g[-1].parameters():
            p.mul_(100)
        torch.manual_seed(0)
        unbounded = system.make(3, CPU)
        torch.manual_seed(0)
        shown = system.show({"b": torch.zeros(3, 3, 32, 32)})["fake_b"]
    assert unbounded.abs().max() > 1
    assert torch.equal(shown, unbounded.clamp(-1, 1))
    assert system.show({}) == {}


def test_the_published_settings():
    hyper = BEGANHyper()
    assert hyper.build_optimizer() == Adam(1e-4, 0.5, 0.999)
    assert (hyper.latent, hyper.width, hyper.critic_width, GAMMA, K_RATE) == (64, 64, 64, 0.5, 0.001)
    assert tiny().controlled == ("d",)


@pytest.mark.parametrize(
    ("image", "hyper", "text"),
    [
        (48, {}, "data.image: the autoencoder needs a power of two from 8 to 512; nearest: 32 or 64"),
        (
            64,
            {"smoothing": 0.1},
            "hyper.smoothing: began has no target to smooth; these have: lsgan, vanilla, minimax",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(image, hyper, text):
    with pytest.raises(SettingError) as caught:
        BEGAN.check({"b": (3, image, image)}, BEGANHyper(**hyper))
    assert str(caught.value) == text
