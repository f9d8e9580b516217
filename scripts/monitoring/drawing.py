"""How a dashboard's panels are drawn: lines over time, large numbers and tables, each at its place in the dashboard's grid."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from scripts.monitoring.asking import Line, Prometheus
from scripts.monitoring.panels import HEALTHY, WIDTH

CELL = 0.62, 0.27  # inches of a cell of it
DPI, COLOURS = 84, 200
HEAD = 2  # cells above the panels, for what this is
EDGE = 0.8, 1.2, 0.4, 1.0  # cells of a panel kept free: left, below, right, above
NAMED = 8  # lines in a legend
MOST_COLUMNS, MOST_ROWS = 4, 12  # of a table; one with more columns is turned
NOTE = "drawn by scripts/monitoring/picture.py from live queries of a Prometheus, not by Grafana"
NOTHING = "no data"
COLOR = {HEALTHY: "black", "red": "tab:red", "orange": "tab:orange", "blue": "tab:blue"}


@dataclass(frozen=True)
class Shot:
    """A dashboard's file, whom to ask, what to put for variables, and from when to when: seconds since 1970."""

    dashboard: Mapping[str, Any]
    asked: Prometheus
    fill: Callable[[str], str]
    start: float
    end: float
    step: float

    def over(self, expr: str) -> list[Line]:
        """An expression's lines that have anything to draw. Raises NoAnswer."""
        lines = self.asked.over(self.fill(expr), self.start, self.end, self.step)
        return [line for line in lines if line.finite]

    def last(self, expr: str) -> list[Line]:
        """What it came to at the end. Raises NoAnswer."""
        return self.asked.at(self.fill(expr), self.end)


def draw(shot: Shot) -> tuple[bytes, list[str]]:
    """The picture as a PNG, and the titles of the panels that have nothing to show. Raises NoAnswer."""
    panels = shot.dashboard["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) + HEAD
    figure = Figure(figsize=(WIDTH * CELL[0], rows * CELL[1]))
    figure.text(0.01, 1 - 0.6 / rows, shot.dashboard["title"], size=13, weight="bold", va="center")
    seconds = shot.end - shot.start
    figure.text(0.01, 1 - 1.5 / rows, f"{shown(seconds, 's')} of a real sweep; {NOTE}", size=8, va="center")
    marks = [(mark["iconColor"], list(_moments(shot, mark["target"]["expr"]))) for mark in _marks(shot.dashboard)]
    empty = []
    for panel in panels:
        place = panel["gridPos"]
        top = 1 - (HEAD + place["y"]) / rows
        if panel["type"] == "row":
            figure.text(0.01, top - 0.5 / rows, panel["title"], size=10, weight="bold", color="0.35", va="center")
            continue
        left, below, right, above = EDGE
        axes = figure.add_axes(
            (
                (place["x"] + left) / WIDTH,
                top - (place["h"] - below) / rows,
                (place["w"] - left - right) / WIDTH,
                (place["h"] - below - above) / rows,
            )
        )
        axes.set_title(panel["title"], size=8.5, loc="left", pad=3)
        if not KINDS[panel["type"]](shot, panel, axes):
            empty.append(panel["title"])
            axes.text(0.5, 0.5, NOTHING, size=8, color="0.6", ha="center", va="center", transform=axes.transAxes)
        elif panel["type"] == "timeseries":
            for color, moments in marks:
                for moment in moments:
                    axes.axvline(moment - shot.start, color=color, lw=0.6, ls=":")
    return _png(figure), empty


def _png(figure: Figure) -> bytes:
    """With a palette: a fifth of the size."""
    plain, small = io.BytesIO(), io.BytesIO()
    figure.savefig(plain, format="png", dpi=DPI)
    rare = Image.Quantize.MAXCOVERAGE  # the usual method loses a thin line's colour
    Image.open(plain).convert("RGB").quantize(COLOURS, rare).save(small, "PNG", optimize=True)
    return small.getvalue()


def _series(shot: Shot, panel: Mapping[str, Any], axes: Axes) -> bool:
    """Lines over time, with the thresholds of alerts as dashed ones."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    drawn = 0
    for target in panel["targets"]:
        for line in shot.over(target["expr"]):
            x, y = zip(*line.points, strict=True)
            label = named(target["legendFormat"], line.labels) if drawn < NAMED else None
            axes.plot([moment - shot.start for moment in x], y, lw=1, label=label)
            drawn += 1
    axes.set_xlim(0, shot.end - shot.start)
    axes.tick_params(labelsize=6.5, length=2, pad=1.5)
    axes.locator_params(nbins=6)
    axes.xaxis.set_major_formatter(lambda value, _: shown(value, "s"))
    axes.yaxis.set_major_formatter(lambda value, _: shown(value, unit))
    axes.spines[["top", "right"]].set_visible(False)
    if not drawn:
        axes.set_axis_off()
        return False
    limits = [panel["fieldConfig"]["defaults"].get(name) for name in ("min", "max")]
    if limits != [None, None]:
        axes.set_ylim(*limits)
    for value, color in _steps(panel):
        axes.axhline(value, color=color, lw=0.8, ls="--")
    axes.legend(fontsize=6.5, frameon=False, ncols=2, loc="best", borderpad=0, handlelength=1)
    return True


def _number(shot: Shot, panel: Mapping[str, Any], axes: Axes) -> bool:
    """The last value, in the colour of the threshold that it has passed."""
    axes.set_axis_off()
    lines = [line for target in panel["targets"] for line in shot.over(target["expr"])]
    if not lines:
        return False
    value = lines[0].finite[-1][1]
    color = [step["color"] for step in _thresholds(panel) if step["value"] is None or value >= step["value"]][-1]
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.text(
        0.5, 0.4, shown(value, unit), size=18, color=COLOR[color], ha="center", va="center", transform=axes.transAxes
    )
    return True


def _table(shot: Shot, panel: Mapping[str, Any], axes: Axes) -> bool:
    """A row for each set of labels."""
    axes.set_axis_off()
    lines = [line for target in panel["targets"] for line in shot.last(target["expr"])]
    if not lines:
        return False
    (organize,) = panel["transformations"]
    hidden = organize["options"]["excludeByName"]
    unit = panel["fieldConfig"]["defaults"]["unit"]
    rows = [
        {**line.labels} | ({} if hidden.get("Value") else {"value": shown(line.points[0][1], unit)}) for line in lines
    ]
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if not hidden.get(name)]
    table = [names, *([row.get(name, "") for name in names] for row in rows)]
    if len(names) > MOST_COLUMNS:
        table = [list(column) for column in zip(*table, strict=True)]
    for number, texts in enumerate(table[:MOST_ROWS]):
        for column, text in enumerate(texts):
            at = column / len(texts), 0.95 - number / MOST_ROWS
            axes.text(
                *at, text, size=7.5, color="0.35" if text in names else "black", va="top", transform=axes.transAxes
            )
    return True


KINDS: Mapping[str, Callable[[Shot, Mapping[str, Any], Axes], bool]] = {
    "timeseries": _series,
    "stat": _number,
    "table": _table,
}


def _marks(dashboard: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = dashboard["annotations"]["list"]
    return found


def _moments(shot: Shot, expr: str) -> Iterator[float]:
    """When what is marked began to be so, each time."""
    for line in shot.over(expr):
        before = -float("inf")
        for moment, _ in line.points:
            if moment - before > 1.5 * shot.step:
                yield moment
            before = moment


def _thresholds(panel: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """As Grafana has them: the colour from a value on, the first one's being None."""
    found: Sequence[Mapping[str, Any]] = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return found


def _steps(panel: Mapping[str, Any]) -> list[tuple[float, str]]:
    """The values at which it begins or ends to be unhealthy, with the colour of what is so."""
    return [
        (step["value"], COLOR[below["color"] if step["color"] == HEALTHY else step["color"]])
        for below, step in pairwise(_thresholds(panel))
    ]


def named(legend: str, labels: Mapping[str, str]) -> str:
    """A line's name: text with {{label}}."""
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend)


def shown(value: float, unit: str) -> str:
    """A number with its unit, as Grafana names that: three digits."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    name = UNITS[unit]
    for size, larger in TIMES if unit == "s" else SIZES:
        if abs(value) >= size:
            return f"{value / size:.3g} {larger if unit == 's' else larger + name}"
    return f"{value:.3g} {name}".strip()


TIMES, SIZES = ((3600, "h"), (60, "min")), ((1e9, "G"), (1e6, "M"), (1e3, "k"))
UNITS = {"short": "", "s": "s", "bytes": "B", "Bps": "B/s", "ops": "/s", "reqps": "/s"}
