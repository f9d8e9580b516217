"""The head of each runbook: what its alert asks, at which threshold and for how long. What follows it is written by people."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

from scripts.monitoring.alert import FOLDER, Alert
from scripts.monitoring.promql import Clock, Recorded, span
from scripts.monitoring.recording import recordings

BODY = "## "  # what people write begins with the first heading of this kind


def head(alert: Alert, recorded: list[Recorded]) -> str:
    """Its first lines. recorded: all recording rules, of which it shows those that the alert asks."""
    used = {one.name: one.expr for one in reversed(recorded) if one.name in alert.expr}
    shown = [f"{name} =\n" + indent(expr, "  ") for name, expr in used.items()]
    lines = "\n".join([*shown, alert.expr])
    waits = f"for {span(alert.wait)}" if alert.wait else "at once"
    side = "above" if alert.above else "below"
    return (
        f"# {alert.name}\n\n{alert.summary}. Severity {alert.severity}; unhealthy is {side} {alert.threshold_text}, {waits}.\n\n"
        f"```\n{lines}\n```\n\n"
    )


def body(text: str) -> str:
    """What people wrote of a runbook; empty where it has no such part."""
    return text[text.index(BODY) :] if BODY in text else ""


def runbooks(root: Path, alerts: list[Alert]) -> dict[str, str]:
    """Path below the root -> text, of every alert's runbook: its head anew, and the body that it has on disk."""
    rules = recordings(Clock()).rules()
    found = {}
    for alert in alerts:
        file = root / alert.file
        written = body(file.read_text(encoding="utf-8")) if file.exists() else ""
        found[alert.file] = head(alert, rules) + written
    return found


def left_over(root: Path, alerts: list[Alert]) -> list[str]:
    """Runbooks that no alert has."""
    there = {f"{FOLDER}/{path.name}" for path in (root / FOLDER).glob("*.md")}
    return sorted(there - {alert.file for alert in alerts})
