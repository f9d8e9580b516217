"""Kernel inception distance: Binkowski, Sutherland, Arbel, Gretton, "Demystifying MMD GANs", ICLR 2018, section 4.

    MMD^2 = mean over i != j of k(x_i, x_j) + mean over i != j of k(y_i, y_j) - 2 mean over i, j of k(x_i, y_j)
    k(x, y) = (x . y / F + 1)^3        x, y: features of length F

It is unbiased: its expectation does not depend on the number of pictures, is 0 where both come from one distribution, and so
single values below 0 are nothing unusual. Published figures are means over random subsets of Inception's features. Here all
pictures are used at once, which is the same in expectation and varies less.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 1024  # rows of a kernel matrix that are held at a time
SUBSETS, LARGEST = 100, 1000  # published: the deviation over so many random subsets, of so many pictures at most


def kid(fake: Tensor, real: Tensor, paired: bool = False) -> float:
    """The distance between features `[M,F]` and `[N,F]`, in float64; M and N at least 2.

    paired: row i of `real` is the truth that row i of `fake` aims at. The two are not independent then, and i = j is left out
    of the last mean as well (Gretton et al. 2012, equation 4, unbiased for pairs): a perfect translation comes to 0.
    """
    m, n = len(fake), len(real)
    assert min(m, n) > 1 and (m == n or not paired), "two pictures of each kind, and as many of both in pairs"
    between = _apart(fake, real) if paired else _total(fake, real) / (m * n)
    return float(_apart(fake, fake) + _apart(real, real) - 2.0 * between)


def kid_spread(fake: Tensor, real: Tensor, paired: bool = False) -> float:
    """The standard deviation of `kid` over random subsets of half of the features `[M,F]` and `[N,F]`, M and N at least 4.

    Subsets have at most 1,000 rows, of the first 2,000, whose kernels are computed once. They are the same ones every time. Of the
    whole, which is larger, chance moves the distance less.
    """
    rows = min(LARGEST, min(len(fake), len(real)) // 2)
    assert rows > 1 and (len(fake) == len(real) or not paired), (
        "four pictures of each kind, and as many of both in pairs"
    )
    x, y = fake[: 2 * rows].double(), real[: 2 * rows].double()
    kernels = [(one @ other.T).div_(x.shape[1]).add_(1.0).pow_(3) for one, other in ((x, x), (y, y), (x, y))]
    generator, found = torch.Generator().manual_seed(0), []
    for _ in range(SUBSETS):
        one = torch.randperm(len(x), generator=generator)[:rows]
        other = one if paired else torch.randperm(len(y), generator=generator)[:rows]
        within_x, within_y, between = (
            kernel[mine][:, theirs]
            for kernel, mine, theirs in zip(kernels, (one, other, one), (one, other, other), strict=True)
        )
        pairs = rows * (rows - 1)
        distance = (within_x.sum() - within_x.trace() + within_y.sum() - within_y.trace()) / pairs
        met = (between.sum() - between.trace()) / pairs if paired else between.mean()
        found.append(distance - 2.0 * met)
    return float(torch.stack(found).std(correction=0))


def _apart(x: Tensor, y: Tensor) -> Tensor:
    """The mean of k over the pairs i != j."""
    return (_total(x, y) - _same(x, y)) / (len(x) * (len(x) - 1))


def _kernel(products: Tensor, width: int) -> Tensor:
    return (products / width + 1.0) ** 3


def _total(x: Tensor, y: Tensor) -> Tensor:
    """The sum of k over all pairs."""
    x, y = x.double(), y.double()
    return torch.stack([_kernel(block @ y.T, x.shape[1]).sum() for block in x.split(BLOCK)]).sum()


def _same(x: Tensor, y: Tensor) -> Tensor:
    """The sum of k over the pairs i = j."""
    x, y = x.double(), y.double()
    return _kernel((x * y).sum(1), x.shape[1]).sum()
