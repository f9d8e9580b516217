"""95 % intervals of means of a few numbers, by Student's t."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

# Student's t, two-sided 95 %, by degrees of freedom from 1 on; of more the normal's would do, and the last is the safer.
_T_975 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
)


def t_975(freedom: int) -> float:
    """Student's t, two-sided 95 %, of so many degrees of freedom from 1 on."""
    return _T_975[min(freedom, len(_T_975)) - 1]


def margin(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean of independent values; infinite where there is one alone."""
    if len(values) < 2:
        return math.inf
    return t_975(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
