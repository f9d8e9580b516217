"""What is said of an MLflow server that is none, is silent or refuses; and that a password is told to the server alone.

The server here is a stand-in: it answers every request with one refusal, and keeps what it was told of who asks.
"""

import base64
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import quote

import pytest

from orchestrator.report.mlflow_server import read_server
from tests.orchestrator.mlflow_runs import free_port
from tests.orchestrator.reported import World

WORD = "pa55/w"  # pragma: allowlist secret
WHO = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nobody is asked twice, and nobody says who asks."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for name in WHO:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def refusing():
    """(address, what was told of who asks) of a server that lets nobody in."""
    told = []

    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self):
            told.append(self.headers["Authorization"])
            text = f"you told me {WORD} and that is not known here"
            answer = json.dumps({"error_code": "PERMISSION_DENIED", "message": text}).encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refuses)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}", told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("localhost:5000", "is no tracking server: http(s)://HOST:PORT, or sqlite:///FILE.db"),
        (
            "ftp://secret@host",
            "is no tracking server: http(s)://HOST:PORT, or sqlite:///FILE.db",
        ),  # pragma: allowlist secret
        ("", "is no tracking server: http(s)://HOST:PORT, or sqlite:///FILE.db"),
        ("http://", "names no host: http(s)://HOST:PORT"),
        ("https://secret@:5000", "names no host: http(s)://HOST:PORT"),
        ("http://host:secret", "is no address: its host or its port cannot be read"),
        ("http://[host", "is no address: its host or its port cannot be read"),
        ("http://host:5000/#/experiments/1", "is a page of a server; leave out what begins with ? or #"),
        ("http://host?token=secret", "is a page of a server; leave out what begins with ? or #"),
    ],
)
def test_what_is_no_server_is_refused_and_not_repeated(tmp_path, run, uri, told):
    World(tmp_path).trial([0.5]).close()
    assert run("report", "toy", "--storage", tmp_path, "--mlflow", uri) == (2, "", f"error: --mlflow: {told}\n")


def test_a_page_and_runs_are_asked_for_one_at_a_time_and_a_missing_package_is_told(tmp_path, run, monkeypatch):
    ask = ("report", "toy", "--storage", tmp_path, "--mlflow", "http://host")
    problem = "a page, logs or runs, one at a time; leave one of them out"
    assert run(*ask, "-o", "page.html") == (2, "", f"error: --output: {problem}\n")
    assert run(*ask, "--tensorboard", "logs") == (2, "", f"error: --tensorboard: {problem}\n")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    told = "runs are sent with mlflow-skinny: pip install 'i2i-cluster[mlflow]'"
    assert run(*ask) == (2, "", f"error: {told}\n")


def test_an_unknown_sweep_is_refused_before_a_server_is_asked(tmp_path, run):
    World(tmp_path).trial([0.5]).close()
    code, _, told = run("report", "tyo", "--storage", tmp_path, "--mlflow", "http://host")
    assert (code, told) == (2, f"error: no sweep 'tyo' in {tmp_path}; nearest: toy; has: toy\n")


def test_a_server_that_is_not_there_is_told_in_a_line_without_the_password(tmp_path, run):
    World(tmp_path).trial([0.5]).close()
    port = free_port()
    code, out, told = run(
        "report", "toy", "--storage", tmp_path, "--mlflow", f"http://me:{quote(WORD, safe='')}@127.0.0.1:{port}/at/"
    )
    assert (code, out) == (1, "")
    assert told == f"error: http://127.0.0.1:{port}/at cannot be reached: connection refused\n"


@pytest.mark.parametrize(
    ("who", "wanted"),
    [
        ("me:pa55%2Fw@", "Basic " + base64.b64encode(f"me:{WORD}".encode()).decode()),
        ("pa55%2Fw@", f"Bearer {WORD}"),
        (":pa55%2Fw@", f"Bearer {WORD}"),
        ("", "Bearer of-the-environment"),
    ],
)
def test_who_asks_is_told_to_the_server_alone(tmp_path, run, refusing, monkeypatch, who, wanted):
    address, told_who = refusing
    World(tmp_path).trial([0.5]).close()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "of-the-environment")
    before = dict(os.environ)
    code, out, told = run("report", "toy", "--storage", tmp_path, "--mlflow", f"http://{who}{address}")
    shown = "***" if who else WORD  # which is no secret then
    refusal = f"PERMISSION_DENIED: you told me {shown} and that is not known here"
    assert (code, out, told) == (1, "", f"error: http://{address} refuses: {refusal}\n")
    assert told_who == [wanted]
    assert dict(os.environ) == before


def test_a_server_hides_who_asks_from_whoever_prints_it():
    server = read_server("https://me:pa55%2Fw@host:8443/mlflow/")
    assert server.uri == "https://host:8443/mlflow"
    assert WORD not in repr(server)


def test_files_go_through_a_server_or_to_a_folder_of_this_machine():
    there, here = read_server("http://host:5000"), read_server("sqlite:///runs.db")
    assert there.takes_files("mlflow-artifacts:/1/2/artifacts")
    assert not there.takes_files("/srv/mlruns/1/2/artifacts")
    assert not there.takes_files("s3://bucket/1/2/artifacts")
    assert here.takes_files("/srv/mlruns/1/2/artifacts")
