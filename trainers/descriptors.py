"""What features of pictures say of a translation: how much it kept, whether it looks like the other domain, which truth it aims at.

Cosine and separation are those of Benaim, Wolf, "One-Sided Unsupervised Domain Mapping", NIPS 2017, table 4, who compare faces.
Their classifier is not told further; here it is the linear least squares one, which has one answer and no seed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainers.kid import BLOCK
from trainers.measures import angle

RIDGE = 1e-3  # of the features' mean square: with more features than pictures, least squares alone would have no single answer


def squared_distance(outputs: Tensor, truths: Tensor) -> Tensor:
    """`lpips` rows `[N,D]` of outputs and truths -> `[N]`: their squared distances.

    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, equation 1, is such a
    distance: of maps of unit length in each pixel, times the roots of the learned weights, over the root of the number of pixels.
    """
    return (outputs.double() - truths.double()).square().sum(1)


def cosine(inputs: Tensor, outputs: Tensor) -> float:
    """Features `[N,F]` of inputs and of their translations -> the mean cosine."""
    return float(1.0 - angle(inputs, outputs).double().mean())


def separation(inputs: Tensor, real: Tensor, outputs: Tensor) -> float:
    """Features of real pictures of a `[M,F]` and of b `[N,F]`, and of translations to b: the share of these on b's side.

    The classifier is fitted to the real ones: targets -1 and 1, both domains with equal weight, ridge RIDGE.
    """
    sides = [inputs.double(), real.double()]
    middle = torch.stack([side.mean(0) for side in sides]).mean(0)
    rows = torch.cat([(side - middle) / len(side) ** 0.5 for side in sides])
    targets = torch.cat(
        [torch.full((len(side),), sign) / len(side) ** 0.5 for side, sign in zip(sides, (-1.0, 1.0), strict=True)]
    )
    products = rows.T @ rows
    products += RIDGE * products.diagonal().mean().clamp_min(1e-300) * torch.eye(len(products), dtype=rows.dtype)
    weights = torch.linalg.solve(products, rows.T @ targets.double())
    return float(((outputs.double() - middle) @ weights > 0.0).double().mean())


def retrieval(outputs: Tensor, truths: Tensor) -> float:
    """Features `[N,F]` of outputs and of their truths -> the share of outputs to which no truth is nearer than their own.

    R-precision with R = 1, by cosine (Xu et al., "AttnGAN", CVPR 2018, section 4), of pictures: N candidates, not 100.
    """
    one, other = (torch.nn.functional.normalize(features.double(), dim=1) for features in (outputs, truths))
    right = 0
    for first in range(0, len(one), BLOCK):
        likeness = one[first : first + BLOCK] @ other.T
        right += int((likeness.diagonal(first) >= likeness.amax(1)).sum())
    return right / len(one)


def mode_counts(logits: Tensor) -> Tensor:
    """Logits `[N,K]` -> `[K]`: how many of the pictures are read as each class."""
    return torch.bincount(logits.argmax(1), minlength=logits.shape[1]).double()


def mode_coverage(outputs: Tensor, real: Tensor) -> float:
    """Logits of outputs and real pictures -> of the classes read in real ones, the share read in at least one output."""
    made, there = mode_counts(outputs), mode_counts(real) > 0
    return float((made[there] > 0).double().mean())


def mode_kl(outputs: Tensor, real: Tensor) -> float | None:
    """Logits -> KL(classes of outputs || classes of real pictures) in nats; None where outputs have one that real ones never have.

    Metz et al., "Unrolled Generative Adversarial Networks", ICLR 2017, section 3.3.
    """
    made, there = (mode_counts(logits) / len(logits) for logits in (outputs, real))
    if bool((there[made > 0] == 0).any()):
        return None
    hit = made > 0
    return float((made[hit] * (made[hit] / there[hit]).log()).sum())
