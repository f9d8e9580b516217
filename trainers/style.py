"""What a translation keeps of a picture's content, and takes of a domain's style, in the maps of a network's layers.

Johnson, Alahi, Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016, equations 2 to 4; of sets
of pictures as in Benaim, Wolf, "One-Shot Unsupervised Cross Domain Translation", NeurIPS 2018: by their mean Gram matrices.

    content = sum over layers of |phi(x) - phi(G(x))|^2 / (C H W)          G_c,d = sum over pixels of phi_c phi_d / (C H W)
    style   = sum over layers of |mean G of outputs - mean G of real ones|_F^2
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def content(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """Maps `[N,C,H,W]` by layer, of N pictures and of their translations -> `[N]`."""
    apart = [(x.double() - y.double()).square().mean((1, 2, 3)) for x, y in zip(one, other, strict=True)]
    return torch.stack(apart).sum(0)


def gram_sums(maps: Sequence[Tensor]) -> Tensor:
    """Maps `[N,C,H,W]` by layer -> `[P]`, summed over the N pictures: of each layer the Gram matrix on and above its diagonal, what
    lies above it times the root of 2, so that squared distances are those of whole matrices."""
    found = []
    for layer in maps:
        flat = layer.double().transpose(0, 1).flatten(1)
        one, other = torch.triu_indices(len(flat), len(flat), device=flat.device).unbind()
        scale = torch.where(one == other, 1.0, 2.0).to(flat).sqrt()
        whole = flat @ flat.T / (layer.shape[1] * layer.shape[2] * layer.shape[3])
        found.append(whole[one, other] * scale)
    return torch.cat(found)


def style(fake: Tensor, real: Tensor) -> float:
    """Means of `gram_sums` over outputs and over real pictures, `[P]` each -> the distance of the two styles."""
    return float((fake - real).square().sum())
