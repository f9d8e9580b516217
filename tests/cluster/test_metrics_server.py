"""The endpoint: on which port, what it answers, how it is found, and that no training minds what happens to it."""

import json
import math
import os
import shutil
import socket
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.job import Endpoint, PortTaken
from cluster.log.store import open_log
from cluster.monitoring import discovery, server
from cluster.monitoring.exporter import exporting
from tests.cluster import recorded as log
from tests.cluster.conducting import PATHS, RemoteStore, make_job

FEW = (log.opened(), log.suggested(0), log.started(0))
PROMTOOL = shutil.which("promtool")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user's state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(server.IN_A_POD, raising=False)
    return tmp_path


@pytest.fixture
def taken(monkeypatch):
    """A port that somebody else listens on, which is the default one here."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(server, "METRICS_PORT", port)
        yield port


@contextmanager
def endpoint(port=None, host="", **job):
    with exporting(make_job(metrics=Endpoint(port, host), **job)) as metrics:
        yield metrics


def scraped(metrics):
    """What a scrape finds, by `at`."""
    families = text_string_to_metric_families(answer(metrics))
    return {at(one.name, **one.labels): one.value for family in families for one in family.samples}


def at(series, sweep="a1", **labels):
    return series, frozenset({"sweep": sweep, **labels}.items())


def answer(metrics):
    with urlopen(metrics.url, timeout=30) as reply:
        return reply.read().decode()


def test_what_was_recorded_is_there_at_the_next_scrape():
    with endpoint() as metrics:
        assert scraped(metrics) == {}
        metrics.follow(log.lines(*FEW))
        metrics.follow(log.lines(log.reported(0, 10, 12, loss__d=math.nan, loss__g=math.inf)))
        found = scraped(metrics)
        assert found[at("i2i_train_steps_total", trial="0")] == 10
        assert math.isnan(found[at("i2i_train_loss", trial="0", term="d")])
        assert found[at("i2i_train_loss", trial="0", term="g")] == math.inf
        metrics.follow(log.lines(log.reported(0, 20, 13)))
        assert scraped(metrics)[at("i2i_train_steps_total", trial="0")] == 20


def test_odd_names_arrive_as_they_are():
    odd = 'a"b\\c\nd{e="f"} é🙂\ud800'
    with endpoint() as metrics:
        kind = (0, "opened", {"id": "a1", "name": odd, "attempt": 1, "about": log.ABOUT})
        metrics.follow(log.lines(kind, *FEW[1:], log.reported(0, 10, 12, True, **{"eval__kid[task]": 1.0})))
        found = scraped(metrics)
    assert found[at("i2i_eval_score", trial="0", metric="kid[task]")] == 1.0
    (info,) = (dict(labels) for name, labels in found if name == "i2i_sweep_info")
    assert info["name"] == odd.replace("\ud800", "?")


@pytest.mark.parametrize("remote", [False, True])
def test_a_log_tells_what_it_holds_and_then_each_record(tmp_path, remote):
    store = RemoteStore(tmp_path / "runs")
    store.remote = remote
    with closing(open_log(store, PATHS, 1)) as before:
        for _, kind, fields in FEW:
            before.append(kind, **fields)
    with endpoint() as metrics, closing(open_log(store, PATHS, 2, metrics.follow)) as after:
        assert scraped(metrics)[at("i2i_sweep_trials", state="running")] == 1
        after.append("ended", trial=0, state="done", error=None)
        assert scraped(metrics)[at("i2i_sweep_trials", state="done")] == 1


def test_a_taken_default_port_makes_it_the_next_one(taken):
    with endpoint() as one, endpoint() as other:
        ports = [int(metrics.url.split(":")[2].split("/")[0]) for metrics in (one, other)]
        assert taken < ports[0] < ports[1] < taken + server.TRIED
        assert answer(one) == answer(other) == ""


def test_a_port_that_was_named_is_that_one_or_an_error(taken):
    problem = (
        f"metrics.port: port {taken} of 127.0.0.1 is taken; name another one, or none: then it is the next that is free"
    )
    with pytest.raises(PortTaken, match=problem), endpoint(taken):
        pass
    with (
        pytest.raises(PortTaken, match=r"metrics: cannot listen on port \d+ of 192.0.2.1: "),
        endpoint(None, "192.0.2.1"),
    ):
        pass


def test_a_port_is_free_again_afterwards():
    with endpoint() as metrics:
        port = int(metrics.url.split(":")[2].split("/")[0])
    with endpoint(port) as again:
        assert again.url == metrics.url


def test_without_a_port_nothing_listens_and_nothing_is_announced(home):
    with endpoint(0) as metrics:
        metrics.follow(log.lines(*FEW))
        assert metrics.url is None
    assert list(home.rglob("*.json")) == []


def test_where_no_port_is_free_the_training_goes_on_without(taken, monkeypatch, caplog):
    monkeypatch.setattr(server, "TRIED", 1)
    with endpoint() as metrics:
        assert metrics.url is None
    assert "no port was free for metrics" in caplog.text


def test_in_a_pod_it_listens_on_all_addresses(monkeypatch):
    monkeypatch.setenv(server.IN_A_POD, "10.0.0.1")
    listening = server.listen(Endpoint())
    assert listening is not None
    with closing(listening.server.socket):
        assert listening.server.server_address[0] == "0.0.0.0"
        assert listening.target == f"{socket.gethostname()}:{listening.server.server_port}"


def test_it_also_listens_on_an_address_of_the_newer_kind():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with endpoint(None, "::1") as metrics:
        assert metrics.url.startswith("http://[::1]:")
        assert answer(metrics) == ""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_of_ours_is_an_error_to_who_scrapes_and_to_nobody_else():
    with endpoint() as metrics:
        metrics.follow(log.lines(log.started(5)))  # of which nobody has heard
        metrics.follow(log.lines(*FEW))
        with pytest.raises(HTTPError) as caught, urlopen(metrics.url, timeout=30):
            pass
        with closing(caught.value):
            assert caught.value.code == 503
            assert "a mistake of ours" in caught.value.read().decode()


def test_a_client_that_hangs_up_is_no_news(capfd):
    with endpoint() as metrics:
        metrics.follow(log.lines(*FEW))
        address = ("127.0.0.1", int(metrics.url.split(":")[2].split("/")[0]))
        for _ in range(3):
            with closing(socket.create_connection(address)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, no goodbye
                client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert scraped(metrics)[at("i2i_sweep_trials", state="running")] == 1
    assert capfd.readouterr() == ("", "")


def test_a_prometheus_of_this_machine_is_told_while_it_lasts(home):
    with endpoint(name="a name") as metrics:
        (file,) = home.glob("i2i-cluster/metrics/*.json")
        assert file.name == f"a1-{os.getpid()}.json"
        (told,) = json.loads(file.read_bytes())
        assert metrics.url == f"http://{told['targets'][0]}/metrics"
        assert told["labels"] == {
            "__meta_i2i_host": socket.gethostname(),
            "__meta_i2i_name": "a name",
            "__meta_i2i_sweep": "a1",
        }
    assert not file.exists()


def test_what_a_killed_driver_left_is_removed_by_the_next(home):
    folder = discovery.discovery_folder()
    gone = subprocess.Popen(["true"])
    gone.wait()
    here, far = ({"targets": ["x:1"], "labels": {"__meta_i2i_host": host}} for host in (socket.gethostname(), "far"))
    files = {
        f"b2-{gone.pid}.json": here,
        f"b3-{os.getppid()}.json": here,  # that lives
        f"b4-{gone.pid}.json": far,  # nobody here knows what lives there
        "mine.json": here,
        f"b5-{gone.pid}.json": {"other": 1},
    }
    for name, told in files.items():
        (folder / name).write_text(json.dumps([told]))
    with endpoint():
        pass
    assert {path.name for path in folder.iterdir()} == {*list(files)[1:]}


def test_a_home_that_cannot_be_written_costs_the_announcement_alone(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with endpoint() as metrics:
        assert answer(metrics) == ""


def test_so_does_having_no_home(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "~nobody-of-that-name/state")
    with endpoint() as metrics:
        assert answer(metrics) == ""


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: Debian package prometheus")
def test_promtool_finds_nothing_wrong():
    with endpoint(best=lambda state: {"eval/ssim": 0.5}) as metrics:
        metrics.follow(log.lines(*log.STORY))
        text = answer(metrics)
    assert {family.name for family in text_string_to_metric_families(text)} == {
        name.removesuffix("_total") for name in log.names()
    }
    done = subprocess.run([str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_page_is_the_declaration_s():
    from cluster.monitoring.page import page

    assert page() == (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(), (
        "make it again: python -m scripts.metrics_page"
    )
