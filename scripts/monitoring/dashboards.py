"""The dashboards: which there are, their variables, the links between them, and what is marked on their time axis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from cluster.monitoring import series as s
from scripts.monitoring import infrastructure, overview, trial
from scripts.monitoring.alert import Alert
from scripts.monitoring.panels import RATE, SOURCE, STEP, Row
from scripts.monitoring.promql import increase, of, total
from scripts.monitoring.rules import alerts
from scripts.monitoring.variables import ONE_SWEEP, ONE_TRIAL

TAG = "i2i-cluster"
SCHEMA = 42  # of dashboards; the SDK's own


@dataclass(frozen=True)
class Dashboard:
    """One of them. uid: also its file's name, and its address in Grafana."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    of_trials: bool = False


ALL = (
    Dashboard(
        overview.UID,
        "i2i-cluster: sweep overview",
        "How far a sweep is, what its trials came to, what it costs, and what went wrong.",
        overview.ROWS,
    ),
    Dashboard(
        trial.UID,
        "i2i-cluster: trial detail",
        "The course of one or several trials: losses, the balance of the game, health, speed, checkpoints.",
        trial.ROWS,
        of_trials=True,
    ),
    Dashboard(
        infrastructure.UID,
        "i2i-cluster: infrastructure",
        "The object store, caches, checkpoints, restarts and GPUs below a sweep.",
        infrastructure.ROWS,
    ),
)

# What is marked: name, colour, expression that is above 0 when it happened, text.
MARKS = (
    (
        "restarts",
        "orange",
        total(increase(s.RESTARTED, RATE, **ONE_SWEEP), "reason"),
        "trial started again: {{reason}}",
    ),
    ("drivers", "purple", f"changes({of(s.OPENED_AT, **ONE_SWEEP)}[{RATE}])", "another driver took the sweep up"),
    ("exploits", "yellow", total(increase(s.EXPLOITS, RATE, **ONE_SWEEP)), "a trial went on from another's checkpoint"),
    ("stops", "blue", f"changes({of(s.TRIALS, state='stopped', **ONE_SWEEP)}[{RATE}])", "a trial was stopped early"),
)
TRIAL_MARKS = (
    ("checkpoints", "green", f"changes({of(s.SAVED_STEP, **ONE_TRIAL)}[{RATE}])", "checkpoint of trial {{trial}}"),
)


def _variables(of_trials: bool) -> list[build.DatasourceVariable | build.QueryVariable]:
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    sweep = build.QueryVariable("sweep").label("Sweep").query(f"label_values({s.INFO.name}, sweep)")
    sweep = sweep.datasource(SOURCE).refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    found: list[build.DatasourceVariable | build.QueryVariable] = [source, sweep]
    if of_trials:
        one = build.QueryVariable("trial").label("Trial").datasource(SOURCE)
        one = one.query(f"label_values({of(s.PROGRESS, **ONE_SWEEP)}, trial)")
        one = one.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.NUMERICAL_ASC)
        found.append(one.multi(True).include_all(True).all_value(".*"))
    return found


def _marks(of_trials: bool) -> list[build.AnnotationQuery]:
    found = []
    for name, color, expr, text in (*MARKS, *(TRIAL_MARKS if of_trials else ())):
        asked = prometheus.Dataquery().expr(f"{expr} > 0").range().ref_id("Anno").datasource(SOURCE).interval(STEP)
        mark = build.AnnotationQuery().name(name).datasource(SOURCE).icon_color(color).enable(True).target(asked)
        found.append(mark.expr(f"{expr} > 0").step(STEP).title_format(name).text_format(text))
    return found


def _link() -> build.DashboardLink:
    link = build.DashboardLink("i2i-cluster").type(model.DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(False)
    return link.include_vars(True).keep_time(True).icon("dashboard").tooltip("the other dashboards, of the same sweep")


def made(one: Dashboard, known: Mapping[str, Alert]) -> model.Dashboard:
    """As Grafana's."""
    found = build.Dashboard(one.title).uid(one.uid).description(one.description).tags([TAG]).editable()
    found = found.time("now-6h", "now").refresh("30s").timezone("browser").tooltip(model.DashboardCursorSync.CROSSHAIR)
    for variable in _variables(one.of_trials):
        found = found.with_variable(variable)
    for mark in _marks(one.of_trials):
        found = found.annotation(mark)
    found = found.link(_link())
    y, number = 0, 1
    for row in one.rows:
        head = build.Row(row.title).id(number).grid_pos(model.GridPos(h=1, w=24, x=0, y=y))
        found = found.with_row(head)
        panels, y = row.placed(y + 1, number + 1, known)
        for panel in panels:
            found = found.with_panel(panel)
        number += 1 + len(panels)
    return found.build()


def files() -> dict[str, str]:
    """Path below k8s/ -> text."""
    known = {alert.slug: alert for alert in alerts()}
    return {
        f"monitoring/dashboards/{one.uid}.json": json.dumps(
            made(one, known), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n"
        for one in ALL
    }
