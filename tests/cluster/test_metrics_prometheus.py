"""A real Prometheus, which finds an endpoint by its file, scrapes it, and is asked what an alert would ask."""

import json
import shutil
import socket
import subprocess
from contextlib import closing, contextmanager
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import yaml

from cluster.job import Endpoint
from cluster.monitoring.discovery import discovery_folder
from cluster.monitoring.exporter import exporting
from scripts.monitoring.promql import Clock
from scripts.monitoring.rules import groups
from tests.beds import until
from tests.cluster import recorded as log
from tests.cluster.conducting import make_job

PROMETHEUS = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is missing: Debian package prometheus")
ANSWER_S = 60.0
CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: i2i
    file_sd_configs: [{{files: ["{folder}/*.json"]}}]
    honor_labels: true
    relabel_configs: [{{source_labels: [__meta_i2i_sweep], target_label: sweep}}]
"""


@pytest.fixture
def query(tmp_path, monkeypatch):
    """Asks a Prometheus that looks into the folder where endpoints are announced."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups(Clock(0.01))))
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(folder=discovery_folder()))
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with running(tmp_path, port) as said:

        def ask(expression):
            try:
                with urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={quote(expression)}", timeout=30) as reply:
                    found = json.load(reply)["data"]["result"]
            except OSError:
                return []  # it is not there yet
            return [
                ({name: v for name, v in one["metric"].items() if name != "__name__"}, one["value"][1]) for one in found
            ]

        def wait(expression):
            return until(expression, lambda: ask(expression), ANSWER_S, said)

        yield wait


@contextmanager
def running(folder, port):
    """The server; gives what it said so far."""
    command = [str(PROMETHEUS), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "prometheus.log").open("wb") as told:
        server = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=told
        )
    try:
        yield (folder / "prometheus.log").read_text
    finally:
        server.terminate()
        server.wait(60)


def test_it_is_found_scraped_and_a_loss_that_is_no_number_raises_an_alert(query):
    with exporting(make_job(metrics=Endpoint())) as metrics:
        metrics.follow(log.lines(*log.STORY))
        assert metrics.url is not None
        target = metrics.url.split("/")[2]
        own = {"instance": target, "job": "i2i", "sweep": "a1"}
        assert query("up == 1") == [({"instance": target, "job": "i2i", "sweep": "a1"}, "1")]
        assert query('i2i_train_steps_total{trial="0"}') == [({**own, "trial": "0"}, "20")]
        assert query("i2i_train_loss != i2i_train_loss") == [({**own, "trial": "0", "term": "d"}, "NaN")]
        assert query("i2i_train_loss == Inf")[0][0]["term"] == "gp"
        firing = 'ALERTS{alertname="I2INonFinite", alertstate="firing"}'
        (told,) = query(firing)
        assert told[0] == {"alertname": "I2INonFinite", "alertstate": "firing", "severity": "critical", "sweep": "a1"}
        metrics.follow(log.lines(log.ended(0, 50), log.ended(1, 50)))
        assert query("absent(i2i_train_steps_total)"), "what ended is gone at the next scrape"
        assert query("i2i_sweep_steps_total") == [(own, "40")]
    assert query("absent(up)"), "an endpoint that is closed is no target any more"
