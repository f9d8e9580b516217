"""Each panel's query is PromQL, and shows something of a sweep in which everything happened that is counted.

The sweep is a recorded log; promtool plays a Prometheus that saw what its driver exported, and evaluates rules and queries. No
Grafana has drawn any of it.
"""

import re
import shutil
import subprocess

import pytest
import yaml

from cluster.monitoring.series import Kind
from scripts.monitoring import dashboards
from scripts.monitoring.panels import RATE
from scripts.monitoring.rules import groups
from tests.cluster import recorded as log
from tests.monitoring.cases import TARGET

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: Debian package prometheus")
# Silent trials are a sickness that this sweep has not: promtool's time begins at 0, and its reports are of later.
EMPTY = {"Silent trials"}
SEEN_M = 30  # minutes


def queries():
    """Panel or mark -> its expressions, with the variables as Grafana would put them."""
    found: dict[str, list[str]] = {}
    for one in dashboards.ALL:
        panels = [panel for row in one.rows for panel in row.panels]
        found |= {f"{one.uid}: {panel.title}": [query.expr for query in panel.queries] for panel in panels}
    found |= {f"mark: {name}": [expr] for name, _, expr, _ in (*dashboards.MARKS, *dashboards.TRIAL_MARKS)}
    return {name: [filled(expr) for expr in some] for name, some in found.items()}


def filled(expr):
    expr = expr.replace(RATE, "5m").replace("$sweep", "a1").replace("$trial", ".*")
    assert "$" not in expr
    return expr


def seen():
    """What a Prometheus has of that sweep: gauges as they are at the end, counters growing."""
    lines = {}
    for series, labels, value in log.folded(log.lines(*log.STORY)).samples():
        known = {**TARGET, "sweep": "a1", **dict(zip(series.labels, labels, strict=True))}
        said = ", ".join(f'{name}="{text}"' for name, text in known.items())
        grows = series.kind is Kind.counter
        stays = f"{value:g}".replace("nan", "NaN").replace("inf", "Inf") + " "
        lines[f"{series.name}{{{said}}}"] = f"0+3x{SEEN_M}" if grows else stays * (SEEN_M + 1)
    return [{"series": name, "values": values} for name, values in lines.items()]


def tried(folder, asked):
    """promtool's word on whether each of the expressions has a value."""
    rules = groups()
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    tests = [
        {"expr": f"count({expr}) > bool 0", "eval_time": f"{SEEN_M}m", "exp_samples": [{"labels": "{}", "value": 1}]}
        for expr in asked
    ]
    plan = {"interval": "1m", "input_series": seen(), "promql_expr_test": tests}
    file = folder / "tests.yaml"
    order = [one["name"] for one in rules["groups"]]  # promtool's own differs from run to run
    whole = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "group_eval_order": order,
        "tests": [plan],
    }
    file.write_text(yaml.safe_dump(whole))
    done = subprocess.run([str(PROMTOOL), "test", "rules", file.name], cwd=folder, capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert (done.returncode == 0) == ("FAILED" not in told) and "parse error" not in told, told
    return set(re.findall(r'expr: "(.*)", time', told.replace('\\"', '"')))


def test_every_panel_has_something_to_show(tmp_path):
    asked = {f"count({expr}) > bool 0": name for name, some in queries().items() for expr in some}
    empty = tried(tmp_path, [expr for some in queries().values() for expr in some])
    assert {asked[expr.replace("\\n", "\n")].split(": ")[1] for expr in empty} == EMPTY


def test_an_empty_panel_is_found(tmp_path):
    assert tried(tmp_path, ["i2i_nobody", "i2i_sweep_info"]) == {"count(i2i_nobody) > bool 0"}


def test_every_query_is_promql(tmp_path):
    rules = [{"record": f"query:{n}", "expr": expr} for n, expr in enumerate(e for s in queries().values() for e in s)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run([str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0 and f"{len(rules)} rules found" in done.stdout, done.stdout + done.stderr
