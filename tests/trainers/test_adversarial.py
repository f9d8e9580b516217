"""One sign rule: every network minimises, logits are raw, HIGH = real. And each criterion by hand."""

import math

import pytest
import torch

from trainers.adversarial import CRITERIA, GAMMA, K_RATE

EACH = pytest.mark.parametrize("name", CRITERIA)
FIXED = pytest.mark.parametrize("name", [name for name, kind in CRITERIA.items() if not kind.controls])
SMOOTHABLE = [name for name, kind in CRITERIA.items() if kind.smoothable]


def slope(function, at):
    """The gradient of the sum over `at`, of what `function` means over it: one number per logit."""
    logits = torch.tensor(at, requires_grad=True)
    (gradient,) = torch.autograd.grad(function(logits) * len(at), logits)
    return gradient


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@FIXED
def test_the_critic_raises_the_real_and_lowers_the_fake(name):
    real, fake = torch.full((2, 1, 3, 3), 0.3, requires_grad=True), torch.full((2, 1, 3, 3), 0.3, requires_grad=True)
    loss = CRITERIA[name]().critic(real, fake, scale=0.5).value
    on_real, on_fake = torch.autograd.grad(loss, (real, fake))
    assert (on_real < 0).all(), "descent raises the logits of real pictures"
    assert (on_fake > 0).all(), "and lowers those of generated ones"


def test_least_squares_lowers_fakes_and_does_not_call_them_real():
    # One printed form of the objective asks D for 1 on generated pictures: it would raise all of these.
    assert slope(CRITERIA["lsgan"]().fake, [0.1, 0.5, 0.9, 2.0]).tolist() == pytest.approx([0.2, 1.0, 1.8, 4.0])
    assert slope(CRITERIA["lsgan"]().generator, [0.1, 0.5, 0.9]).tolist() == pytest.approx([-1.8, -1.0, -0.2])


@EACH
def test_a_generator_raises_its_logits(name):
    assert (slope(CRITERIA[name]().generator, [-4.0, -1.0, 0.0, 0.5, 0.9]) < 0).all()


@pytest.mark.parametrize("name", ["lsgan", "vanilla"])
def test_a_generator_learns_most_where_it_is_found_out(name):
    size = slope(CRITERIA[name]().generator, [-4.0, -1.0, 0.0, 0.5, 0.9]).abs()
    assert (size.diff() < 0).all()


@pytest.mark.parametrize("name", ["hinge", "wgan", "began"])
def test_a_generator_learns_as_much_everywhere(name):
    assert slope(CRITERIA[name]().generator, [-40.0, -1.0, 0.0, 0.9, 30.0]).tolist() == [-1.0] * 5


def test_the_minimax_game_saturates_where_the_generator_is_found_out():
    at = [-30.0, -4.0, 0.0, 4.0]
    assert slope(CRITERIA["minimax"]().generator, at).tolist() == pytest.approx([-sigmoid(x) for x in at], rel=1e-4)
    assert slope(CRITERIA["vanilla"]().generator, at).tolist() == pytest.approx([-sigmoid(-x) for x in at], rel=1e-4)
    logits = torch.tensor([-1.0, 2.0])
    by_hand = (math.log(1 - sigmoid(-1)) + math.log(1 - sigmoid(2))) / 2
    assert CRITERIA["minimax"]().generator(logits).item() == pytest.approx(by_hand)
    for real, fake in ((0.3, -2.0), (-1.0, 1.0)):  # only the generator plays otherwise
        one, other = (
            CRITERIA[n]().critic(torch.tensor([real]), torch.tensor([fake]), 1.0) for n in ("minimax", "vanilla")
        )
        assert torch.equal(one.value, other.value)


def test_least_squares_by_hand():
    real, fake = torch.tensor([[0.9, 0.4]]), torch.tensor([[0.2, 0.7]])
    scored = CRITERIA["lsgan"]().critic(real, fake, scale=0.5)
    assert scored.value.item() == pytest.approx(0.5 * ((0.01 + 0.36) / 2 + (0.04 + 0.49) / 2))
    assert CRITERIA["lsgan"]().real(fake).item() == pytest.approx((0.64 + 0.09) / 2)
    assert CRITERIA["lsgan"]().generator(fake).item() == pytest.approx((0.64 + 0.09) / 2), "not halved"


def test_vanilla_by_hand():
    def log_sigmoid(x):
        return -math.log1p(math.exp(-x))

    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    by_hand = -(log_sigmoid(2) + log_sigmoid(-1)) / 2 - (log_sigmoid(-0.5) + log_sigmoid(3)) / 2
    vanilla = CRITERIA["vanilla"]()
    assert vanilla.critic(real, fake, scale=1.0).value.item() == pytest.approx(by_hand)
    assert vanilla.generator(fake).item() == pytest.approx(-(log_sigmoid(0.5) + log_sigmoid(-3)) / 2)
    assert vanilla.real(torch.tensor([-200.0])).item() == pytest.approx(200.0), "logits, not probabilities"


def test_hinge_by_hand():
    real, fake = torch.tensor([1.5, 0.2]), torch.tensor([-1.5, -0.4])
    scored = CRITERIA["hinge"]().critic(real, fake, scale=1.0)
    assert scored.value.item() == pytest.approx((0 + 0.8) / 2 + (0 + 0.6) / 2)
    assert CRITERIA["hinge"]().generator(fake).item() == pytest.approx(0.95)


def test_wasserstein_by_hand():
    real, fake = torch.tensor([7.0, 5.0]), torch.tensor([1.0, 2.0])
    scored = CRITERIA["wgan"]().critic(real, fake, scale=1.0)
    assert scored.value.item() == pytest.approx(1.5 - 6.0), "minus the estimate of the distance"
    assert CRITERIA["wgan"]().generator(fake).item() == pytest.approx(-1.5)


SEEN = {"real": (6, 3, 1, 5), "fake": (2, 3, 5, 5)}  # how often each of four pictures is drawn from either side


def judged(logits, smoothing=0.0):
    """Vanilla's loss of a critic that gives each of the four pictures a logit of its own."""
    real, fake = (logits.repeat_interleave(torch.tensor(times)) for times in SEEN.values())
    return CRITERIA["vanilla"](smoothing).critic(real, fake, scale=1.0).value


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_best_critic_is_the_real_share(smoothing):
    # D* = (1 - smoothing) p_r / (p_r + p_g): the loss is stationary there, and convex.
    shares = [(1 - smoothing) * r / (r + f) for r, f in zip(*SEEN.values(), strict=True)]
    best = torch.tensor([math.log(share / (1 - share)) for share in shares], requires_grad=True)
    (gradient,) = torch.autograd.grad(judged(best, smoothing), best)
    torch.testing.assert_close(gradient, torch.zeros(4), atol=1e-6, rtol=0)
    assert all(judged(best + 0.2 * torch.randn(4), smoothing) > judged(best, smoothing) for _ in range(9))


def test_the_best_critics_loss_is_a_divergence():
    p_r, p_g = (torch.tensor(times) / sum(times) for times in SEEN.values())
    middle = (p_r + p_g) / 2
    divergence = 0.5 * ((p_r * (p_r / middle).log()).sum() + (p_g * (p_g / middle).log()).sum())
    best = judged((p_r / p_g).log())
    assert best.item() == pytest.approx(2 * math.log(2) - 2 * divergence.item(), rel=1e-5)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_the_loss_of_a_blind_critic(scale):
    halves, zeros = torch.full((1, 1, 4, 4), 0.5), torch.zeros(1, 1, 4, 4)
    assert CRITERIA["lsgan"]().critic(halves, halves, scale).value.item() == pytest.approx(scale * 2 * 0.25)
    assert CRITERIA["vanilla"]().critic(zeros, zeros, scale).value.item() == pytest.approx(scale * 2 * math.log(2))
    assert CRITERIA["hinge"]().critic(zeros, zeros, scale).value.item() == pytest.approx(scale * 2)
    assert CRITERIA["wgan"]().critic(halves, halves, scale).value.item() == 0.0


def test_smoothing_by_hand():
    logits = torch.tensor([0.7, -1.2])
    for a in (0.9, 0.75):
        by_hand = [-a * math.log(sigmoid(x)) - (1 - a) * math.log(1 - sigmoid(x)) for x in logits.tolist()]
        assert CRITERIA["vanilla"](1 - a).real(logits).item() == pytest.approx(sum(by_hand) / 2)
        squares = [(x - a) ** 2 for x in logits.tolist()]
        assert CRITERIA["lsgan"](1 - a).real(logits).item() == pytest.approx(sum(squares) / 2)


@EACH
def test_smoothing_has_one_side(name):
    logits = torch.tensor([0.7, -1.2])
    plain, smooth = CRITERIA[name](), CRITERIA[name](0.1)
    assert torch.equal(plain.fake(logits), smooth.fake(logits))
    assert torch.equal(plain.generator(logits), smooth.generator(logits))
    assert torch.equal(plain.real(logits), smooth.real(logits)) is (name not in SMOOTHABLE)


@pytest.mark.parametrize(("name", "boundary"), [("lsgan", 0.5), ("vanilla", 0.0), ("minimax", 0.0), ("hinge", 0.0)])
def test_accuracy_is_the_share_judged_rightly(name, boundary):
    real = boundary + torch.tensor([1.0, 0.1, -0.1, 1.0])  # 3 of 4
    fake = boundary + torch.tensor([-1.0, 0.2, 0.3, 0.4, 0.5])  # 1 of 5: both sides count alike, whatever their size
    assert CRITERIA[name]().critic(real, fake, 0.5).accuracy.item() == pytest.approx((3 / 4 + 1 / 5) / 2)
    assert CRITERIA[name]().critic(real + 9, fake - 9, 0.5).accuracy.item() == 1.0
    undecided = torch.full((4,), boundary)
    assert CRITERIA[name]().critic(undecided, undecided, 0.5).accuracy.item() == 0.0


@pytest.mark.parametrize("name", ["wgan", "began"])
@pytest.mark.parametrize("shift", [-100.0, 0.0, 3.0])
def test_a_critic_without_a_scale_is_judged_by_the_middle_of_its_means(name, shift):
    real, fake = torch.tensor([4.0, 2.0, 6.0]) + shift, torch.tensor([0.0, -1.0, 4.0, 1.0]) + shift
    # The means are 4 and 1, the middle is 2.5: 2 of 3 and 3 of 4 are on their side of it.
    assert CRITERIA[name]().accuracy(real, fake).item() == pytest.approx((2 / 3 + 3 / 4) / 2)
    assert CRITERIA[name]().accuracy(fake - 9, real).item() == 0.0, "the wrong way round"


def test_equilibrium_by_hand():
    real, fake = torch.tensor([-0.2, -0.6]), torch.tensor([-0.5, -0.1])  # minus the errors of an autoencoder
    scored = CRITERIA["began"]().critic(real, fake, scale=1.0)
    assert scored.control is not None
    assert scored.value.item() == pytest.approx(0.4), "L(x)"
    assert scored.control.against.item() == pytest.approx(0.3), "L(G(z)), to be subtracted k times"
    assert scored.control.drift.item() == pytest.approx(K_RATE * (GAMMA * 0.4 - 0.3))
    assert CRITERIA["began"]().generator(fake).item() == pytest.approx(0.3)
    halved = CRITERIA["began"]().critic(real, fake, scale=0.5)
    assert halved.control is not None
    assert (halved.value.item(), halved.control.against.item()) == pytest.approx((0.2, 0.15))
    assert torch.equal(halved.control.drift, scored.control.drift), "k follows the errors, not their weight"


@pytest.mark.parametrize(("fake", "sign"), [(0.05, 1), (0.2, 0), (0.3, -1)])
def test_the_equilibrium_attends_to_fakes_that_are_too_easy(fake, sign):
    # Of real pictures the error is 0.4: at the balance that of generated ones is half of it.
    control = CRITERIA["began"]().critic(torch.full((4,), -0.4), torch.full((4,), -fake), 1.0).control
    assert control is not None
    assert math.copysign(1, control.drift.item()) * (abs(control.drift.item()) > 1e-9) == sign


@pytest.mark.parametrize("name", CRITERIA)
def test_what_a_critic_puts_out_is_told_without_its_graph(name):
    real, fake = torch.randn(2, 1, 4, 4, requires_grad=True), torch.randn(3, 1, 4, 4, requires_grad=True)
    outputs = CRITERIA[name]().critic(real, fake, 0.5).outputs
    assert outputs is not None and not any(output.requires_grad for output in outputs)
    torch.testing.assert_close(torch.stack(outputs), torch.stack([real.mean(), fake.mean()]).detach())


@FIXED
def test_scales_are_summed_and_accuracies_averaged(name):
    criterion = CRITERIA[name]()
    real, fake = [torch.randn(2, 1, 4, 4), torch.randn(2, 1, 2, 2)], [torch.randn(2, 1, 4, 4), torch.randn(2, 1, 2, 2)]
    both = criterion.critic_over(real, fake, 0.5)
    each = [criterion.critic(r, f, 0.5) for r, f in zip(real, fake, strict=True)]
    torch.testing.assert_close(both.value, each[0].value + each[1].value)
    torch.testing.assert_close(both.accuracy, (each[0].accuracy + each[1].accuracy) / 2)
    assert both.outputs is not None and each[0].outputs is not None and each[1].outputs is not None
    for found, one, other in zip(both.outputs, each[0].outputs, each[1].outputs, strict=True):
        torch.testing.assert_close(found, (one + other) / 2)
    torch.testing.assert_close(
        criterion.generator_over(fake), criterion.generator(fake[0]) + criterion.generator(fake[1])
    )
