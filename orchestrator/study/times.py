"""Short times as people write them, `1s` or `250ms`, in milliseconds: what the rest of the program waits for takes longer."""

from __future__ import annotations

import re

from orchestrator.errors import Refusal, show
from orchestrator.sweep_file.quantities import read_duration

MILLISECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?) *ms")


def read_ms(text: str, option: str, least: int, most: int) -> int:
    """Milliseconds, rounded, from `least` to `most`. Raises Refusal that names the option."""
    found = MILLISECONDS.fullmatch(text.strip().casefold())
    try:
        number = float(found[1]) if found else 1000 * read_duration(text)
    except ValueError:
        problem = f"must be a time with its unit (such as 1s or 250ms), not {show(text)}"
        raise Refusal(problem, path=option, value=text) from None
    if not least <= number <= most:
        raise Refusal(f"must be from {ms_text(least)} to {ms_text(most)}, not {show(text)}", path=option, value=text)
    return round(number)


def ms_text(number: int) -> str:
    """Such as 250 ms, 1 s or 1.5 s."""
    return f"{number / 1000:g} s" if number >= 1000 else f"{number} ms"
