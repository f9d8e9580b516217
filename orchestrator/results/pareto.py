"""Several objectives at once: who is beaten by nobody, how much they beat together, and whom to name if it must be one.

A point has a cost for each objective, finite, less is better; a score of which more is better enters with its sign turned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, ...]


def dominates(one: Point, other: Point) -> bool:
    """Whether `one` is nowhere worse than `other`, and somewhere better. Equal points do not dominate one another."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def fronts(points: Sequence[Point]) -> list[list[int]]:
    """The points by Pareto rank, as indices in ascending order: what nobody dominates, then what nobody of the rest does, ...

    In the order of their first costs no point is dominated by a later one, so each goes into the first front that does not
    dominate it: Zhang et al., "An Efficient Approach to Nondominated Sorting", IEEE TEC 19(2), 2015.
    """
    found: list[list[int]] = []
    for index in sorted(range(len(points)), key=lambda i: points[i]):
        free = [one for one in found if not any(dominates(points[other], points[index]) for other in one)]
        if free:
            free[0].append(index)
        else:
            found.append([index])
    return [sorted(one) for one in found]


def front(points: Sequence[Point]) -> list[int]:
    """The indices of the points that none dominates, in ascending order."""
    found: list[int] = []
    for index in sorted(range(len(points)), key=lambda i: points[i]):
        if not any(dominates(points[other], points[index]) for other in found):
            found.append(index)
    return sorted(found)


def crowding(points: Sequence[Point]) -> list[float]:
    """How far each point of a front is from its neighbours; infinite at the ends of any objective.

    The crowding distance of Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE TEC 6(2), 2002,
    section III-B: over the objectives, the sum of the gaps between the two neighbours, in shares of the front's extent.
    """
    distances = [0.0] * len(points)
    for costs in zip(*points, strict=True):
        order = sorted(range(len(points)), key=lambda i: (costs[i], i))
        extent = costs[order[-1]] - costs[order[0]]
        distances[order[0]] = distances[order[-1]] = math.inf
        for before, index, after in zip(order, order[1:], order[2:], strict=False):
            distances[index] += (costs[after] - costs[before]) / extent if extent > 0 else 0.0
    return distances


def worst(points: Sequence[Point]) -> Point:
    """The worst of each objective over `points`, at least one."""
    return tuple(max(costs) for costs in zip(*points, strict=True))


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The volume of what is worse than some point and better than `reference`, in the product of the objectives' units; exact.

    The space is cut into slabs where the last cost changes, and each slab is a volume of one dimension less (While et al., "A
    Faster Algorithm for Calculating Hypervolume", IEEE TEC 10(1), 2006, section II). A point adds nothing that is not better than
    the reference in every objective.
    """
    inside = [point for point in points if all(cost < most for cost, most in zip(point, reference, strict=True))]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(inside)[0]
    inside = sorted((inside[index] for index in front(inside)), key=lambda point: point[-1])
    ends = [*(point[-1] for point in inside[1:]), reference[-1]]
    slabs = [
        (end - point[-1]) * hypervolume([before[:-1] for before in inside[: number + 1]], reference[:-1])
        for number, (point, end) in enumerate(zip(inside, ends, strict=True))
        if end > point[-1]
    ]
    return math.fsum(slabs)


def knee(points: Sequence[Point]) -> int:
    """The index of the point nearest to the best of each objective; the first of equally near ones.

    Each objective is in shares of its extent over `points`, which should be a front: then the choice does not depend on units.
    An objective in which all are equal decides nothing.
    """
    best = tuple(min(costs) for costs in zip(*points, strict=True))
    extents = [most - least for most, least in zip(worst(points), best, strict=True)]

    def distance(point: Point) -> float:
        parts = zip(point, best, extents, strict=True)
        return math.hypot(*((cost - least) / extent if extent > 0 else 0.0 for cost, least, extent in parts))

    return min(range(len(points)), key=lambda index: (distance(points[index]), index))
