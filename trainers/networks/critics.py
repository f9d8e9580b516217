"""The critics that systems choose among by name: patches of some receptive field, or BEGAN's autoencoder."""

from __future__ import annotations

from torch import nn

from trainers.networks import patch
from trainers.networks.autoencoder import AutoencoderCritic
from trainers.networks.blocks import Norm

AUTOENCODER = "autoencoder"
CRITICS = (*patch.STRIDED_LAYERS, AUTOENCODER)


def check(critic: str, image: int) -> None:
    """Raise SettingError where an image of this side does not fit the critic."""
    if critic == AUTOENCODER:
        AutoencoderCritic.check(image)
    else:
        patch.check(critic, image)


def build_critic(critic: str, channels: int, image: int, width: int, norm: Norm) -> nn.Module:
    """The critic of that name for `[N,channels,image,image]`; the autoencoder has no norm."""
    if critic == AUTOENCODER:
        return AutoencoderCritic(channels, image, width, hidden=width)
    return patch.build_critic(critic, channels, width, norm)
