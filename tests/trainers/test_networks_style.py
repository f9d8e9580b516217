"""MUNIT's networks: AdaIN, the style encoder, the decoder that is told a style."""

import pytest
import torch
from torch import nn

from trainers.errors import SettingError
from trainers.networks.style import StyledDecoder, StyleEncoder, restyled


def test_statistics_become_the_given_ones():
    torch.manual_seed(0)
    x, mean, deviation = 5 + 3 * torch.randn(2, 4, 8, 8), torch.randn(2, 4), torch.randn(2, 4)
    out = restyled(x, mean, deviation)
    assert out.shape == x.shape
    torch.testing.assert_close(out.mean((2, 3)), mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(out.std((2, 3), correction=0), deviation.abs(), rtol=1e-4, atol=1e-4)
    moved = restyled(7 * x - 2, mean, deviation)
    torch.testing.assert_close(moved, out, rtol=1e-3, atol=1e-3)


def test_each_sample_has_its_own():
    torch.manual_seed(0)
    x, mean, deviation = torch.randn(3, 2, 4, 4), torch.randn(3, 2), torch.randn(3, 2)
    one = [restyled(x[i : i + 1], mean[i : i + 1], deviation[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(restyled(x, mean, deviation), torch.cat(one))


def test_gradients_are_those_of_the_formula():
    torch.manual_seed(0)
    given = [torch.randn(size, requires_grad=True) for size in ((2, 2, 3, 3), (2, 2), (2, 2))]
    x, mean, deviation = given
    centred = x - x.mean((2, 3), keepdim=True)
    standard = centred / (centred.square().mean((2, 3), keepdim=True) + 1e-5).sqrt()
    written = deviation[:, :, None, None] * standard + mean[:, :, None, None]
    along = torch.randn_like(written)
    wanted = torch.autograd.grad((along * written).sum(), given)
    found = torch.autograd.grad((along * restyled(x, mean, deviation)).sum(), given)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_half_precision_has_whole_statistics():
    network, content, style = decoder(), torch.randn(2, 16, 6, 6), torch.randn(2, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = network(content, style)
    rough.float().sum().backward()
    torch.testing.assert_close(rough.float(), network(content, style), rtol=0.1, atol=0.1)


def decoder():
    torch.manual_seed(0)
    return StyledDecoder(channels=3, width=4, blocks=2, style=5, mlp=8)


def test_a_decoder_hears_the_style():
    network, content = decoder(), torch.randn(1, 16, 6, 6).expand(2, -1, -1, -1)
    style = torch.randn(2, 5)
    pictures = network(content, style)
    assert pictures.shape == (2, 3, 24, 24) and pictures.abs().max() <= 1
    assert not torch.allclose(*pictures)
    torch.testing.assert_close(*network(content, style[:1].expand(2, -1)))


@pytest.mark.parametrize("block", range(2))
@pytest.mark.parametrize("statistic", range(4))
def test_every_statistic_of_every_block_is_used(block, statistic):
    network = decoder()
    content, style = torch.randn(2, 16, 6, 6), torch.randn(2, 5)
    before = network(content, style)
    with torch.no_grad():
        network.tell[-1].bias.view(2, 4, 16)[block, statistic] += 1.0
    assert not torch.allclose(network(content, style), before)


def test_a_style_encoder_knows_means_and_has_no_norm():
    torch.manual_seed(0)
    network = StyleEncoder(3, 4, 5)
    assert not any(isinstance(m, nn.InstanceNorm2d | nn.GroupNorm | nn.BatchNorm2d) for m in network.modules())
    picture = torch.rand(2, 3, 32, 32)
    assert network(picture).shape == (2, 5)
    assert not torch.allclose(network(picture), network(0.5 * picture))
    widths = [m.weight.shape[0] for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [4, 8, 16, 16, 16]


def test_the_smallest_image():
    StyleEncoder.check(16)
    assert StyleEncoder(1, 2, 3)(torch.rand(1, 1, 16, 16)).shape == (1, 3)
    with pytest.raises(SettingError):
        StyleEncoder.check(15)
