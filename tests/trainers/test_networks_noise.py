"""Latent vectors: their distribution and where they are drawn."""

import math

import pytest
import torch

from trainers.networks.noise import LATENTS, normal, spherical


def test_normal_vectors_are_standard():
    z = normal(2000, 50)
    assert z.shape == (2000, 50)
    assert z.mean().item() == pytest.approx(0.0, abs=0.02)
    assert z.var(0).mean().item() == pytest.approx(1.0, abs=0.02)


def test_spherical_vectors_are_the_normal_ones_at_one_length():
    torch.manual_seed(3)
    z = spherical(100, 30)
    torch.manual_seed(3)
    drawn = normal(100, 30)
    torch.testing.assert_close(z.norm(dim=1), torch.full((100,), math.sqrt(30)))
    torch.testing.assert_close(torch.cosine_similarity(z, drawn), torch.ones(100))
    assert z.std().item() == pytest.approx(1.0, abs=0.05), "as loud as normal ones"


@pytest.mark.parametrize("name", LATENTS)
def test_the_default_generator_on_the_cpu_decides(name):
    made = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        with torch.device("meta"):  # whatever the default device
            made.append(LATENTS[name](2, 4))
    assert made[0].device.type == "cpu"
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
