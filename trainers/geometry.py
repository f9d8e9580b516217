"""Pictures turned and mirrored while a step runs, each in its own way."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def turned(x: Tensor, degrees: float, mirror: bool) -> Tensor:
    """`[N,C,H,W]` -> the same shape: each picture turned about its middle by up to `degrees` either way; half of them mirrored.

    What lies beyond an edge is the picture mirrored there. The draws come from torch's default CPU generator.
    """
    angles = (2 * torch.rand(len(x)) - 1) * math.radians(degrees)
    signs = torch.where(torch.rand(len(x)) < 0.5, -1.0, 1.0) if mirror else torch.ones(len(x))
    zero = torch.zeros(len(x))
    rows = torch.stack([signs * angles.cos(), -angles.sin(), zero, signs * angles.sin(), angles.cos(), zero], 1)
    grid = F.affine_grid(rows.view(-1, 2, 3).to(x), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
