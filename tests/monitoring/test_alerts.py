"""Every alert fires where a sweep is sick, after its true time and not before, and is silent where a sweep is well."""

import shutil
import subprocess

import pytest
import yaml

from scripts.monitoring.promql import Clock, span
from scripts.monitoring.rules import INTERVAL, alerts, groups
from tests.monitoring.cases import CASES, LONG, ONE, Case, critics

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: Debian package prometheus")
ALERTS = {alert.slug: alert for alert in alerts()}
MINUTE = 60.0


def asked(case, minute, labels):
    """What is firing at that minute, and nothing else of that name."""
    name = ALERTS[case.alert].name
    return {
        "expr": f'ALERTS{{alertname="{name}", alertstate="firing"}}',
        "eval_time": f"{minute}m",
        "exp_samples": [] if labels is None else [{"labels": firing(case.alert, labels), "value": 1}],
    }


def firing(slug, labels):
    said = {"alertname": ALERTS[slug].name, "alertstate": "firing", "severity": ALERTS[slug].severity, **dict(labels)}
    return "ALERTS{" + ", ".join(f'{name}="{value}"' for name, value in said.items()) + "}"


def group(case, interval="1m"):
    """A test group of promtool."""
    minutes = [(case.quiet, None), *([(case.fires, case.labels)] if case.fires is not None else [])]
    return {
        "name": case.what,
        "interval": interval,
        "input_series": [{"series": name, "values": values} for name, values in case.lines],
        "promql_expr_test": [asked(case, minute, labels) for minute, labels in minutes],
    }


def tried(folder, tests, clock=None):
    """What promtool says of tests of the rules."""
    clock = clock or Clock()
    rules = groups(clock)
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    order = [one["name"] for one in rules["groups"]]  # promtool's own differs from run to run
    plan = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": clock.span(INTERVAL),
        "group_eval_order": order,
        "tests": tests,
    }
    (folder / "tests.yaml").write_text(yaml.safe_dump(plan))
    return subprocess.run([str(PROMTOOL), "test", "rules", "tests.yaml"], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("slug", ALERTS)
def test_an_alert_fires_in_time_and_only_then(tmp_path, slug):
    cases = [case for case in CASES if case.alert == slug]
    done = tried(tmp_path, [group(case) for case in cases])
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(case.fires is not None for case in cases) and any(case.fires is None for case in cases)


def test_a_case_of_no_alert_is_a_mistake():
    assert {case.alert for case in CASES} == set(ALERTS)


def test_what_fires_waits_as_long_as_it_says():
    for case in CASES:
        if case.fires is not None:
            wait = ALERTS[case.alert].wait / MINUTE
            assert case.quiet >= wait - 1 and case.fires > wait, case.what


@pytest.mark.parametrize("quiet", [True, False])
def test_a_wrong_expectation_is_found(tmp_path, quiet):
    (case,) = [case for case in CASES if case.what == "both critics are right"]
    wrong = (
        Case(case.alert, "wrong", case.lines, None, 20) if quiet else Case(case.alert, "wrong", case.lines, 10, 5, ONE)
    )
    assert tried(tmp_path, [group(wrong)]).returncode == 1


def test_a_person_reads_the_numbers(tmp_path):
    alert = ALERTS["critic-won"]
    told = {
        "summary": "Every critic is right about nearly everything",
        "description": "Sweep a, trial 0: even its weakest critic is right about 99% of what it sees (more than 98 %, after 30 % of"
        " the steps), so the generator may learn nothing from it.",
        "runbook_url": "docs/runbooks/critic-won.md",
    }
    labels = {"severity": "warning", "sweep": "a", "trial": "0"}
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in critics(0.99, 0.995)],
        "alert_rule_test": [
            {
                "eval_time": "20m",
                "alertname": alert.name,
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": told}],
            }
        ],
    }
    done = tried(tmp_path, [test])
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_rules_at_a_hundredth_of_their_time(tmp_path):
    clock = Clock(0.01)
    (case,) = [case for case in CASES if case.what == "half of the time is waiting"]
    test = group(case, clock.span(MINUTE))
    test["input_series"][0]["values"] = f"0+0.3{LONG}"  # half of 0.6 s
    for one, minute in zip(test["promql_expr_test"], (22, 26), strict=True):
        one["eval_time"] = clock.span(minute * MINUTE)
    done = tried(tmp_path, [test], clock)
    assert done.returncode == 0, done.stdout + done.stderr
    assert clock.number(600) == "6" and span(90) == "90s" and span(5400) == "90m" and span(0) == "0s"
