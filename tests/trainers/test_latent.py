"""Latent vectors: the divergence and the sampling by hand, what is shown of them, and a penalty over several scales."""

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from tests.trainers import worlds
from tests.trainers.worlds import build
from trainers.adversarial import CRITERIA
from trainers.errors import SettingError
from trainers.hyper import NO_PENALTY
from trainers.latent import LatentHyper, divergence, sample, show_random

SHAPES = {"a": (1, 64, 64), "b": (3, 64, 64)}


def test_the_divergence_is_summed_over_a_vector_and_averaged_over_the_batch():
    mu, log_variance = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    q, p = Normal(mu, (0.5 * log_variance).exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
    by_hand = kl_divergence(q, p).sum(1).mean().item()
    assert divergence(mu, log_variance).item() == pytest.approx(by_hand, rel=1e-5)
    for copies in (1, 2, 7):
        again = divergence(mu.repeat(copies, 1), log_variance.repeat(copies, 1))
        assert again.item() == pytest.approx(by_hand, rel=1e-5), "whatever the size of the batch"
    assert divergence(mu.repeat(1, 2), log_variance.repeat(1, 2)).item() == pytest.approx(2 * by_hand, rel=1e-5)


@pytest.mark.parametrize(
    ("mu", "log_variance", "nats"),
    [
        ([[0.0, 0.0]], [[0.0, 0.0]], 0.0),
        ([[1.0, 2.0]], [[0.0, 0.0]], 2.5),
        ([[0.0, 0.0]], [[1.0, 0.0]], 0.5 * (2.718281828 - 2)),
        ([[3.0], [0.0]], [[0.0], [0.0]], 2.25),
        ([[1e-3] * 8], [[-1e-3] * 8], 8 * 0.5 * (1e-6 + 0.5e-6 - 1e-9 / 6)),  # where an encoder begins
    ],
)
def test_the_divergence_by_hand(mu, log_variance, nats):
    assert divergence(torch.tensor(mu), torch.tensor(log_variance)).item() == pytest.approx(nats, rel=1e-3, abs=0)


def test_a_sample_is_the_mean_plus_sigma_times_noise():
    mu = torch.tensor([[1.0, -2.0], [0.5, 0.0]], requires_grad=True)
    log_variance = torch.tensor([[0.0, 2.0], [-4.0, 1.0]], requires_grad=True)
    torch.manual_seed(3)
    z = sample(mu, log_variance)
    torch.manual_seed(3)
    eps = torch.randn(2, 2)
    sigma = (log_variance / 2).exp()
    torch.testing.assert_close(z, mu + sigma * eps)
    assert not torch.equal(eps[0], eps[1]), "a noise of its own for each sample"
    on_mu, on_log_variance = torch.autograd.grad(z.sum(), (mu, log_variance))
    assert torch.equal(on_mu, torch.ones(2, 2))
    torch.testing.assert_close(on_log_variance, 0.5 * sigma * eps)


def test_latent_losses_are_single_precision():
    mu, log_variance = torch.randn(2, 4).bfloat16(), torch.randn(2, 4).bfloat16()
    assert divergence(mu, log_variance).dtype == sample(mu, log_variance).dtype == torch.float32
    assert divergence(mu, log_variance) == divergence(mu.float(), log_variance.float())


def test_each_image_is_shown_alone_with_a_vector_of_its_own():
    seen = []

    class Generator(nn.Module):
        def forward(self, image, z):
            seen.append((image, z))
            return image + z.sum()

    images = torch.zeros(3, 1, 2, 2)
    torch.manual_seed(5)
    shown = show_random(Generator(), {"a": images, "b": images}, latent=4)["fake_b"]
    assert [(image.shape, z.shape) for image, z in seen] == [((1, 1, 2, 2), (1, 4))] * 3
    torch.manual_seed(5)
    z = torch.randn(3, 4)
    assert torch.equal(torch.cat([each for _, each in seen]), z)
    torch.testing.assert_close(shown[:, 0, 0, 0], z.sum(1))


@pytest.mark.parametrize("name", ["bicyclegan", "cvae-gan", "clr-gan", "pix2pix"])
def test_without_a_picture_to_translate_nothing_is_shown(name):
    assert build(name).show({"b": torch.zeros(2, *worlds.SHAPES["b"])}) == {}


@pytest.mark.parametrize("patches", ["mean", "sum"])
def test_a_penalty_is_on_the_slope_of_the_sum_over_the_scales(patches):
    # Linear maps of n patches each: their slopes add up before the norm is taken.
    slopes = [(torch.tensor([3.0, 1.0]), 4), (torch.tensor([-1.0, 1.0]), 1)]

    class Critic(nn.Module):
        def forward(self, seen):
            scores = [(seen.flatten(1) * slope).sum(1) for slope, _ in slopes]
            return [
                score[:, None, None, None].expand(-1, 1, n, 1) for score, (_, n) in zip(scores, slopes, strict=True)
            ]

    hyper = LatentHyper(penalty="gp", penalty_patches=patches)
    real, fake = torch.randn(3, 2, 1, 1), torch.randn(3, 2, 1, 1)
    slope = sum(slope * (n if patches == "sum" else 1) for slope, n in slopes)
    assert isinstance(slope, torch.Tensor)
    by_hand = (slope.norm().item() - 1) ** 2
    assert hyper.penalise_scales(Critic(), real, fake).item() == pytest.approx(by_hand, rel=1e-4)


def test_the_networks_fit_their_images():
    plain, conditional = LatentHyper(latent=5, width=4, encoder_width=4), LatentHyper(conditional=True, critic_width=4)
    generator, encoder = plain.build_generator(SHAPES), plain.build_encoder(SHAPES)
    a, b = torch.randn(2, 1, 64, 64), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        mu, log_variance = encoder(b)
        assert mu.shape == log_variance.shape == (2, 5)
        assert generator(a, mu).shape == b.shape
        for hyper, channels in ((LatentHyper(critic_width=4), 3), (conditional, 4)):
            critic, seen = hyper.build_critic(SHAPES), hyper.seen(a, b)
            assert next(critic.parameters()).shape[1] == seen.shape[1] == channels
            assert [logits.shape[2:] for logits in critic(seen)] == [(6, 6), (2, 2)]
    assert torch.equal(conditional.seen(a, b)[:, :1], a)


def refused(image=64, **hyper):
    shapes = {"a": (3, image, image), "b": (3, image, image)}
    with pytest.raises(SettingError) as caught:
        LatentHyper(**hyper).check(shapes)
    return str(caught.value)


def test_what_does_not_fit_is_refused_with_what_would():
    assert refused(32) == "hyper.scales: 2 scales need an image of at least 47 pixels, not 32; nearest: 1"
    assert refused(20) == "data.image: the U-Net needs a multiple of 8; nearest: 16 or 24"
    levels = "hyper.levels: 7 halvings need an image of at least 128 pixels, not 64; nearest: 6"
    assert refused(64, levels=7) == levels
    penalty = "a critic with batch norm has no gradient of one sample to penalise; nearest: hyper.norm instance"
    assert refused(64, norm="batch", penalty="gp") == f"hyper.penalty: {penalty}"
    assert refused(64, gan="wgan", smoothing=0.1).startswith("hyper.smoothing: wgan has no target to smooth")


@pytest.mark.parametrize("image", [64, 128, 256])
@pytest.mark.parametrize("penalty", [NO_PENALTY, "lp"])
def test_the_defaults_fit_the_usual_images(image, penalty):
    LatentHyper(penalty=penalty).check({"a": (1, image, image), "b": (3, image, image)})


def test_an_autoencoder_s_criterion_is_not_offered():
    (field,) = [field for field in LatentHyper.__dataclass_fields__.values() if field.name == "gan"]
    assert {*CRITERIA} - {*field.metadata["choices"]} == {"began"}
    assert field.default == "lsgan"
