"""Frechet inception distance: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017, equation 6.

    FID = |m1 - m2|^2 + Tr(C1) + Tr(C2) - 2 Tr (C1 C2)^(1/2)        m, C: mean and covariance of features of length F

Sums are all that is kept of the features, so memory does not grow with their number. The trace of the root is the sum of the
singular values of C1^(1/2) C2^(1/2), the square roots of the eigenvalues of C1^(1/2) C2 C1^(1/2): no root of a matrix that is not
symmetric, and no root of a rounding error, which would be ten million times as large.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainers.kid import BLOCK


class Moments:
    """Number, mean and covariance of features `[N,F]` that are handed in block by block, in float64.

    Sums are of differences from the first row: features that differ little around a large value lose no digits.
    """

    def __init__(self, width: int) -> None:
        self.count = 0
        self._first = torch.zeros(width, dtype=torch.float64)
        self._sum = torch.zeros(width, dtype=torch.float64)
        self._products = torch.zeros(width, width, dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Take in a block `[n,F]`, in at most so many rows at a time that they weigh little beside the sums."""
        for block in features.double().cpu().split(BLOCK):
            if not self.count and len(block):
                self._first = block[0].clone()
            apart = block - self._first
            self.count += len(block)
            self._sum += apart.sum(0)
            self._products.addmm_(apart.T, apart)

    def of(self) -> tuple[Tensor, Tensor]:
        """The mean `[F]` and the covariance `[F,F]`, divided by n - 1; at least 2 rows."""
        assert self.count > 1, "two pictures of each kind"
        off = self._sum / self.count
        covariance = (self._products - self.count * off[:, None] * off) / (self.count - 1)
        return self._first + off, (covariance + covariance.T) / 2


def moments(features: Tensor) -> Moments:
    """Those of a table `[N,F]`."""
    found = Moments(features.shape[1])
    found.add(features)
    return found


def fid(fake: Moments, real: Moments) -> float:
    """The distance between two normal distributions with these moments; at least 0. Not finite where features are not."""
    (mean_1, cov_1), (mean_2, cov_2) = fake.of(), real.of()
    apart = (mean_1 - mean_2).square().sum()
    if not all(bool(torch.isfinite(part).all()) for part in (apart, cov_1, cov_2)):
        return float("nan")
    root = torch.linalg.svdvals(_factor(cov_1).T @ _factor(cov_2)).sum()
    return max(0.0, float(apart + cov_1.trace() + cov_2.trace() - 2.0 * root))


def _factor(covariance: Tensor) -> Tensor:
    """`[F,r]` whose product with its transpose is the covariance of rank r; what rounding alone put there is left out."""
    values, vectors = torch.linalg.eigh(covariance)
    least = values[-1].clamp_min(0.0) * len(values) * torch.finfo(values.dtype).eps
    kept = values > least
    factor: Tensor = vectors[:, kept] * values[kept].sqrt()
    return factor
