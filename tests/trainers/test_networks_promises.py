"""What every network keeps to, whatever it is for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from trainers.networks.autoencoder import AutoencoderCritic
from trainers.networks.blocks import Norm, batch_norm, instance_norm, no_norm
from trainers.networks.classifier import Classifier, Regressor, Segmenter
from trainers.networks.dcgan import (
    DOWNSAMPLES,
    UPSAMPLES,
    DCGANCritic,
    DCGANGenerator,
    LabelledCritic,
    LabelledGenerator,
)
from trainers.networks.disco import DiscoCritic, DiscoGenerator
from trainers.networks.encoder import ENCODERS
from trainers.networks.latent_unet import TOLD, LatentUNet
from trainers.networks.multiscale import MultiScaleCritic
from trainers.networks.unet import levels_for

N, LATENT, CLASSES = 2, 5, 3

Build = Callable[[int, int, Norm], nn.Module]  # (channels, image, norm)


def generator(upsample: str) -> Build:
    return lambda c, side, norm: DCGANGenerator(LATENT, c, side, 4, upsample, norm)


def critic(downsample: str) -> Build:
    return lambda c, side, norm: DCGANCritic(c, side, 4, downsample, norm)


def encoder(kind: str) -> Build:
    return lambda c, side, norm: ENCODERS[kind](c, LATENT, 4, side, norm)


def latent_unet(where: str) -> Build:
    return lambda c, side, norm: LatentUNet(c, c, LATENT, 4, levels_for(side, None), norm, 0.0, where)


NETWORKS: dict[str, Build] = {
    "autoencoder": lambda c, side, norm: AutoencoderCritic(c, side, 4, 6),
    "classifier": lambda c, side, norm: Classifier(c, CLASSES, 4),
    "segmenter": lambda c, side, norm: Segmenter(c, CLASSES, 4),
    "regressor": lambda c, side, norm: Regressor(c, 4),
    "disco-generator": lambda c, side, norm: DiscoGenerator(c, c, side, 4, norm),
    "disco-critic": lambda c, side, norm: DiscoCritic(c, side, 4, norm),
    "multiscale": lambda c, side, norm: MultiScaleCritic(c, 4, 2, 2, norm),
    "labelled-generator": lambda c, side, norm: LabelledGenerator(CLASSES, 4, LATENT, c, side, 4, "deconv", norm),
    "labelled-critic": lambda c, side, norm: LabelledCritic(CLASSES, 4, c, side, 4, "strided", norm),
    **{f"dcgan-{name}": generator(name) for name in UPSAMPLES},
    **{f"dcgan-{name}": critic(name) for name in DOWNSAMPLES},
    **{f"encoder-{name}": encoder(name) for name in ENCODERS},
    **{f"unet-{name}": latent_unet(name) for name in TOLD},
}
EACH_NETWORK = pytest.mark.parametrize("name", NETWORKS)
EACH_SIZE = pytest.mark.parametrize(("channels", "side"), [(1, 32), (3, 32), (1, 64), (3, 64)])


def outputs(network: nn.Module, channels: int, side: int) -> list[Tensor]:
    """What the network makes of a random batch of two."""
    dtype = next(network.parameters()).dtype
    image = torch.randn(N, channels, side, side, dtype=dtype)
    z = torch.randn(N, LATENT, dtype=dtype)
    labels = torch.eye(CLASSES, dtype=dtype)[:N]
    given: dict[type, tuple[Tensor, ...]] = {
        DCGANGenerator: (z,),
        LabelledGenerator: (z, labels),
        LabelledCritic: (image, labels),
        LatentUNet: (image, z),
    }
    made = network(*given.get(type(network), (image,)))
    return [made] if isinstance(made, Tensor) else list(made)


def shapes(name: str, channels: int, side: int) -> list[tuple[int, ...]]:
    """The shapes that the network promises."""
    if name.startswith("encoder"):
        return [(N, LATENT)] * 2
    special: dict[str, list[tuple[int, ...]]] = {
        "autoencoder": [(N, 1, side, side)],
        "classifier": [(N, CLASSES)],
        "segmenter": [(N, CLASSES, side, side)],
        "regressor": [(N, 2)],
        "multiscale": [(N, 1, side // 4 - 2, side // 4 - 2), (N, 1, side // 8 - 2, side // 8 - 2)],
    }
    one_logit = name.endswith("critic") or name.removeprefix("dcgan-") in DOWNSAMPLES
    return special.get(name, [(N, 1, 1, 1)] if one_logit else [(N, channels, side, side)])


@EACH_NETWORK
@EACH_SIZE
def test_shapes(name, channels, side):
    with torch.no_grad():
        made = outputs(NETWORKS[name](channels, side, instance_norm), channels, side)
    assert [tuple(tensor.shape) for tensor in made] == shapes(name, channels, side)


@EACH_NETWORK
def test_no_network_has_buffers(name):
    assert not list(NETWORKS[name](3, 32, batch_norm).buffers())


# Without norms: behind one a shift has no gradient by right. In float64: small first weights multiply to tiny gradients.
@EACH_NETWORK
def test_gradients_reach_every_parameter(name):
    network = NETWORKS[name](3, 32, no_norm).double()
    torch.stack([(made * torch.randn_like(made)).sum() for made in outputs(network, 3, 32)]).sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@EACH_NETWORK
def test_the_seed_decides_the_first_weights(name):
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(torch.cat([p.detach().flatten() for p in NETWORKS[name](3, 32, batch_norm).parameters()]))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


@EACH_NETWORK
def test_an_image_is_treated_alone(name):
    network = NETWORKS[name](3, 32, instance_norm)
    inputs: list[tuple[Tensor, ...]] = []
    network.register_forward_pre_hook(lambda _, given: inputs.append(given))
    with torch.no_grad():
        both = outputs(network, 3, 32)
        first = network(*(given[:1] for given in inputs[0]))
    for alone, together in zip([first] if isinstance(first, Tensor) else first, both, strict=True):
        torch.testing.assert_close(alone, together[:1], rtol=1e-3, atol=1e-6)
