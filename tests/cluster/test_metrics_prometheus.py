"""A real Prometheus, which finds an endpoint by its file, scrapes it, and is asked what an alert would ask."""

import math
import shutil

import pytest

from cluster.job import Endpoint
from cluster.monitoring.exporter import exporting
from scripts.monitoring.promql import Clock
from scripts.monitoring.server import free_port, serving
from tests.beds import until
from tests.cluster import recorded as log
from tests.cluster.conducting import make_job

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is missing: Debian package prometheus"
)
ANSWER_S = 60.0


@pytest.fixture
def query(tmp_path, monkeypatch):
    """Asks a Prometheus that looks into the folder where endpoints are announced, until it has an answer."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with serving(tmp_path, free_port(0), Clock(0.01)) as server:

        def ask(expression):
            return [(line.labels, line.points[0][1]) for line in server.asked.now(expression)]

        yield lambda expression: until(expression, lambda: ask(expression), ANSWER_S, server.last)


def test_it_is_found_scraped_and_a_loss_that_is_no_number_raises_an_alert(query):
    with exporting(make_job(metrics=Endpoint())) as metrics:
        metrics.follow(log.lines(*log.STORY))
        assert metrics.url is not None
        target = metrics.url.split("/")[2]
        own = {"instance": target, "job": "i2i", "sweep": "a1"}
        assert query("up == 1") == [({"instance": target, "job": "i2i", "sweep": "a1"}, 1)]
        assert query('i2i_train_steps_total{trial="0"}') == [({**own, "trial": "0"}, 20)]
        ((broken, value),) = query("i2i_train_loss != i2i_train_loss")
        assert broken == {**own, "trial": "0", "term": "d"} and value != value
        assert query("i2i_train_loss == Inf")[0][0]["term"] == "gp"
        firing = 'ALERTS{alertname="I2INonFinite", alertstate="firing"}'
        (told,) = query(firing)
        assert told[0] == {"alertname": "I2INonFinite", "alertstate": "firing", "severity": "critical", "sweep": "a1"}
        metrics.follow(log.lines(log.ended(0, 50), log.ended(1, 50)))
        assert query("absent(i2i_train_steps_total)"), "what ended is gone at the next scrape"
        assert query("i2i_sweep_steps_total") == [(own, 40)]
    assert query("absent(up)"), "an endpoint that is closed is no target any more"


def test_odd_names_arrive_as_they_are_and_hide_no_alert(query):
    odd = 'a"b\\c\nd{e="f"} é🙂'
    about = log.ABOUT | {"system": odd}
    story = [(0, "opened", {"id": "a1", "name": odd, "attempt": 1, "about": about}), log.suggested(0), log.started(0)]
    with exporting(make_job(metrics=Endpoint(), name=odd)) as metrics:
        metrics.follow(
            log.lines(*story, log.reported(0, 10, 12, True, **{"loss__d": math.nan, "eval__kid[task]": 1.0}))
        )
        ((info, _),) = query("i2i_sweep_info")
        assert (info["name"], info["system"]) == (odd, odd)
        assert query('i2i_eval_score{metric="kid[task]"}')[0][1] == 1
        assert query('ALERTS{alertname="I2INonFinite", alertstate="firing", sweep="a1"}')
