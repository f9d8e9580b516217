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


def no_norm(channels: int) -> nn.Module:
    """Nothing: for critics whose gradient is penalised, where each sample must be judged alone."""
    return nn.Identity()


# Norms by the names that `hyper.norm` has, where a paper's batch norm is meant for batches of 1.
NORMS: dict[str, Norm] = {"instance": affine_instance_norm, "batch": batch_norm}


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
    """N(0, std) for weights, N(1, std) for a norm's scale, 0 for shifts: the initialisation of DCGAN and its heirs."""
    _draw(network, lambda weight: nn.init.normal_(weight, 0.0, std), std)


def initialise_xavier(network: nn.Module, gain: float = 0.02) -> None:
    """The same with weights of variance gain^2 x 2 / (fan in + fan out), after Glorot and Bengio 2010.

    0.02 is BicycleGAN's gain: its norms restore the scale. Without norms take 1, or the signal dies with the depth.
    """
    _draw(network, lambda weight: nn.init.xavier_normal_(weight, gain), 0.02)


def initialise_kaiming(network: nn.Module) -> None:
    """The same with weights of variance 2 / fan in, after He et al. 2015: for ReLUs."""
    _draw(network, lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"), 0.02)


def _draw(network: nn.Module, draw: Callable[[Tensor], Tensor], scale_std: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.InstanceNorm2d | nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, scale_std)
            nn.init.zeros_(module.bias)


def halvings_to(least: int, image: int) -> int:
    """How often an image of this side is halved until `least` pixels are left; both powers of two."""
    return (image // least).bit_length() - 1


def widths_for(width: int, halvings: int) -> list[int]:
    """The usual channels behind each of the halvings: doubled with each, up to 8 times the first."""
    return [width * min(2**i, 8) for i in range(halvings)]


def nearest_multiples(image: int, factor: int) -> str:
    """The sizes next to `image` that `factor` divides, as words for an error."""
    below = image // factor * factor
    return f"{below} or {below + factor}" if below else str(factor)


def check_multiple(image: int, factor: int, why: str) -> None:
    """Raise SettingError unless `factor` divides the image side."""
    if image % factor:
        fitting = nearest_multiples(image, factor)
        raise SettingError("data.image", image, f"{why} needs a multiple of {factor}; nearest: {fitting}")


def check_power_of_two(image: int, least: int, most: int, why: str) -> None:
    """Raise SettingError unless the image side is a power of two within bounds, themselves powers of two."""
    powers = [2**i for i in range(least.bit_length() - 1, most.bit_length())]
    if image in powers:
        return
    below = max((p for p in powers if p < image), default=least)
    above = min((p for p in powers if p > image), default=most)
    fitting = " or ".join(str(p) for p in sorted({below, above}))
    problem = f"{why} needs a power of two from {least} to {most}; nearest: {fitting}"
    raise SettingError("data.image", image, problem)
