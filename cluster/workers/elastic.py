"""How many workers a run gets: the largest power of two that the machines have room for. Pure functions; Ray is asked elsewhere.

Sizes are powers of two that divide the replicas, because only those have the same sum to the bit (decisions 002 and 007).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

TOLERANCE = 1e-4  # Ray counts resources in steps of this


def sizes(least: int, most: int, replicas: int) -> list[int]:
    """The numbers of workers that a run may have, ascending; empty where there is no such number from `least` to `most`."""
    powers = (2**i for i in range(most.bit_length()))
    return [n for n in powers if least <= n <= most and replicas % n == 0]


def room(bundle: Mapping[str, float], free: Iterable[Mapping[str, float]]) -> int:
    """How many workers that take `bundle` each fit into what is `free` on each node. A bundle takes more than nothing."""
    asked = {kind: amount for kind, amount in bundle.items() if amount > 0}
    assert asked, "a worker takes something"
    return sum(
        min(math.floor((node.get(kind, 0.0) + TOLERANCE) / amount) for kind, amount in asked.items()) for node in free
    )


def choose(
    least: int, most: int, replicas: int, bundle: Mapping[str, float], free: Iterable[Mapping[str, float]]
) -> int | None:
    """The largest size that fits, or None where not even the smallest does."""
    most = min(most, room(bundle, free))
    return max(sizes(least, most, replicas), default=None)
