"""DiscoGAN's networks."""

import pytest
import torch
from torch import nn

from trainers.errors import SettingError
from trainers.networks.blocks import batch_norm, instance_norm
from trainers.networks.disco import DiscoCritic, DiscoGenerator


def size(network):
    return sum(p.numel() for p in network.parameters())


def test_the_published_sizes():
    halvings = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    norms = 2 * (128 + 256 + 512), 2 * (256 + 128 + 64)
    assert size(DiscoGenerator(3, 3, 64, 64, batch_norm)) == 2 * halvings + sum(norms)
    assert size(DiscoCritic(3, 64, 64, batch_norm)) == halvings + 16 * 512 + norms[0]


@pytest.mark.parametrize(("side", "layers"), [(16, 2), (32, 3), (64, 4), (128, 5), (256, 6)])
def test_every_side_is_halved_down_to_4_pixels(side, layers):
    DiscoGenerator.check(side)
    generator, critic = DiscoGenerator(1, 2, side, 1, instance_norm), DiscoCritic(2, side, 1, instance_norm)
    kinds = [sum(isinstance(m, kind) for m in generator.modules()) for kind in (nn.Conv2d, nn.ConvTranspose2d)]
    assert kinds == [layers, layers]
    with torch.no_grad():
        image = generator(torch.randn(1, 1, side, side))
        logits, features = critic.features(image)
    assert image.shape == (1, 2, side, side)
    assert logits.shape == (1, 1, 1, 1)
    assert [f.shape[-1] for f in features] == [side // 2**i for i in range(2, layers + 1)]


def test_the_features_are_the_maps_behind_the_second_to_fourth_activation():
    critic = DiscoCritic(3, 64, 4, batch_norm)
    behind = []
    for module in critic.modules():
        if isinstance(module, nn.LeakyReLU):
            module.register_forward_hook(lambda _module, _given, made: behind.append(made))
    image = torch.randn(2, 3, 64, 64)
    logits, features = critic.features(image)
    assert [tuple(f.shape) for f in features] == [(2, 8, 16, 16), (2, 16, 8, 8), (2, 32, 4, 4)]
    assert len(behind) == 4
    assert all(f is made for f, made in zip(features, behind[1:], strict=True))
    assert torch.equal(logits, critic(image))


def test_the_generator_ends_in_tanh():
    generator = DiscoGenerator(1, 1, 16, 2, batch_norm)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(50)
        shown = generator(torch.randn(3, 1, 16, 16))
    assert 0.9 < shown.abs().max() <= 1
    assert shown.min() < 0, "[-1, 1], not the published [0, 1]"


@pytest.mark.parametrize("kind", [DiscoGenerator, DiscoCritic])
@pytest.mark.parametrize(("side", "nearest"), [(8, "16"), (48, "32 or 64"), (512, "256")])
def test_sides_that_do_not_fit_are_refused(kind, side, nearest):
    with pytest.raises(SettingError) as caught:
        kind.check(side)
    assert str(caught.value) == f"data.image: DiscoGAN needs a power of two from 16 to 256; nearest: {nearest}"
