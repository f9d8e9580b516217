"""What a pair of translators makes of given pictures, one picture at a time.

So batch norm sees one picture's statistics, and a translation does not depend on what else is translated with it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def translate(network: nn.Module, images: Tensor) -> Tensor:
    """`[N,C,H,W]` -> `[N,...]`: the network's outputs, each of one image alone."""
    return torch.cat([network(image) for image in images.split(1)])


def translations(images: Mapping[str, Tensor], ab: nn.Module, ba: nn.Module | None) -> dict[str, Tensor]:
    """`fake_b`, `cycle_a`, `fake_a`, `cycle_b`: those that can be made of the domains given, without `ba` only the first."""
    shown: dict[str, Tensor] = {}
    if "a" in images:
        shown["fake_b"] = translate(ab, images["a"])
        if ba is not None:
            shown["cycle_a"] = translate(ba, shown["fake_b"])
    if "b" in images and ba is not None:
        shown["fake_a"] = translate(ba, images["b"])
        shown["cycle_b"] = translate(ab, shown["fake_a"])
    return shown
