"""DCGAN's networks, plain and labelled."""

import pytest
import torch
from torch import nn

from trainers.errors import SettingError
from trainers.networks.blocks import batch_norm, instance_norm, no_norm
from trainers.networks.dcgan import (
    DOWNSAMPLES,
    UPSAMPLES,
    DCGANCritic,
    DCGANGenerator,
    LabelledCritic,
    LabelledGenerator,
)


def weights(network):
    """Parameters without the convolutions' shifts, which the published networks lack."""
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    return sum(p.numel() for p in network.parameters()) - sum(m.out_channels for m in convolutions)


def test_the_published_sizes():
    assert weights(DCGANGenerator(100, 3, 64, 64, "deconv", batch_norm)) == 3_576_704
    assert weights(DCGANCritic(3, 64, 64, "strided", batch_norm)) == 2_765_568


def test_channels_shrink_as_the_maps_grow():
    generator = DCGANGenerator(10, 3, 128, 2, "deconv", no_norm)
    seen = [tuple(m.weight.shape[:2]) for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert seen == [(10, 16), (16, 16), (16, 8), (8, 4), (4, 2), (2, 3)]
    critic = DCGANCritic(3, 128, 2, "strided", no_norm)
    seen = [tuple(m.weight.shape[:2]) for m in critic.modules() if isinstance(m, nn.Conv2d)]
    assert seen == [(2, 3), (4, 2), (8, 4), (16, 8), (16, 16), (1, 16)]


def test_the_critics_first_and_last_layers_have_no_norm():
    kinds = [type(m) for m in DCGANCritic(3, 32, 2, "strided", batch_norm).modules() if not [*m.children()]]
    behind_first = [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU] * 2
    assert kinds == [nn.Conv2d, nn.LeakyReLU, *behind_first, nn.Conv2d]


@pytest.mark.parametrize("name", UPSAMPLES)
def test_upsampling_doubles(name):
    double = UPSAMPLES[name](3, 2)
    assert double(torch.randn(1, 3, 5, 6)).shape == (1, 2, 10, 12)


@pytest.mark.parametrize("name", DOWNSAMPLES)
def test_downsampling_halves(name):
    halve = DOWNSAMPLES[name](3, 2)
    assert halve(torch.randn(1, 3, 10, 12)).shape == (1, 2, 5, 6)


def test_nearest_starts_from_repeated_pixels_and_average_ends_in_means():
    image = torch.randn(1, 1, 6, 6)
    with torch.no_grad():
        shown = []
        for resample in (UPSAMPLES["nearest"](1, 1), DOWNSAMPLES["average"](1, 1)):
            (convolution,) = [m for m in resample.modules() if isinstance(m, nn.Conv2d)]
            convolution.load_state_dict({"weight": nn.init.dirac_(convolution.weight), "bias": torch.zeros(1)})
            shown.append(resample(image))
    assert torch.equal(shown[0][:, :, 1::2, ::2], image)
    torch.testing.assert_close(shown[1][0, 0, 1, 2], image[0, 0, 2:4, 4:6].mean())


@pytest.mark.parametrize("side", [8, 16, 256])
def test_sides_that_fit(side):
    DCGANGenerator.check(side)
    with torch.no_grad():
        image = DCGANGenerator(2, 1, side, 1, "nearest", instance_norm)(torch.randn(1, 2))
        assert image.shape == (1, 1, side, side)
        assert DCGANCritic(1, side, 1, "average", instance_norm)(image).shape == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("side", "nearest"), [(4, "8"), (12, "8 or 16"), (48, "32 or 64"), (255, "128 or 256"), (512, "256")]
)
def test_sides_that_do_not_fit_are_refused(side, nearest):
    for kind in (DCGANGenerator, LabelledGenerator):
        with pytest.raises(SettingError) as caught:
            kind.check(side)
        assert str(caught.value) == f"data.image: DCGAN needs a power of two from 8 to 256; nearest: {nearest}"


def test_the_generator_ends_in_tanh():
    generator = DCGANGenerator(4, 1, 16, 2, "deconv", instance_norm)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(50)
        shown = generator(torch.randn(3, 4))
    assert 0.9 < shown.abs().max() <= 1


def test_a_critic_without_norms_has_a_second_derivative():
    critic = DCGANCritic(1, 16, 2, "strided", no_norm)
    image = torch.randn(2, 1, 16, 16, requires_grad=True)
    (slope,) = torch.autograd.grad(critic(image).sum(), image, create_graph=True)
    slope.square().sum().backward()
    gradient = next(critic.parameters()).grad
    assert gradient is not None
    assert gradient.any()


# An instance norm takes constant maps away: a label that passed one would be lost.
@pytest.mark.parametrize("norm", [instance_norm, batch_norm, no_norm])
def test_labels_change_what_is_made_and_judged(norm):
    one, two, both = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.ones(1, 2)
    generator = LabelledGenerator(2, 4, 5, 1, 16, 4, "deconv", norm)
    critic = LabelledCritic(2, 4, 1, 16, 4, "strided", norm)
    z, image = torch.randn(1, 5), torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        for network, given in ((generator, z), (critic, image)):
            made = [network(given, labels) for labels in (one, two, both, one)]
            assert all((made[i] - made[j]).abs().max() > 1e-6 for i, j in ((0, 1), (0, 2), (1, 2)))
            assert torch.equal(made[0], made[3])


def test_an_embedding_is_as_loud_as_z():
    for network in (
        LabelledGenerator(40, 100, 5, 1, 8, 4, "deconv", no_norm),
        LabelledCritic(40, 100, 1, 8, 4, "strided", no_norm),
    ):
        embed: nn.Linear = network.embed
        assert embed(torch.eye(40)).std().item() == pytest.approx(1.0, abs=0.05)
