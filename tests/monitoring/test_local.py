"""`make monitoring`: a real Prometheus that is started, finds a sweep, is gone after Ctrl-C; and what is said where none can."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from cluster.job import Endpoint
from cluster.monitoring.exporter import exporting
from scripts.monitoring.asking import NoAnswer, Prometheus
from scripts.monitoring.server import MISSING, configuration
from tests.beds import until
from tests.cluster import recorded as log
from tests.cluster.conducting import make_job

ROOT = Path(__file__).parents[2]
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is missing: Debian package prometheus"
)
ANSWER_S = 60.0


@pytest.fixture
def env(tmp_path, monkeypatch):
    """A home and a folder for what is temporary, both of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "temporary").mkdir()
    return {**os.environ, "TMPDIR": str(tmp_path / "temporary")}


@contextmanager
def started(env, *options):
    """The command, running; ended with the block, whatever happens."""
    command = [sys.executable, "-m", "scripts.monitoring.local", *options]
    running = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def told(running):
    """What it prints before it waits: first word -> the rest."""
    lines = iter(running.stdout.readline, "")
    found: dict[str, str] = {}
    for line in lines:
        if line.startswith("Ctrl-C"):
            return found
        word, _, rest = line.strip().partition(" ")
        found[word] = rest.strip()
    pytest.fail(running.stderr.read())


def said(env, *options):
    """Exit code, output and errors of the command, which ends by itself."""
    command = [sys.executable, "-m", "scripts.monitoring.local", *options]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=ANSWER_S)
    return done.returncode, done.stdout, done.stderr


@needs_prometheus
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_watches_the_sweeps_of_this_machine_until_it_is_interrupted(tmp_path, env, number):
    with exporting(make_job(metrics=Endpoint(), name="toy")) as metrics, started(env, "--port", "0") as running:
        metrics.follow(log.lines(*log.STORY))
        seen = told(running)
        assert seen["sweep"] == f"toy at {metrics.url}"
        asked = Prometheus(re.findall(r"http://\S+", seen["prometheus"])[0])
        (server,) = psutil.Process(running.pid).children()
        assert [line.labels for line in asked.now("vector(1)")] == [{}]
        running.send_signal(number)
        assert running.wait(ANSWER_S) == 0
        assert not psutil.pid_exists(server.pid)
        assert (running.stdout.read(), running.stderr.read()) == ("", "")
    assert list((tmp_path / "temporary").iterdir()) == [], "nothing is left behind"
    with pytest.raises(NoAnswer, match="does not answer as a Prometheus does"):
        asked.now("up")


@needs_prometheus
def test_it_dies_with_a_parent_that_was_killed(env):
    with started(env, "--port", "0") as running:
        told(running)
        (server,) = psutil.Process(running.pid).children()
        running.kill()
        until("prometheus is gone", lambda: not server.is_running() or server.status() == "zombie", ANSWER_S)


@needs_prometheus
def test_what_it_has_seen_is_kept_where_somebody_says_so(tmp_path, env):
    with started(env, "--port", "0", "--keep", str(tmp_path / "kept")) as running:
        assert told(running)["sweep"] == "none runs now; those that start are found by themselves"
        running.send_signal(signal.SIGINT)
        assert running.wait(ANSWER_S) == 0
    assert {"prometheus.yml", "rules.yaml", "data"} <= {path.name for path in (tmp_path / "kept").iterdir()}


def test_without_a_prometheus_one_line_says_what_to_install(env):
    assert said({**env, "PATH": "/nowhere"}) == (2, "", f"error: {MISSING}\n")
    assert "apt-get install prometheus" in MISSING


@pytest.mark.parametrize(("port", "problem"), [("70000", "must be a port up to 65535"), ("-1", "must be a port")])
def test_a_port_that_is_none(env, port, problem):
    code, out, err = said(env, "--port", port)
    assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith(f"error: --port: {problem}")


def test_a_port_that_is_taken(env):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        assert said(env, "--port", str(port)) == (2, "", f"error: --port: port {port} of 127.0.0.1 is taken\n")


def test_a_prometheus_that_does_not_start_is_told_in_its_own_words(tmp_path, env):
    program = tmp_path / "bin" / "prometheus"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'the disk is full' >&2\nexit 1\n")
    program.chmod(0o755)
    path = f"{program.parent}:{env['PATH']}"
    assert said({**env, "PATH": path}) == (2, "", "error: prometheus does not start: the disk is full\n")


def test_make_knows_it():
    done = subprocess.run(["make", "-n", "monitoring", "ARGS=--port 9"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == ".venv/bin/python -m scripts.monitoring.local --port 9"


def test_the_page_shows_the_same_configuration():
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n(scrape_configs:.*?)```", page, re.DOTALL)
    made = configuration("/home/USER/.local/state/i2i-cluster/metrics")
    assert yaml.safe_load(shown)["scrape_configs"] == made["scrape_configs"]
