"""What is wrong with a dashboard: our own rules, which no schema has. Each check gives what it found, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cluster.monitoring.series import ALL, Kind
from scripts.monitoring.promql import Clock
from scripts.monitoring.recording import recordings

Dashboard = Mapping[str, Any]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SERIES = {one.name: one for one in ALL}
RECORDED = {one.name: one for one in recordings(Clock()).rules()}
NAME = re.compile(r"\b(?:\w+:)?i2i_\w+(?::\w+)?\b")
RANGE = re.compile(r"(\w+)\((\w+)(?:\{[^}]*\})?\[([^\]]+)\]\)")
COUNTED = ("rate", "increase")
# Functions of ranges that mean something for what goes up and down.
OF_GAUGES = ("changes", "avg_over_time")
GROUPS = re.compile(r"\b(?:by|on) \(([^)]*)\)")
LABELS = re.compile(r"(\w+)(=~|=)\"")


def panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    """Those that show something."""
    return [one for one in dashboard["panels"] if one["type"] != "row"]


def expressions(dashboard: Dashboard) -> list[str]:
    """Of panels and of what is marked on the time axis."""
    shown = [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]
    return shown + [mark["target"]["expr"] for mark in dashboard["annotations"]["list"]]


def lint(dashboard: Dashboard) -> list[str]:
    """All that is wrong with it."""
    checks = (_head, _panels, _sources, _overlaps, _variables)
    found = [line for check in checks for line in check(dashboard)]
    return found + [line for expr in expressions(dashboard) for line in (*wrong(expr), *_in_dashboard(expr))]


def wrong(expr: str) -> Iterator[str]:
    """What is wrong with an expression anywhere: names and labels that nobody declared, rates of what does not count."""
    for name in NAME.findall(expr):
        if name not in SERIES and name not in RECORDED:
            yield f"{name} is not declared"
    labels = {"sweep", "budget", "job", "instance", *(label for one in ALL for label in one.labels)}
    for grouped in GROUPS.findall(expr):
        yield from (f"nothing has the label {one}" for one in set(grouped.split(", ")) - labels if one)
    for name, inside in re.findall(r"([\w:]+)\{([^}]*)\}", expr):
        known = {"sweep", *SERIES[name].labels} if name in SERIES else _labels_of(name)
        yield from (f"{name} has no label {one}" for one, _ in LABELS.findall(inside) if one not in known)
    for function, name, _ in RANGE.findall(expr):
        counts = name in SERIES and SERIES[name].kind is Kind.counter
        if counts != (function in COUNTED) or function not in (*COUNTED, *OF_GAUGES):
            yield f"{function} of {name}"


def _labels_of(name: str) -> set[str]:
    if name == "up":
        return {"job", "instance"}
    return {*RECORDED[name].labels, *dict(RECORDED[name].fixed)} if name in RECORDED else set()


def _in_dashboard(expr: str) -> Iterator[str]:
    for window in re.findall(r"\[([^\]]+)\]", expr):
        if window != "$__rate_interval":
            yield f"the window {window} is not $__rate_interval"
    if 'sweep="$sweep"' not in expr:
        yield f"{expr} is not of the sweep that was chosen"


def _head(dashboard: Dashboard) -> Iterator[str]:
    yield from (f"no {key}" for key in ("uid", "title", "tags", "description") if not dashboard.get(key))
    if not dashboard.get("links"):
        yield "it leads nowhere"


def _panels(dashboard: Dashboard) -> Iterator[str]:
    titles = [panel["title"] for panel in panels(dashboard)]
    yield from (f"two panels {title}" for title in {one for one in titles if titles.count(one) > 1})
    for panel in panels(dashboard):
        fields = panel["fieldConfig"]["defaults"]
        for key, value in (("unit", fields.get("unit")), ("description", panel.get("description"))):
            if not value:
                yield f"{panel['title']}: no {key}"
        if not fields.get("thresholds", {}).get("steps"):
            yield f"{panel['title']}: no thresholds"
        if panel["type"] == "timeseries" and not all(target.get("legendFormat") for target in panel["targets"]):
            yield f"{panel['title']}: a line without a name"
        for target in panel["targets"]:
            shown = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
            if shown - {label for one in ALL for label in one.labels} - {"budget"}:
                yield f"{panel['title']}: {target['legendFormat']} names a label that there is not"


def _sources(dashboard: Dashboard) -> Iterator[str]:
    chosen = [one for one in dashboard["templating"]["list"] if one["type"] == "query"]
    marks = dashboard["annotations"]["list"]
    for one in (*panels(dashboard), *chosen, *marks, *(t for panel in panels(dashboard) for t in panel["targets"])):
        if one.get("datasource") != SOURCE:
            yield f"{one.get('title') or one.get('name') or one.get('expr')}: another data source"


def _overlaps(dashboard: Dashboard) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            yield f"{panel['title']}: beyond the edge"
        cells = [(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])]
        if found := {taken[cell] for cell in cells if cell in taken}:
            yield f"{panel['title']} covers {', '.join(sorted(found))}"
        taken |= dict.fromkeys(cells, panel["title"])
    numbers = [panel["id"] for panel in dashboard["panels"]]
    if len(set(numbers)) < len(numbers):
        yield "two panels have one id"


def _variables(dashboard: Dashboard) -> Iterator[str]:
    known = {one["name"] for one in dashboard["templating"]["list"]}
    yield from (f"no variable {name}" for name in ("datasource", "sweep") if name not in known)
    for expr in expressions(dashboard):
        for name in re.findall(r"\$(\w+)", expr):
            if name not in known and not name.startswith("__"):
                yield f"no variable {name}"
