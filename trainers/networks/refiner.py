"""SimGAN's networks (Shrivastava et al., CVPR 2017): a refiner that leaves pixels where they are, and a critic of patches.

No norm anywhere, no halving in the refiner: it works on any size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.networks.blocks import initialise_xavier


class _Residual(nn.Module):
    """ReLU(x + two 3x3 convolutions)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1), nn.ReLU(inplace=True), nn.Conv2d(channels, channels, 3, 1, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> the same shape."""
        return F.relu(x + self.body(x))


class Refiner(nn.Module):
    """Images in [-1, 1] to images in [-1, 1] of the same size."""

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        first = [nn.Conv2d(channels, width, 3, 1, 1), nn.ReLU(inplace=True)]
        residual = [_Residual(width) for _ in range(blocks)]
        self.layers = nn.Sequential(*first, *residual, nn.Conv2d(width, channels, 1), nn.Tanh())
        initialise_xavier(self, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> the same shape."""
        out: Tensor = self.layers(x)
        return out


class _Largest(nn.Module):
    """The largest of 3x3 pixels, of stride 1: torch's own max pooling has no deterministic gradient on CUDA."""

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> the same shape."""
        for dim in (2, 3):
            size = x.shape[dim]
            wide = F.pad(x, (0, 0, 1, 1) if dim == 2 else (1, 1), value=float("-inf"))
            x = torch.maximum(wide.narrow(dim, 0, size), wide.narrow(dim, 2, size)).maximum(x)
        return x


class LocalCritic(nn.Module):
    """Five convolutions, the first two of stride 2: a logit for each patch of 23 pixels, HIGH = real.

    The published one ends in two numbers for a patch and a softmax over them, which is a sigmoid of their difference.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        second, third = max(1, 2 * width // 3), max(1, width // 3)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, 2, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, second, 3, 2, 1),
            nn.ReLU(inplace=True),
            _Largest(),
            nn.Conv2d(second, third, 3, 1, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(third, third, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(third, 1, 1),
        )
        initialise_xavier(self, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """`x: [N,C,H,W]` -> logits `[N,1,h,w]`, a quarter of the side rounded up."""
        out: Tensor = self.layers(x)
        return out
