"""Dashboards show what there is, with the alerts' own thresholds, and are what Grafana's schema allows."""

import copy
import json
import re
from pathlib import Path

import jsonschema
import pytest

from cluster.monitoring.series import ALL as SERIES
from scripts.monitoring import dashboards
from scripts.monitoring.panels import COLORS, HEALTHY, JUST_ABOVE
from scripts.monitoring.rules import alerts
from tests.monitoring.lint import RECORDED, expressions, lint, panels

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT.parent / "shared" / "grafana-schemas" / "dashboard.jsonschema.json"
MADE = {Path(path).stem: json.loads(text) for path, text in dashboards.files().items()}
ROWS = {one.uid: one.rows for one in dashboards.ALL}
ALERTS = {alert.slug: alert for alert in alerts()}
# Shown by no panel: what others say as well. The share of the wait is that of its seconds, over any time.
UNSHOWN = {
    *("i2i_train_images_total", "i2i_train_steps_total", "i2i_sweep_steps_total", "i2i_train_data_wait_ratio"),
    "i2i_train_last_report_timestamp_seconds",
}


@pytest.mark.parametrize("uid", MADE)
def test_nothing_is_wrong_with_it(uid):
    assert lint(MADE[uid]) == []
    assert MADE[uid]["uid"] == uid and MADE[uid]["schemaVersion"] == dashboards.SCHEMA


@pytest.mark.skipif(not SCHEMA.exists(), reason=f"no schema of dashboards in {SCHEMA.parent}")
@pytest.mark.parametrize("uid", MADE)
def test_grafana_s_schema_allows_it(uid):
    check = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [error.message for error in check.iter_errors(MADE[uid])] == []
    assert not check.is_valid(MADE[uid] | {"titel": "x"})


def test_every_series_is_in_some_dashboard_or_behind_a_recorded_one():
    shown = "\n".join(expr for made in MADE.values() for expr in expressions(made))
    behind = "\n".join(one.expr for one in RECORDED.values() if one.name in shown)
    missing = {one.name for one in SERIES if not re.search(rf"\b{one.name}\b", shown + behind)}
    assert missing == UNSHOWN


def test_the_lines_are_the_alerts():
    drawn = set()
    for uid, rows in ROWS.items():
        made = {panel["title"]: panel for panel in panels(MADE[uid])}
        for panel in [panel for row in rows for panel in row.panels]:
            steps = made[panel.title]["fieldConfig"]["defaults"]["thresholds"]["steps"]
            wanted = {(ALERTS[slug].threshold or JUST_ABOVE) for slug in panel.alerts}
            assert {step["value"] for step in steps[1:]} == wanted, panel.title
            sick = {COLORS[ALERTS[slug].severity] for slug in panel.alerts}
            assert {step["color"] for step in steps} == {HEALTHY, *sick}, panel.title
            assert all(panel.unit == ALERTS[slug].unit for slug in panel.alerts), panel.title
            drawn |= set(panel.alerts)
    assert drawn == set(ALERTS) - {"exporter-down"}, "a target that is down has no series to draw"


def test_they_lead_to_each_other_and_a_row_of_the_leaderboard_to_its_trial():
    for made in MADE.values():
        (link,) = made["links"]
        assert link["tags"] == made["tags"] and link["includeVars"] and link["keepTime"]
    board = next(panel for panel in panels(MADE["i2i-sweep"]) if panel["title"].startswith("Best scores"))
    (link,) = board["fieldConfig"]["defaults"]["links"]
    assert link["url"].startswith("/d/i2i-trial?") and "var-trial=${__data.fields.trial}" in link["url"]
    assert "i2i-trial" in MADE


def test_what_happened_is_marked():
    marks = {uid: [one["name"] for one in made["annotations"]["list"]] for uid, made in MADE.items()}
    assert marks["i2i-sweep"] == ["restarts", "drivers", "exploits", "stops"]
    assert marks["i2i-trial"] == [*marks["i2i-sweep"], "checkpoints"]


def test_a_config_map_can_be_applied():
    for uid, text in dashboards.files().items():
        assert len(text.encode()) < 200_000, uid  # kubectl keeps what it applied in an annotation of at most 256 KiB


def changed(panel, key, value):
    """The trial's dashboard with another value in one of its panels."""
    made = copy.deepcopy(MADE["i2i-trial"])
    panels(made)[panel][key] = value
    return made


def with_expr(expr):
    made = copy.deepcopy(MADE["i2i-trial"])
    panels(made)[0]["targets"][0]["expr"] = expr
    return made


@pytest.mark.parametrize(
    ("dashboard", "told"),
    [
        (MADE["i2i-trial"] | {"uid": ""}, "no uid"),
        (MADE["i2i-trial"] | {"tags": []}, "no tags"),
        (MADE["i2i-trial"] | {"links": []}, "leads nowhere"),
        (MADE["i2i-trial"] | {"templating": {"list": []}}, "no variable sweep"),
        (changed(0, "description", ""), "no description"),
        (changed(0, "datasource", {"type": "prometheus", "uid": "abc"}), "another data source"),
        (changed(1, "title", panels(MADE["i2i-trial"])[0]["title"]), "two panels"),
        (changed(1, "gridPos", panels(MADE["i2i-trial"])[0]["gridPos"]), "covers"),
        (changed(1, "gridPos", {"x": 20, "y": 900, "w": 8, "h": 8}), "beyond the edge"),
        (changed(1, "id", panels(MADE["i2i-trial"])[0]["id"]), "one id"),
        (with_expr('i2i_train_los{sweep="$sweep"}'), "i2i_train_los is not declared"),
        (with_expr('i2i_train_loss{sweep="$sweep", step="1"}'), "has no label step"),
        (with_expr('max by (sweep, step) (i2i_train_loss{sweep="$sweep"})'), "nothing has the label step"),
        (with_expr('rate(i2i_train_loss{sweep="$sweep"}[$__rate_interval])'), "rate of i2i_train_loss"),
        (with_expr('changes(i2i_train_steps_total{sweep="$sweep"}[$__rate_interval])'), "changes of"),
        (with_expr('rate(i2i_train_steps_total{sweep="$sweep"}[5m])'), "the window 5m"),
        (with_expr("i2i_train_loss"), "is not of the sweep"),
    ],
)
def test_a_mistake_is_found(dashboard, told):
    found = lint(dashboard)
    assert any(told in line for line in found), found
