"""Writes docs/metrics.md from the declaration of what a sweep exports.

    python -m scripts.metrics_page

A test holds the page against it.
"""

from __future__ import annotations

from pathlib import Path

from cluster.monitoring.page import page

FILE = Path(__file__).parent.parent / "docs" / "metrics.md"

if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
