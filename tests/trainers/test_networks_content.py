"""UNIT's networks: encoders and decoders of content, the critic of several sizes."""

import itertools

import pytest
import torch
from torch import nn

from trainers.errors import SettingError
from trainers.networks.content import ContentDecoder, ContentEncoder, Residuals, layer_norm
from trainers.networks.pyramid import PyramidCritic


def convolutions(network):
    return [m for m in network.modules() if isinstance(m, nn.Conv2d)]


def test_there_and_back_at_a_quarter_of_the_side():
    encoder, decoder = ContentEncoder(1, 4, 2), ContentDecoder(3, 4, 2)
    content = encoder(torch.rand(2, 1, 24, 24))
    assert content.shape == (2, 16, 6, 6)
    picture = decoder(content)
    assert picture.shape == (2, 3, 24, 24) and picture.abs().max() <= 1
    assert [c.weight.shape[2] for c in convolutions(encoder)] == [7, 4, 4, 3, 3, 3, 3]
    assert [c.weight.shape[2] for c in convolutions(decoder)] == [3, 3, 3, 3, 5, 5, 7]


def test_no_residual_block_is_nothing():
    code = torch.rand(1, 16, 4, 4)
    assert torch.equal(Residuals(4, 0)(code), code)


def test_weights_begin_as_for_rectifiers():
    torch.manual_seed(0)
    for convolution in convolutions(ContentEncoder(3, 32, 1)):
        fan_in = convolution.weight[0].numel()
        assert convolution.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)


def test_a_layer_norm_is_over_a_sample():
    torch.manual_seed(0)
    norm, x = nn.Sequential(layer_norm(8)), 3 + 2 * torch.randn(2, 8, 5, 5)
    weight, bias = norm.parameters()
    flat = x.flatten(1)
    mean, std = flat.mean(1).reshape(2, 1, 1, 1), flat.var(1, correction=0).add(1e-5).sqrt().reshape(2, 1, 1, 1)
    torch.testing.assert_close(norm(x), weight.reshape(1, 8, 1, 1) * (x - mean) / std)
    assert 0 <= weight.min() < weight.max() <= 1 and not bias.any()


@pytest.mark.parametrize(("scales", "layers"), [*itertools.product((1, 2, 3), (1, 2, 3))])
def test_the_smallest_image_leaves_something_at_every_size(scales, layers):
    least = (2**layers - 1) * 2 ** (scales - 1) + 1
    PyramidCritic.check(least, scales, layers)
    maps = PyramidCritic(1, 2, scales, layers)(torch.zeros(1, 1, least, least))
    assert len(maps) == scales and all(logits.numel() > 0 for logits in maps)
    with pytest.raises(SettingError):
        PyramidCritic.check(least - 1, scales, layers)
    with pytest.raises((RuntimeError, ValueError)):
        PyramidCritic(1, 2, scales, layers)(torch.zeros(1, 1, least - 1, least - 1))


def test_what_would_fit_instead():
    for scales, layers, image in itertools.product(range(1, 5), range(1, 6), range(4, 70)):
        try:
            PyramidCritic.check(image, scales, layers)
        except SettingError as error:
            path, nearest = error.path, int(str(error).rpartition(" ")[2])
            PyramidCritic.check(image, *((nearest, layers) if path == "hyper.scales" else (1, nearest)))


def test_every_size_has_a_critic_of_the_same_width():
    critic = PyramidCritic(3, 8, 3, 2)
    shapes = [[p.shape for p in each.parameters()] for each in critic.critics]
    assert shapes[0] == shapes[1] == shapes[2]
    assert [c.weight.shape[:2] for c in convolutions(critic.critics[0])] == [(8, 3), (16, 8), (1, 16)]
    image = torch.rand(1, 3, 32, 32)
    half = torch.nn.functional.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
    assert torch.equal(critic(image)[1], critic.critics[1](half))
