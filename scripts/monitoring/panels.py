"""What a panel shows, and how it becomes one of Grafana's: its place, its unit, and the lines of the alerts that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from scripts.monitoring.alert import Alert, Severity

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
RATE = "$__rate_interval"
STEP = "1m"  # the finest; numbers of workers come with reports, and are no denser than that
WIDTH = 24  # of a dashboard
HEALTHY = "green"
COLORS: Mapping[Severity, str] = {Severity.critical: "red", Severity.warning: "orange", Severity.info: "blue"}
JUST_ABOVE = (
    1e-9  # a threshold of Grafana colours its own value too, an alert's does not: with 0 that would be everything
)
Built = timeseries.Panel | stat.Panel | table.Panel
Some = TypeVar("Some", timeseries.Panel, stat.Panel, table.Panel)


@dataclass(frozen=True)
class Query:
    """An expression, and what its lines are called: text with {{label}}."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """A panel: lines over time. alerts: slugs of those whose thresholds are drawn. unit: as Grafana names it. most: of its axis."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    alerts: tuple[str, ...] = ()
    width: int = 8
    height: int = 8
    most: float | None = None

    def made(self, known: Mapping[str, Alert]) -> Built:
        """As Grafana's."""
        panel = timeseries.Panel().interval(STEP).span_nulls(False).fill_opacity(0)
        legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        panel = panel.legend(legend.show_legend(True).calcs([]))
        if self.alerts:
            mode = GraphThresholdsStyleMode.DASHED
            panel = panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(mode))
        return _common(self, panel, known, prometheus.Dataquery().range())


@dataclass(frozen=True)
class Number(Panel):
    """Its last value, large."""

    width: int = 4
    height: int = 4

    def made(self, known: Mapping[str, Alert]) -> Built:
        """As Grafana's."""
        panel = stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        return _common(self, panel, known, prometheus.Dataquery().range())


@dataclass(frozen=True)
class Table(Panel):
    """Its last values, a row for each set of labels. links: title and address to which a cell leads. hidden: columns left out."""

    width: int = 12
    links: tuple[tuple[str, str], ...] = ()
    hidden: tuple[str, ...] = ("Time", "__name__", "instance", "job")

    def made(self, known: Mapping[str, Alert]) -> Built:
        """As Grafana's."""
        query = prometheus.Dataquery().instant().format(PromQueryFormat.TABLE)
        panel = _common(self, table.Panel(), known, query)
        assert isinstance(panel, table.Panel)
        options: dict[str, object] = {"excludeByName": dict.fromkeys(self.hidden, True)}
        panel = panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=options))
        links = [build.DashboardLink(title).url(url) for title, url in self.links]
        return panel.data_links([*links]) if links else panel


def _common(panel: Panel, made: Some, known: Mapping[str, Alert], query: prometheus.Dataquery) -> Some:
    """What all kinds have."""
    made = made.title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE)
    made = made.thresholds(thresholds([known[slug] for slug in panel.alerts]))
    if panel.most is not None:
        made = made.min(0).max(panel.most)
    made = made.targets([])
    for number, one in enumerate(panel.queries):
        asked = _copied(query).expr(one.expr).legend_format(one.legend).ref_id(chr(ord("A") + number))
        made = made.with_target(asked.datasource(SOURCE))
    return made


def _copied(query: prometheus.Dataquery) -> prometheus.Dataquery:
    """A builder of the same; builders are changed by what is asked of them."""
    built = query.build()
    again = prometheus.Dataquery()
    again = again.instant() if built.instant else again.range()
    return again.format(built.format_val) if built.format_val is not None else again


def thresholds(alerts: Sequence[Alert]) -> build.ThresholdsConfig:
    """The alerts' numbers as Grafana's steps: colours from a value on. At most one alert on either side of what is healthy."""
    below = [one for one in alerts if not one.above]
    above = [one for one in alerts if one.above]
    assert len(below) < 2 and len(above) < 2, [one.slug for one in alerts]
    steps = [model.Threshold(value=None, color=COLORS[below[0].severity] if below else HEALTHY)]
    steps += [model.Threshold(value=one.threshold, color=HEALTHY) for one in below]
    steps += [model.Threshold(value=one.threshold or JUST_ABOVE, color=COLORS[one.severity]) for one in above]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


@dataclass(frozen=True)
class Row:
    """Panels under one heading, set from left to right; those of a line are equally high."""

    title: str
    panels: tuple[Panel, ...]

    def placed(self, y: int, first: int, known: Mapping[str, Alert]) -> tuple[list[Built], int]:
        """Its panels below the line `y`, numbered from `first` on, and the line below them."""
        made: list[Built] = []
        x, height = 0, 0
        for panel in self.panels:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            place = model.GridPos(h=panel.height, w=panel.width, x=x, y=y)
            made.append(panel.made(known).id(first + len(made)).grid_pos(place))
            x, height = x + panel.width, max(height, panel.height)
        return made, y + height
