"""What is kept is what the source makes, every alert has its runbook, and the rules ask only for what is exported."""

import shutil
import subprocess
import sys

import pytest
import yaml

from cluster.monitoring import series as s
from cluster.stopping import RULES, UNBOUNDED
from orchestrator.running.health import SILENT_S, WAITS
from scripts.monitoring.alert import Severity
from scripts.monitoring.promql import Clock, of, rate, span
from scripts.monitoring.recording import recordings
from scripts.monitoring.rules import alertmanager, alerts, groups
from scripts.monitoring.runbooks import body, left_over
from scripts.monitoring.write import ROOT, files
from tests.monitoring.lint import wrong

PROMTOOL, AMTOOL = shutil.which("promtool"), shutil.which("amtool")
ALERTS = {alert.slug: alert for alert in alerts()}
PARTS = ["## What it means", "## See it", "## Usual causes", "## What to do"]


def test_what_is_kept_is_what_the_source_makes():
    made = files()
    kept = {path: (ROOT / path).read_text(encoding="utf-8") for path in made}
    assert [path for path in made if kept[path] != made[path]] == [], (
        "make them again: python -m scripts.monitoring.write"
    )
    there = {f"k8s/monitoring/dashboards/{path.name}" for path in (ROOT / "k8s/monitoring/dashboards").glob("*.json")}
    assert there == {path for path in made if path.endswith(".json")}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert left_over(ROOT, alerts()) == []
    assert left_over(ROOT, alerts()[1:]) == [alerts()[0].file]
    for alert in alerts():
        text = (ROOT / alert.file).read_text(encoding="utf-8")
        written = body(text).splitlines()
        assert [line for line in written if line.startswith("## ")] == PARTS, alert.file
        assert 10 <= len([line for line in written if line]) <= 25, alert.file
        assert alert.expr in text and alert.threshold_text in text, alert.file
    assert all(body(text) for path, text in files().items() if path.endswith(".md"))


def test_the_page_lists_every_alert():
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if "](runbooks/" in line]
    assert len(rows) == len(alerts()) == 15, "the page counts them in words"
    for alert, row in zip(alerts(), rows, strict=True):
        assert row.startswith(f"| [`{alert.name}`](runbooks/{alert.slug}.md) | {alert.severity} | ")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: Debian package prometheus")
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_promtool_takes_the_rules(tmp_path, scale):
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(groups(Clock(scale))))
    done = subprocess.run([str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts()) + len(recordings(Clock()).rules())} rules found" in done.stdout


def test_rules_ask_only_for_what_is_exported():
    rules = [rule for group in groups()["groups"] for rule in group["rules"]]
    assert [line for rule in rules for line in wrong(rule["expr"]) if ":per_worker" not in rule["expr"]] == []
    assert list(wrong("i2i_nobody > 0")) == ["i2i_nobody is not declared"]


def test_an_alert_tells_what_a_person_needs():
    for rule in groups()["groups"][1]["rules"]:
        told = rule["annotations"]
        assert set(told) == {"summary", "description", "runbook_url"}
        assert (ROOT / told["runbook_url"]).exists()
        assert rule["labels"]["severity"] in set(Severity)
    linked = groups(runbooks="https://example.org/i2i/")["groups"][1]["rules"][0]["annotations"]["runbook_url"]
    assert linked == "https://example.org/i2i/docs/runbooks/non-finite.md"


def test_thresholds_are_those_of_the_product():
    assert ALERTS["critic-won"].threshold == RULES["critic_won"].thresholds["above"]
    assert ALERTS["generator-starved"].threshold == RULES["critic_blind"].thresholds["below"]
    assert ALERTS["mode-collapse"].threshold == RULES["collapse"].thresholds["below"]
    assert (ALERTS["data-starvation"].threshold, ALERTS["training-stalled"].threshold) == (WAITS, SILENT_S)
    for slug in ("critic-won", "generator-starved"):
        assert all(name in ALERTS[slug].expr for name in UNBOUNDED)


def test_an_alert_hushes_others_that_there_are():
    config = alertmanager(alerts())
    names = {alert.name for alert in alerts()}
    for rule in config["inhibit_rules"]:
        told = [text.split('"')[1].split("|") for text in (*rule["source_matchers"], *rule["target_matchers"])]
        assert {name for some in told for name in some} <= names
        assert rule["equal"] in (["sweep"], ["sweep", "trial"]) and told[0][0] not in told[1]
    (data,) = [rule for rule in config["inhibit_rules"] if "I2IDataStarvation" in rule["source_matchers"][0]]
    assert data["equal"] == ["sweep", "trial"], "another trial may be slow for another reason"
    receivers = {one["name"] for one in config["receivers"]}
    routes = [config["route"], *config["route"]["routes"]]
    assert {route["receiver"] for route in routes} == receivers


@pytest.mark.skipif(AMTOOL is None, reason="amtool is missing: Debian package prometheus-alertmanager")
def test_alertmanager_takes_the_example(tmp_path):
    file = ROOT / "k8s" / "monitoring" / "alertmanager.yaml"
    assert checked(file).returncode == 0, checked(file).stderr
    wrong = tmp_path / "alertmanager.yaml"
    wrong.write_text(file.read_text(encoding="utf-8").replace("equal:", "equals:"))
    assert checked(wrong).returncode == 1


def checked(file):
    return subprocess.run([str(AMTOOL), "check-config", str(file)], capture_output=True, text=True)


def test_all_times_follow_the_clock():
    real, fast = recordings(Clock()), recordings(Clock(0.01))
    assert [one.name for one in real.rules()] == [one.name for one in fast.rules()]
    assert "[10m]" in real.nonfinite.expr and "[6s]" in fast.nonfinite.expr
    stalled = [
        next(one.expr for one in alerts(clock) if one.slug == "training-stalled") for clock in (Clock(), Clock(0.01))
    ]
    assert [expr.rpartition(" > ")[2] for expr in stalled] == ["600", "6"]
    waits = [rule.get("for") for rule in groups(Clock(0.01))["groups"][1]["rules"]]
    assert waits == [span(alert.wait / 100) if alert.wait else None for alert in alerts()]


def test_rules_for_a_trial_are_written_elsewhere(tmp_path):
    command = [sys.executable, "-m", "scripts.monitoring.write", "--out", str(tmp_path), "--scale", "0.01"]
    subprocess.run(command, cwd=ROOT, check=True)
    assert yaml.safe_load((tmp_path / "monitoring/rules.yaml").read_text())["groups"][0]["interval"] == "300ms"
    done = subprocess.run([*command[:3], "--scale", "0.01"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "--scale and --runbooks need --out" in done.stderr


@pytest.mark.parametrize("ask", [lambda: of(s.TRIALS, trial="0"), lambda: rate(s.LOSS, "5m")])
def test_what_is_not_declared_cannot_be_asked(ask):
    with pytest.raises(AssertionError, match="i2i_"):
        ask()
