"""What time it is at a server, by the Date header of its answers, against this machine's clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from cluster.finding import Finding
from cluster.log.lease import FRESH_S

MOST_SKEW_S = FRESH_S / 2  # beyond this a driver on another machine might be taken for dead
MEND = "set the clocks, with NTP"


def date_of(headers: Mapping[str, str]) -> float | None:
    """Seconds since 1970 by the server that answered, to the second; None where it does not say."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return None


def clock_finding(check: str, there: float | None, whose: str) -> Finding:
    """How far the clocks are apart. whose: of the server, such as "the head's"."""
    if there is None:
        return Finding(check, None, f"{whose} clock is not known from here: its answers have no date", "look there")
    skew = time.time() - there
    if abs(skew) <= MOST_SKEW_S:
        return Finding(check, True, f"within {MOST_SKEW_S:g} s of ours")
    far = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} {whose}"
    return Finding(check, False, far, MEND)
