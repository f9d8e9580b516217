"""What generators start from: latent vectors from torch's default CPU generator, whatever the device.

So the draws of a step are the same on every kind of machine; the caller moves them to its device.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def normal(count: int, size: int) -> Tensor:
    """`[count,size]` from N(0, I)."""
    return torch.randn(count, size, device="cpu")


def spherical(count: int, size: int) -> Tensor:
    """`[count,size]`, uniform on the sphere of radius sqrt(size), where nearly all of N(0, I) lies (White 2016)."""
    z = normal(count, size)
    on_sphere: Tensor = z * (math.sqrt(size) / torch.linalg.vector_norm(z, dim=1, keepdim=True))
    return on_sphere


LATENTS: dict[str, Callable[[int, int], Tensor]] = {"normal": normal, "spherical": spherical}
