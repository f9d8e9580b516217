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


def kid(fake: Tensor, real: Tensor, paired: bool = False) -> float:
    """The distance between features `[M,F]` and `[N,F]`, in float64; M and N at least 2.

    paired: row i of `real` is the truth that row i of `fake` aims at. The two are not independent then, and i = j is left out
    of the last mean as well (Gretton et al. 2012, equation 4, unbiased for pairs): a perfect translation comes to 0.
    """
    m, n = len(fake), len(real)
    assert min(m, n) > 1 and (m == n or not paired), "two pictures of each kind, and as many of both in pairs"
    between = _apart(fake, real) if paired else _total(fake, real) / (m * n)
    return float(_apart(fake, fake) + _apart(real, real) - 2.0 * between)


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
