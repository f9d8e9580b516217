"""Counts, times and sizes as people write them: `20k` steps, `6h` of wall time, `4GB` of cache.

A bare number is refused where a unit decides its meaning: `wall: 6` could be hours or seconds, and a guess
costs a night. Each reader takes a value from a YAML file and raises ValueError with one clause that says
what would be right.
"""

from __future__ import annotations

import math
import re

from orchestrator.errors import show

COUNT_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
TIME_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
SIZE_UNITS = {
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)},
}
LARGEST_COUNT = 10**12  # far beyond any training, well inside every integer type downstream
SMALLEST_SINGLE, LARGEST_SINGLE = 2.0**-126, (2 - 2.0**-23) * 2.0**127  # above 0, of the arithmetic that trains
LARGEST_SIZE = 10**15  # bytes; no machine has as much memory
LONGEST_TIME = 36_500 * 86_400  # seconds: a hundred years


def plain_number(value: object) -> float | None:
    """The finite number that `value` is; None for text, true, false, infinities and everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def read_count(value: object, maximum: int = LARGEST_COUNT) -> int:
    """A whole number from 1 to `maximum`: `20000`, `20_000`, `2e4` or `20k`."""
    # A number of hundreds of digits is no float, and need not be one to be too large.
    number = value if isinstance(value, int) and not isinstance(value, bool) else plain_number(value)
    if number is None and isinstance(value, str):
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([km])", value.strip().casefold())
        # Rounding undoes the binary fraction: 1.1k is 1100.0000000000001 before it.
        number = round(float(match[1]) * COUNT_UNITS[match[2]], 6) if match else None
    if number is not None and number > maximum:
        raise ValueError(f"must be at most {maximum}, not {show(value)}")
    if number is None or number != int(number) or number < 1:
        raise ValueError(f"must be a whole number of at least 1 (such as 20_000 or 20k), not {show(value)}")
    return int(number)


def read_number(value: object, minimum: float = -math.inf, *, above: bool = False) -> float:
    """A finite number that is at least `minimum`, or greater than it if `above`."""
    number = plain_number(value)
    if number is None:
        raise ValueError(f"must be a number, not {show(value)}")
    if number < minimum or (above and number == minimum):
        bound = "greater than" if above else "at least"
        raise ValueError(f"must be {bound} {minimum:g}, not {show(value)}")
    return number


def single_problem(number: float) -> str:
    """What is wrong with a number that training must hold in fp32, to be read after its name; empty if nothing is."""
    if abs(number) > LARGEST_SINGLE:
        return f"must be at most {LARGEST_SINGLE:.2g}, the largest number that fp32 holds"
    if 0 < abs(number) < SMALLEST_SINGLE:
        return f"must be 0, or at least {SMALLEST_SINGLE:.2g}, the smallest number that fp32 holds"
    return ""


def read_duration(value: object) -> float:
    """Seconds: `90s`, `45m`, `6h`, `2d` or a sum of them (`1h30m`)."""
    text = value.strip().casefold() if isinstance(value, str) else ""
    if not re.fullmatch(r"(?:[0-9]+(?:\.[0-9]+)? *[smhd] *)+", text):
        raise ValueError(f"must be a time with its unit (such as 45m, 6h or 1h30m), not {show(value)}")
    seconds = sum(float(n) * TIME_UNITS[unit] for n, unit in re.findall(r"([0-9.]+) *([smhd])", text))
    if seconds <= 0:
        raise ValueError(f"must be longer than 0 s, not {show(value)}")
    if seconds > LONGEST_TIME:
        raise ValueError(f"must be at most {duration_text(LONGEST_TIME)}, not {show(value)}")
    return seconds


def read_size(value: object) -> int:
    """Bytes: `500MB`, `4GB` (powers of 1000), `4GiB` (powers of 1024)."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([kmgt]?i?b)", str(value).strip().casefold())
    if not isinstance(value, str) or not match or match[2] not in SIZE_UNITS:
        raise ValueError(f"must be a size with its unit (such as 500MB or 4GiB), not {show(value)}")
    size = float(match[1]) * SIZE_UNITS[match[2]]
    if size > LARGEST_SIZE:
        raise ValueError(f"must be at most {size_text(LARGEST_SIZE)}, not {show(value)}")
    return int(size)


def duration_text(seconds: float) -> str:
    """`seconds` in its two largest units: 5400 gives `1h30m`."""
    left, parts = round(seconds), []
    for unit, length in reversed(TIME_UNITS.items()):
        if left >= length:
            parts.append(f"{left // length}{unit}")
            left %= length
    return "".join(parts[:2]) or "0s"


def size_text(size: int) -> str:
    """`size` bytes with the largest unit of 1000 that keeps it at 1 or more: 256000000 gives `256MB`."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if size >= 1000**power:
            return f"{round(size / 1000**power, 2):g}{unit}"
    return f"{size}B"
