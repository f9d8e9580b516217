"""A real sweep that is scraped while it trains: and again after its driver was killed."""

import json
import signal
import socket
from contextlib import closing
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.job import METRICS_PORT
from tests.beds import until
from tests.integration.joining import END_S

pytestmark = pytest.mark.ray
ENDLESS, TRIALS = 1_000_000, 2
PROGRESS_S = 120.0
LIVE = {
    *("i2i_train_steps", "i2i_train_images", "i2i_train_moves", "i2i_train_loss", "i2i_train_loss_weight"),
    *("i2i_train_critic_accuracy_ratio", "i2i_train_critic_output", "i2i_train_gradient_norm", "i2i_eval_score"),
    *("i2i_train_images_per_second", "i2i_train_data_wait_seconds", "i2i_eval_output_spread_ratio"),
    *("i2i_eval_best_score", "i2i_checkpoint_last_success_timestamp_seconds", "i2i_train_progress_ratio"),
    *("i2i_sweep_best_objective", "i2i_sweep_info", "i2i_checkpoints_written", "i2i_sweep_cpu_seconds"),
}


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        return one.getsockname()[1]


def answer(url):
    with urlopen(url, timeout=30) as reply:
        return reply.read().decode()


def scraped(sweep):
    """family -> its samples, of the endpoint that the log tells of."""
    url = [r for r in sweep.records() if r["kind"] == "opened"][-1]["about"]["metrics"]
    return {family.name: family for family in text_string_to_metric_families(answer(url))}


def counters(families):
    """Of the whole sweep, which stay."""
    return {
        (one.name, *sorted(one.labels.items())): one.value
        for family in families.values()
        for one in family.samples
        if family.type == "counter" and "trial" not in one.labels
    }


def reached(sweep, step, attempt):
    """Whether each trial has reported this step to that driver."""
    records = sweep.records()
    opened = [i for i, record in enumerate(records) if record["kind"] == "opened"]
    if len(opened) < attempt:
        return False
    told = {r["trial"] for r in records[opened[-1] :] if r["kind"] == "reported" and r["step"] >= step}
    return len(told) == TRIALS


def test_it_is_scraped_while_it_trains_and_counts_on_when_its_driver_was_killed(joined, tmp_path):
    sweep = joined("small", "on_nonfinite: skip\n", steps=ENDLESS, trials=TRIALS, evaluate=20)
    sweep.env = {**sweep.env, "XDG_STATE_HOME": str(tmp_path / "state")}
    folder = tmp_path / "state" / "i2i-cluster" / "metrics"
    sweep.start()
    until("both were evaluated", lambda: reached(sweep, 25, attempt=1), PROGRESS_S, sweep.tail)
    first = scraped(sweep)
    assert {name for name, family in first.items() if family.samples} >= LIVE
    (file,) = folder.glob("*.json")
    url = json.loads(sweep.told("status", "small", "-o", "json"))["metrics"]
    assert url == f"http://{json.loads(file.read_bytes())[0]['targets'][0]}/metrics"
    assert int(url.split(":")[2].split("/")[0]) >= METRICS_PORT

    sweep.kill()
    port = free_port()
    sweep.start("resume", "small", "--storage", sweep.storage, "--metrics-port", port)
    until("the next driver trains", lambda: reached(sweep, 30, attempt=2), PROGRESS_S, sweep.tail)
    second = scraped(sweep)
    before, now = counters(first), counters(second)
    assert not {key: value for key, value in before.items() if now.get(key, -1) < value}
    assert now["i2i_sweep_driver_starts_total", ("sweep", sweep.paths.id)] == 2
    assert now["i2i_sweep_trial_restarts_total", ("reason", "driver"), ("sweep", sweep.paths.id)] == TRIALS
    assert [json.loads(one.read_bytes())[0]["targets"] for one in folder.glob("*.json")] == [[f"127.0.0.1:{port}"]]

    sweep.kill(signal.SIGINT)
    assert sweep.end(END_S) == 130, sweep.tail()
    assert list(folder.iterdir()) == [], "nothing is announced that is over"


def test_a_port_that_is_taken_is_an_error_before_anything_is_trained(joined):
    sweep = joined("small", "")
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        assert sweep.run("submit", "sweep.yaml", "--metrics-port", port) == 2
    assert f"error: metrics.port: port {port} of 127.0.0.1 is taken; name another one" in sweep.output()
    assert sweep.records() == []
