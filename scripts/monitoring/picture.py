"""Draws a dashboard's panels from live queries of a Prometheus, where there is no Grafana.

    python -m scripts.monitoring.picture --url http://127.0.0.1:9090 --dashboard i2i-trial --last 300 --out trial.png

It reads the dashboard's own file: places, titles, queries, units and thresholds are those that Grafana would read. How they look is
this script's business, and no word about Grafana's. Panels without a value are named on standard output.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.monitoring import series as s
from scripts.monitoring.asking import NoAnswer, Prometheus, filled
from scripts.monitoring.drawing import Shot, draw
from scripts.monitoring.write import ROOT

FOLDER = ROOT / "k8s" / "monitoring" / "dashboards"
POINTS = 240  # of a line


class NotThere(ValueError):
    """There is no such dashboard or sweep. One line."""


def dashboard(uid: str) -> Mapping[str, Any]:
    """The file of a dashboard. Raises NotThere."""
    known = {path.stem: path for path in FOLDER.glob("*.json")}
    if uid not in known:
        raise NotThere(f"--dashboard: there is no {uid}; there are {', '.join(sorted(known))}")
    found: dict[str, Any] = json.loads(known[uid].read_text(encoding="utf-8"))
    return found


def sweep_id(asked: Prometheus, named: str, start: float, end: float, step: float) -> str:
    """The sweep with that id or name among those that were seen; the only one where none is named. Raises NotThere, NoAnswer."""
    seen = {line.labels["sweep"]: line.labels["name"] for line in asked.over(s.INFO.name, start, end, step)}
    found = [one for one, name in seen.items() if named in ("", one, name)]
    if len(found) != 1:
        told = ", ".join(f"{name} ({one})" for one, name in sorted(seen.items())) or "none"
        what = f"there was no {named}" if named else "has to be named"
        raise NotThere(f"--sweep: {what}; in that time there were: {told}")
    return found[0]


def shot(given: argparse.Namespace, asked: Prometheus) -> Shot:
    """What is to be drawn. Raises NotThere, NoAnswer."""
    start, end = given.end - given.last, given.end
    step = given.last / POINTS
    made = dashboard(given.dashboard)
    sweep = sweep_id(asked, given.sweep, start, end, step)
    window = f"{round(1000 * max(4 * step, given.window))}ms"

    def fill(expr: str) -> str:
        return filled(expr, sweep, window, given.trial)

    return Shot(made, asked, fill, start, end, step)


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(description="Draw a dashboard's panels from live queries of a Prometheus.")
    options.add_argument("--url", default="http://127.0.0.1:9090", help="of the Prometheus")
    options.add_argument("--dashboard", required=True, help="its uid, such as i2i-trial")
    options.add_argument("--sweep", default="", help="id or name; the only one there is, unless it is named")
    options.add_argument("--trial", default=".*", help="a regular expression of trials")
    options.add_argument("--last", type=float, default=1800.0, help="seconds to look back")
    options.add_argument("--end", type=float, default=time.time(), help="seconds since 1970; now, unless it is named")
    options.add_argument("--window", type=float, default=10.0, help="seconds of a rate, at least")
    options.add_argument("--out", type=Path, required=True, help="a PNG file")
    given = options.parse_args()
    if not given.last > 0:
        options.error(f"--last: must be above 0, not {given.last:g}")
    try:
        picture, empty = draw(shot(given, Prometheus(given.url.rstrip("/"))))
        given.out.write_bytes(picture)
    except (NotThere, NoAnswer, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    for title in empty:
        print(f"empty: {title}")


if __name__ == "__main__":
    main()
