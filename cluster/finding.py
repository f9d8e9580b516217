"""What a check of `doctor` came to, of this machine, a storage or a cluster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """ok: None where it is not known from here. mend: how to mend it, or to find it out, where it is not `ok`."""

    check: str
    ok: bool | None
    found: str
    mend: str = ""
