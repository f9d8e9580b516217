"""The rules as files: for a Prometheus, for the Prometheus operator, and an Alertmanager's configuration as an example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.manifests.manifest_yaml import to_yaml
from scripts.monitoring.alert import Alert, Severity
from scripts.monitoring.promql import Clock, Recorded
from scripts.monitoring.recording import recordings
from scripts.monitoring.sweep_alerts import sweep_alerts
from scripts.monitoring.training_alerts import training_alerts

NOTE = "# Written by `python -m scripts.monitoring.write`; change it there.\n"
INTERVAL = 30.0  # seconds between two evaluations
REAL = Clock()


def alerts(clock: Clock = REAL) -> list[Alert]:
    """All alerts at that pace; their own numbers and words are those of real time."""
    r = recordings(clock)
    return [*training_alerts(r, clock), *sweep_alerts(r)]


def groups(clock: Clock = REAL, runbooks: str = "") -> dict[str, Any]:
    """The body of a rules file. runbooks: what goes before `docs/runbooks/...` in an alert's link."""
    pace = {"interval": clock.span(INTERVAL)}
    return {
        "groups": [
            {"name": "i2i-recording", **pace, "rules": [_recording(one) for one in recordings(clock).rules()]},
            {"name": "i2i-alerts", **pace, "rules": [_alert(one, clock, runbooks) for one in alerts(clock)]},
        ]
    }


def _recording(one: Recorded) -> dict[str, Any]:
    return {"record": one.name, "expr": one.expr} | ({"labels": dict(one.fixed)} if one.fixed else {})


def _alert(one: Alert, clock: Clock, runbooks: str) -> dict[str, Any]:
    return {
        "alert": one.name,
        "expr": one.expr,
        **({"for": clock.span(one.wait)} if one.wait else {}),
        "labels": {"severity": str(one.severity)},
        "annotations": {
            "summary": one.summary,
            "description": one.description,
            "runbook_url": runbooks + one.file,
        },
    }


def prometheus_rule(body: dict[str, Any]) -> dict[str, Any]:
    """The same for the Prometheus operator."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "i2i-cluster", "namespace": "i2i", "labels": {"release": "prometheus"}},
        "spec": body,
    }


def alertmanager(known: Sequence[Alert]) -> dict[str, Any]:
    """An example: who is told what, and which alert makes which others needless."""
    by = {one.slug: one for one in known}
    rules = [
        {
            "source_matchers": [f'alertname="{one.name}"'],
            "target_matchers": [f'alertname=~"{"|".join(by[slug].name for slug in one.hushes)}"'],
            "equal": [label for label in one.labels if all(label in by[slug].labels for slug in one.hushes)],
        }
        for one in known
        if one.hushes
    ]
    return {
        "route": {
            "receiver": "somebody",
            "group_by": ["sweep", "alertname"],
            "group_wait": "30s",
            "repeat_interval": "12h",
            "routes": [
                {"matchers": [f'severity="{Severity.critical}"'], "receiver": "somebody-now", "repeat_interval": "1h"},
                {"matchers": [f'severity="{Severity.info}"'], "receiver": "nobody"},
            ],
        },
        "inhibit_rules": rules,
        "receivers": [{"name": "somebody"}, {"name": "somebody-now"}, {"name": "nobody"}],
    }


def files(clock: Clock = REAL, runbooks: str = "") -> dict[str, str]:
    """Path below k8s/ -> text."""
    body = groups(clock, runbooks)
    example = "# An example: put your own receivers in.\n"
    return {
        "monitoring/rules.yaml": NOTE + to_yaml([body]),
        "monitoring/alertmanager.yaml": NOTE + example + to_yaml([alertmanager(alerts(clock))]),
        "components/monitoring/prometheus-rule.yaml": NOTE + to_yaml([prometheus_rule(body)]),
    }
