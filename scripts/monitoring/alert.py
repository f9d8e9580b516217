"""What an alert is; `training_alerts.py` and `sweep_alerts.py` declare them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FOLDER = "docs/runbooks"
JOB = "i2i"  # of the entry in Prometheus's configuration that docs/monitoring.md shows


class Severity(StrEnum):
    """critical: money is being burnt for nothing, look now. warning: look today. info: know it."""

    critical = "critical"
    warning = "warning"
    info = "info"


class Unit(StrEnum):
    """Of what an alert compares, as Grafana names it."""

    share = "percentunit"
    seconds = "s"
    plain = "short"


@dataclass(frozen=True)
class Alert:
    """One of them. slug: of its runbook, and its name in other letters. labels: those that it has by its expression.

    threshold: what is above it is unhealthy if `above`, else what is below. wait: how long it must be so, in seconds as they are
    meant. hushes: slugs of alerts that follow from this one, and need not be told beside it.
    """

    slug: str
    severity: Severity
    expr: str
    threshold: float
    unit: Unit
    wait: float
    summary: str
    description: str
    labels: tuple[str, ...]
    above: bool = True
    hushes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As Prometheus has it."""
        return "I2I" + "".join(part[:1].upper() + part[1:] for part in self.slug.split("-"))

    @property
    def threshold_text(self) -> str:
        """With its unit."""
        if self.unit is Unit.share:
            return f"{100 * self.threshold:g} %"
        return f"{self.threshold:g} s" if self.unit is Unit.seconds else f"{self.threshold:g}"

    @property
    def file(self) -> str:
        """Its runbook, from the root of the repository."""
        return f"{FOLDER}/{self.slug}.md"
