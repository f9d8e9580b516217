"""The published shapes of the networks, measured from outside."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainers.worlds import engine
from trainers.errors import SettingError
from trainers.networks import patch, unet
from trainers.networks.blocks import Reflect, affine_instance_norm, instance_norm, mirrored
from trainers.networks.resnet import ResnetGenerator


def no_norm(channels):
    """A norm mixes the whole picture: without it the reach of the convolutions shows."""
    return nn.Identity()


def critic(name, width=2, norm=no_norm, channels=1):
    return patch.build_critic(name, channels, width, norm)


@pytest.mark.parametrize(("name", "side"), [("pixel", 256), ("patch16", 126), ("patch70", 30), ("patch286", 6)])
def test_patch_maps_at_256_pixels(name, side):
    with torch.no_grad():
        assert critic(name, norm=instance_norm)(torch.randn(1, 1, 256, 256)).shape == (1, 1, side, side)


def test_patch_maps_between_the_named_ones():
    with torch.no_grad():
        sides = [patch.PatchCritic(1, 1, n, no_norm)(torch.zeros(1, 1, 256, 256)).shape[-1] for n in (2, 4)]
    assert sides == [62, 14]


@pytest.mark.parametrize(("name", "reach"), [("pixel", 1), ("patch16", 16), ("patch70", 70), ("patch286", 286)])
def test_receptive_fields_are_what_the_names_say(name, reach):
    torch.manual_seed(0)
    image = torch.randn(1, 1, 384, 384, requires_grad=True)
    logits = critic(name)(image)
    middle = logits.shape[-1] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], image)
    rows, columns = gradient[0, 0].nonzero().unbind(1)
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == reach


@pytest.mark.parametrize("name", ["patch16", "patch70", "patch286"])
def test_the_smallest_image_a_critic_takes(name):
    least = next(n for n in range(1, 400) if fits(name, n))
    patch.check(name, least)
    with pytest.raises(SettingError, match=f"{name} needs an image of at least {least} pixels, not {least - 1}"):
        patch.check(name, least - 1)


def fits(name, image):
    """Whether a normalised critic can judge an image of this side."""
    try:
        critic(name, norm=instance_norm)(torch.randn(2, 1, image, image))
    except (RuntimeError, ValueError):
        return False
    return True


@pytest.mark.parametrize("pad", [1, 3])
def test_mirrored_slices_are_reflection_padding(pad):
    torch.manual_seed(0)
    image = torch.randn(2, 3, 7, 5, requires_grad=True)
    ours, reference = mirrored(image, pad), F.pad(image, (pad,) * 4, mode="reflect")
    assert torch.equal(ours, reference)
    weights = torch.randn_like(reference)
    gradients = [torch.autograd.grad((padded * weights).sum(), image)[0] for padded in (ours, reference)]
    torch.testing.assert_close(*gradients)


def test_initial_weights():
    torch.manual_seed(0)
    made = unet.UNet(3, 3, 32, 5, affine_instance_norm, 0.5)
    for module in made.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert module.bias is not None
            assert not module.bias.any()
        elif isinstance(module, nn.InstanceNorm2d):
            assert module.weight.mean().item() == pytest.approx(1.0, abs=0.02)
            assert 0.005 < module.weight.std().item() < 0.035
            assert not module.bias.any()


def test_the_resnet_generator_pads_by_reflection():
    layers = [*ResnetGenerator(3, 1, 4, 2).modules()]
    assert sum(isinstance(module, Reflect) for module in layers) == 2 + 2 * 2
    flat = [module for module in layers if isinstance(module, nn.Conv2d) and module.stride == (1, 1)]
    assert {module.padding for module in flat} == {(0, 0)}
    with pytest.raises(SettingError, match="multiple of 4; nearest: 36 or 40"):
        ResnetGenerator.check(38)


@pytest.mark.parametrize("kind", [unet.UNet, unet.EncoderDecoder, ResnetGenerator])
def test_generators_keep_the_size_and_end_in_tanh(kind):
    generator = kind(3, 1, 4, 2) if kind is ResnetGenerator else kind(3, 1, 4, 3, affine_instance_norm, 0.5)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(50)
        shown = generator(torch.randn(2, 3, 40, 40))
    assert shown.shape == (2, 1, 40, 40)
    assert 0.9 < shown.abs().max() <= 1


@pytest.mark.parametrize("name", ["cyclegan", "pix2pix"])
def test_layouts_compute_the_same(name):
    plain, last = engine(name), engine(name, layout="channels_last")
    weight = next(p for p in last.system.parameters() if p.ndim == 4 and min(p.shape[1:]) > 1)
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()
    gradients = []
    for of in (plain, last):
        of.step()
        moved = [p for p in of.system.parameters() if p.grad is not None]
        assert all(p.grad.stride() == p.stride() for p in moved), "fused optimizers ask for equal strides"
        gradients.append({n: p.grad.clone() for n, p in of.system.named_parameters() if p.grad is not None})
    for parameter, gradient in gradients[0].items():
        other = gradients[1][parameter]
        assert (other - gradient).norm() <= 1e-3 * gradient.norm() + 1e-5, parameter
