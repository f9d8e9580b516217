"""What the networks are made of: norms without running statistics, padding with a deterministic gradient, initialisation.

Norms keep no running statistics: they would belong to a worker, and a run must not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.errors import SettingError

Norm = Callable[[int], nn.Module]


def instance_norm(channels: int) -> nn.Module:
    """Instance norm without affine parameters, as CycleGAN's."""
    return nn.InstanceNorm2d(channels, affine=False, track_running_stats=False)


def affine_instance_norm(channels: int) -> nn.Module:
    """Instance norm with scale and shift: batch norm at batch size 1, for any batch size."""
    return nn.InstanceNorm2d(channels, affine=True, track_running_stats=False)


def batch_norm(channels: int) -> nn.Module:
    """Batch norm over a replica's own samples."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


class Reflect(nn.Module):
    """Reflection padding of `pad` pixels.

    torch's own has no deterministic gradient on CUDA; mirrored slices have one and give the same pixels.
    """

    def __init__(self, pad: int) -> None:
        super().__init__()
        self.pad = pad

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> `[N,C,H+2p,W+2p]`."""
        if x.is_cuda and torch.are_deterministic_algorithms_enabled():
            return mirrored(x, self.pad)
        return F.pad(x, (self.pad,) * 4, mode="reflect")


def mirrored(x: Tensor, pad: int) -> Tensor:
    """Reflection padding by slices: `[N,C,H,W]` -> `[N,C,H+2p,W+2p]`."""
    for dim in (2, 3):
        size = x.shape[dim]
        before = x.narrow(dim, 1, pad).flip(dim)
        after = x.narrow(dim, size - 1 - pad, pad).flip(dim)
        x = torch.cat([before, x, after], dim)
    return x


def initialise(network: nn.Module, std: float = 0.02) -> None:
    """N(0, std) for convolutions, N(1, std) for a norm's scale, 0 for shifts: the initialisation of DCGAN and its heirs."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.InstanceNorm2d | nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, std)
            nn.init.zeros_(module.bias)


def nearest_multiples(image: int, factor: int) -> str:
    """The sizes next to `image` that `factor` divides, as words for an error."""
    below = image // factor * factor
    return f"{below} or {below + factor}" if below else str(factor)


def check_multiple(image: int, factor: int, why: str) -> None:
    """Raise SettingError unless `factor` divides the image side."""
    if image % factor:
        fitting = nearest_multiples(image, factor)
        raise SettingError("data.image", image, f"{why} needs a multiple of {factor}; nearest: {fitting}")
