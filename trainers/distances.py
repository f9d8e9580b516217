"""Distances between pictures, and between the two halves of one, as DistanceGAN keeps them through a translation.

A distance is the mean |x - y| over pixels and channels. The paper prints the sum: the same once both sides are divided by
their standard deviation, and not otherwise. Statistics are of single pictures: those of batches would have a deviation
smaller by the root of the batch size, and make the penalty larger by as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.errors import SettingError
from trainers.stages import Statistics

AXES: Mapping[str, int] = {"width": 3, "height": 2}  # halves side by side, halves one above the other
HELD = 1 << 25  # numbers of the pictures that are held at a time while pairs are measured: 128 MiB, twice
LEAST_SPREAD = 1e-5  # a standard deviation below this share of the mean is rounding


def pair_distances(images: Tensor) -> Tensor:
    """`[N,C,H,W]` -> `[N(N-1)/2]`: of all pairs i < j, in fp32; those of image 0 first."""
    flat = images.flatten(1).float()
    return F.pdist(flat, 1.0) / flat.shape[1]


def half_distances(images: Tensor, axis: str) -> Tensor:
    """`[N,C,H,W]` -> `[N]`: between the two halves of each image, in fp32. `axis`: one of AXES, of even length."""
    one, other = images.float().chunk(2, AXES[axis])
    return (one - other).abs().flatten(1).mean(1)


def standardised(distances: Tensor, statistics: Tensor | None) -> Tensor:
    """Distances `[M]` less the mean of their domain, over its deviation. statistics: `[2]`; None: as they are."""
    if statistics is None:
        return distances
    mean, deviation = statistics.unbind()
    return (distances - mean) / deviation


def change(source: Tensor, made: Tensor, of_source: Tensor | None, of_target: Tensor | None) -> Tensor:
    """E |source - made| of distances `[M]` before and after a translation, each side standardised by its domain: a scalar.

    The absolute value of each difference, not of their mean, in which they would cancel.
    """
    return (standardised(source, of_source) - standardised(made, of_target)).abs().mean()


def measure_pairs(samples: Statistics, domain: str, held: int = HELD) -> Tensor:
    """`[2]`: mean and standard deviation of the distances of all pairs of a domain's pictures.

    The memory it needs does not grow with their number: two blocks of pictures are held at a time. Raises SettingError where
    all distances are equal, or there are no two.
    """
    count = samples.count(domain)
    table = torch.zeros((count, count))
    block = max(1, held // samples.image(domain, 0).numel()) if count else 1
    for first in range(0, count, block):
        rows = _block(samples, domain, first, block)
        table[first : first + len(rows), first : first + len(rows)] = _square(rows)
        for second in range(first + block, count, block):
            columns = _block(samples, domain, second, block)
            across = _square(torch.cat([rows, columns]))[: len(rows), len(rows) :]
            table[first : first + len(rows), second : second + len(columns)] = across
    return _statistics(table[_above(count)], domain, "pairs of pictures")


def measure_halves(samples: Statistics, domain: str, axis: str) -> Tensor:
    """`[2]`: mean and standard deviation of the distances between the halves of a domain's pictures.

    Raises SettingError where all distances are equal, or there are no two.
    """
    found = [half_distances(samples.image(domain, i)[None], axis) for i in range(samples.count(domain))]
    return _statistics(torch.cat(found) if found else torch.zeros(0), domain, "the halves of pictures")


MEASURES: Mapping[str, Callable[[Statistics, str, str], Tensor]] = {
    "pairs": lambda samples, domain, axis: measure_pairs(samples, domain),
    "halves": measure_halves,
}


def _block(samples: Statistics, domain: str, first: int, size: int) -> Tensor:
    """`[at most size,C,H,W]`: the pictures from `first` on."""
    return torch.stack([samples.image(domain, i) for i in range(first, min(first + size, samples.count(domain)))])


def _square(images: Tensor) -> Tensor:
    """`[N,N]`: the distance of i and j where i < j, 0 elsewhere."""
    table = torch.zeros((len(images), len(images)))
    table[_above(len(images))] = pair_distances(images)
    return table


def _above(count: int) -> tuple[Tensor, Tensor]:
    """The indices of all pairs i < j, in the order of `pair_distances`."""
    one, other = torch.triu_indices(count, count, 1).unbind()
    return one, other


def _statistics(distances: Tensor, domain: str, what: str) -> Tensor:
    """Mean and population deviation, as published: the sum of squares is divided by their number."""
    exact = distances.double()
    if len(exact) < 2 or exact.std(correction=0) <= LEAST_SPREAD * exact.mean():
        problem = (
            f"the {len(exact)} distances between {what} of domain {domain} do not differ, so nothing can be divided by "
            "their standard deviation; nearest: false"
        )
        raise SettingError("hyper.normalised", True, problem)
    return torch.stack([exact.mean(), exact.std(correction=0)]).float()
