"""What MLflow has of a sweep, asked past the code under test; and a real tracking server on this machine.

The quick tests use MLflow's store in a folder, which adds a number twice where it is told twice: so it hides nothing. The server's
database takes the same number once.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

READY_WITHIN = 120.0  # seconds; about 10 where the machine is idle


class Known:
    """A run as MLflow tells it: `info`, `params`, `tags`, and of each metric its history as (step, value, time), in order."""

    def __init__(self, client, run):
        self.client, self.info, self.params, self.tags = client, run.info, run.data.params, run.data.tags
        self.metrics = {
            name: sorted(
                (one.step, one.value, one.timestamp) for one in client.get_metric_history(run.info.run_id, name)
            )
            for name in run.data.metrics
        }

    def steps(self, name):
        return [step for step, _, _ in self.metrics[name]]

    def file(self, name, folder):
        """The bytes of one of its files."""
        with open(self.client.download_artifacts(self.info.run_id, name, str(folder)), "rb") as file:
            return file.read()


def runs_of(uri, experiment="toy"):
    """Its runs by their names; two of one name are an AssertionError."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name(experiment)
    assert known is not None
    runs = list(client.search_runs([known.experiment_id]))
    found = {run.info.run_name: Known(client, run) for run in runs}
    assert len(found) == len(runs), "a run is there twice"
    return found


def missing():
    """Why no server can be started here; empty where one can. The client alone is a server as soon as it finds these."""
    absent = [name for name in ("flask", "flask_cors") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(absent)} not installed: pip install flask flask-cors" if absent else ""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def mlflow_server(folder):
    """The address of `mlflow server` with a database and files in `folder`, for as long as the block lasts."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder / 'runs.db'}",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=env, stdin=subprocess.DEVNULL)
    try:
        _await_ready(f"http://127.0.0.1:{port}", process, folder / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()  # it ends its worker
        process.wait(timeout=30)


def _await_ready(uri, process, log):
    end = time.monotonic() + READY_WITHIN
    while True:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError) as error:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"MLflow does not start: {log.read_text()[-2000:]}") from error
        time.sleep(0.2)
