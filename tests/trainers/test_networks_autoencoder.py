"""BEGAN's critic."""

import pytest
import torch
from torch import nn

from trainers.errors import SettingError
from trainers.networks.autoencoder import AutoencoderCritic


def test_logits_are_minus_the_error_of_each_pixel():
    critic = AutoencoderCritic(3, 16, 2, 4)
    image = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        again, logits = critic.reconstruct(image), critic(image)
    assert again.shape == image.shape
    assert logits.max() < 0
    torch.testing.assert_close(logits[1, 0, 3, 5], -(again[1, :, 3, 5] - image[1, :, 3, 5]).abs().mean())


def test_what_is_reconstructed_better_has_higher_logits():
    critic = AutoencoderCritic(1, 8, 4, 8)
    real, other = torch.rand(2, 4, 1, 8, 8).mul(2).sub(1)
    optimizer = torch.optim.Adam(critic.parameters(), 1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        (-critic(real)).mean().backward()
        optimizer.step()
    with torch.no_grad():
        assert critic(real).mean() > critic(other).mean() + 0.2


def test_the_published_layout():
    critic = AutoencoderCritic(3, 32, 2, 5)
    down = [m for m in critic.encoder if isinstance(m, nn.Conv2d)]
    assert [(m.out_channels, m.stride[0]) for m in down] == [
        (2, 1), (2, 1), (2, 1), (2, 2), (4, 1), (4, 1), (4, 2), (6, 1), (6, 1),
    ]  # fmt: skip
    up = [m for m in critic.decoder if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in up] == [2] * 6 + [3]
    assert [m.out_features for m in critic.modules() if isinstance(m, nn.Linear)] == [5, 2 * 8 * 8]
    assert sum(isinstance(m, nn.Upsample) for m in critic.decoder) == 2
    assert {m.kernel_size for m in down + up} == {(3, 3)}
    assert isinstance(critic.decoder[-1], nn.Conv2d), "nothing bounds the reconstruction"


def test_everything_passes_the_hidden_numbers():
    critic = AutoencoderCritic(1, 8, 4, 3).double()
    image = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(critic.reconstruct, image).reshape(64, 64)
    assert torch.linalg.matrix_rank(jacobian) == 3


def test_the_signal_survives_the_depth():
    critic = AutoencoderCritic(3, 128, 4, 8)
    with torch.no_grad():
        hidden = critic.encoder(torch.randn(2, 3, 128, 128))
    assert hidden.std() > 1e-3


@pytest.mark.parametrize(("side", "nearest"), [(4, "8"), (24, "16 or 32"), (100, "64 or 128"), (1024, "512")])
def test_sides_that_do_not_fit_are_refused(side, nearest):
    with pytest.raises(SettingError) as caught:
        AutoencoderCritic.check(side)
    assert str(caught.value) == f"data.image: the autoencoder needs a power of two from 8 to 512; nearest: {nearest}"
