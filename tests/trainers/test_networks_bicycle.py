"""BicycleGAN's networks: the U-Net that is told a vector, the encoders, the critic of several sizes."""

import itertools

import pytest
import torch
from torch import nn

from trainers.errors import SettingError
from trainers.networks.blocks import affine_instance_norm, batch_norm, instance_norm, no_norm
from trainers.networks.encoder import ENCODERS, ConvEncoder, ResnetEncoder, halvings_for
from trainers.networks.latent_unet import LatentUNet
from trainers.networks.multiscale import MultiScaleCritic
from trainers.networks.patch import PatchCritic
from trainers.networks.unet import UNet

LATENT, LEVELS = 3, 4


def told(where, norm=instance_norm, dropout=0.0):
    return LatentUNet(1, 1, LATENT, 4, LEVELS, norm, dropout, where)


def convolution(block):
    (found,) = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    return found


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_a_vector_at_the_input_is_more_channels_of_the_input():
    ours, plain = told("input"), UNet(1 + LATENT, 1, 4, LEVELS, instance_norm, 0.0)
    plain.load_state_dict(ours.state_dict())
    image, z = torch.randn(2, 1, 16, 16), torch.randn(2, LATENT)
    maps = z.reshape(2, LATENT, 1, 1) * torch.ones(1, 1, 16, 16)
    assert torch.equal(ours(image, z), plain(torch.cat([image, maps], 1)))


def test_a_vector_everywhere_costs_weights_in_every_encoder_block():
    widths = [4, 8, 16, 32]
    assert count(told("all")) - count(told("input")) == 16 * LATENT * sum(widths[1:])


@pytest.mark.parametrize("norm", [instance_norm, no_norm])
@pytest.mark.parametrize("level", range(LEVELS))
def test_the_vector_is_heard_at_every_level(norm, level):
    network = told("all", norm).double()
    with torch.no_grad():
        for i, block in enumerate(network.encoder):
            weight = convolution(block).weight
            if i != level:
                weight[:, -LATENT:] = 0.0
        weight = convolution(network.encoder[level]).weight
        image, z = torch.randn(1, 1, 16, 16).double(), torch.randn(2, LATENT).double()
        assert not torch.equal(network(image, z[:1]), network(image, z[1:]))
        weight[:, -LATENT:] = 0.0
        assert torch.equal(network(image, z[:1]), network(image, z[1:])), "nowhere else"


# The surprise of the module's docstring: inside, all windows of a constant map are alike.
def test_behind_an_instance_norm_the_vector_speaks_at_the_borders_alone():
    block = told("all").encoder[1]
    convolved, norm = convolution(block), instance_norm(8)
    maps = torch.zeros(1, 4 + LATENT, 16, 16)
    maps[:, -LATENT:] = torch.randn(1, LATENT, 1, 1)
    with torch.no_grad():
        inside = convolved(maps)[:, :, 1:-1, 1:-1]
        assert inside.abs().max() > 1e-4
        torch.testing.assert_close(norm(inside), torch.zeros_like(inside), rtol=0.0, atol=1e-3)
        assert norm(convolved(maps)).abs().max() > 0.05


def test_the_generator_has_dropout_only_where_asked():
    image, z = torch.randn(1, 1, 16, 16), torch.randn(1, LATENT)
    assert sum(isinstance(m, nn.Dropout) for m in told("all", dropout=0.5).modules()) == 3
    assert not any(isinstance(m, nn.Dropout) for m in told("all").modules())
    network = told("all")
    assert torch.equal(network(image, z), network(image, z))


@pytest.mark.parametrize(
    "build",
    [
        lambda: LatentUNet(3, 3, 8, 32, 4, affine_instance_norm, 0.0, "all"),
        lambda: ResnetEncoder(3, 8, 32, 3, affine_instance_norm),
        lambda: ConvEncoder(3, 8, 32, 64, affine_instance_norm),
        lambda: MultiScaleCritic(3, 32, 2, 3, affine_instance_norm),
    ],
    ids=["unet", "resnet", "conv", "multiscale"],
)
def test_weights_are_xaviers_with_gain_0_02(build):
    for module in build().modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            weight = module.weight.detach()
            fans = (weight.shape[0] + weight.shape[1]) * weight[0, 0].numel()
            rel = 5 / weight.numel() ** 0.5  # seven standard errors
            assert weight.square().mean().sqrt().item() == pytest.approx(0.02 * (2 / fans) ** 0.5, rel=rel)
            assert module.bias is not None
            assert not module.bias.any()
        elif isinstance(module, nn.InstanceNorm2d):
            assert module.weight.mean().item() == pytest.approx(1.0, abs=0.02)
            assert 0.005 < module.weight.std().item() < 0.035


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("side", [8, 16, 32, 64, 128, 256])
def test_encoders_halve_down_to_8_pixels(name, side):
    pooled = []
    encoder = ENCODERS[name](3, 4, 2, side, instance_norm)
    body = encoder.get_submodule("body")
    body.register_forward_hook(lambda _module, _given, made: pooled.append(made.shape[-1]))
    with torch.no_grad():
        mu, log_variance = encoder(torch.randn(2, 3, side, side))
    assert mu.shape == log_variance.shape == (2, 4)
    assert pooled == [min(8, side // 4)]


def test_the_published_encoders():
    assert [halvings_for(side) for side in (256, 128)] == [5, 4]
    resnet = ENCODERS["resnet"](3, 8, 64, 256, batch_norm)
    mixing = [m.out_channels for m in resnet.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1)]
    assert mixing == [128, 192, 256, 256]
    conv = ENCODERS["conv"](3, 8, 64, 256, batch_norm)
    assert [m.out_channels for m in conv.modules() if isinstance(m, nn.Conv2d)] == [64, 128, 256, 256, 256]
    for encoder in (resnet, conv):
        heads = [(m.in_features, m.out_features) for m in encoder.modules() if isinstance(m, nn.Linear)]
        assert heads == [(256, 8)] * 2


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_start_near_the_standard_normal_and_tell_images_apart(name):
    encoder = ENCODERS[name](3, 8, 8, 32, instance_norm)
    with torch.no_grad():
        mu, log_variance = encoder(torch.rand(2, 3, 32, 32) * torch.tensor([0.2, 1.0]).reshape(2, 1, 1, 1))
    assert max(mu.abs().max(), log_variance.abs().max()) < 0.5
    assert not torch.equal(mu[0], mu[1])
    assert not torch.equal(mu, log_variance), "two heads"


def test_each_scale_has_half_the_channels_and_half_the_image():
    critic = MultiScaleCritic(3, 8, 3, 1, instance_norm)
    firsts = [next(m for m in c.modules() if isinstance(m, nn.Conv2d)).out_channels for c in critic.critics]
    assert firsts == [8, 4, 2]
    seen = []
    for each in critic.critics:
        each.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    image = torch.randn(2, 3, 33, 33)
    logits = critic(image)
    assert len(logits) == 3
    assert [tuple(s.shape[2:]) for s in seen] == [(33, 33), (17, 17), (9, 9)]
    assert seen[0] is image
    torch.testing.assert_close(seen[1][:, :, 2, 3], image[:, :, 3:6, 5:8].mean((2, 3)))
    torch.testing.assert_close(seen[1][:, :, 0, 0], image[:, :, :2, :2].mean((2, 3)), msg="padding is not counted")
    for i, each in enumerate(critic.critics):
        assert torch.equal(logits[i], each(seen[i]))


def test_the_first_scale_is_a_patch_critic():
    plain = PatchCritic(3, 8, 3, instance_norm)
    critic = MultiScaleCritic(3, 8, 2, 3, instance_norm)
    plain.load_state_dict(critic.critics[0].state_dict())
    image = torch.randn(1, 3, 64, 64)
    assert torch.equal(plain(image), critic(image)[0])


def judges(image, scales, strided):
    """Whether a normalised critic can judge an image of this side."""
    try:
        MultiScaleCritic(1, 2, scales, strided, instance_norm)(torch.randn(1, 1, image, image))
    except (RuntimeError, ValueError):
        return False
    return True


@pytest.mark.parametrize(("scales", "strided"), [*itertools.product([1, 2, 3], [1, 2])])
def test_the_smallest_image_a_critic_of_several_scales_takes(scales, strided):
    least = next(n for n in range(1, 100) if judges(n, scales, strided))
    MultiScaleCritic.check(least, scales, strided)
    with pytest.raises(SettingError):
        MultiScaleCritic.check(least - 1, scales, strided)


@pytest.mark.parametrize(
    ("image", "scales", "strided", "text"),
    [
        (32, 2, 3, "hyper.scales: 2 scales need an image of at least 47 pixels, not 32; nearest: 1"),
        (64, 4, 2, "hyper.scales: 4 scales need an image of at least 89 pixels, not 64; nearest: 3"),
        (16, 2, 3, "data.image: 3 strided layers need an image of at least 24 pixels; nearest: 24"),
    ],
)
def test_images_too_small_for_the_scales_are_refused(image, scales, strided, text):
    with pytest.raises(SettingError) as caught:
        MultiScaleCritic.check(image, scales, strided)
    assert str(caught.value) == text
