"""`up` and `down`: what they remember, what they refuse, and that they end their own processes and no others.

Here a shell stands for a cluster's processes; `test_cluster.py` has a real one.
"""

import json
import os
import socket
import stat
import subprocess

import pytest

from cluster.up import cluster as up_module
from cluster.up.cluster import down, up
from cluster.up.processes import MARK, processes_of
from cluster.up.state import ClusterUp, LocalCluster, alone, new_token, remember, remembered
from tests.beds import until


@pytest.fixture
def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def cluster(state, tmp_path, free_port):
    """A cluster that is remembered; nothing of it runs."""
    folder = tmp_path / "ray"
    folder.mkdir()
    made = LocalCluster(f"http://127.0.0.1:{free_port}", 3, 2, str(folder), new_token())
    remember(made)
    return made


@pytest.fixture
def start():
    """start(script, **variables): a shell in the background, ended with the test."""
    started = []

    def run(script, out=subprocess.DEVNULL, **variables):
        env = {**os.environ, **variables}
        started.append(subprocess.Popen(["/bin/sh", "-c", script], stdout=out, env=env, start_new_session=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def test_the_token_is_yours_alone(state):
    path = new_token()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    first = (state / "token").read_text()
    assert len(first) == 64
    assert new_token() == path
    assert (state / "token").read_text() != first


def test_a_second_one_is_refused_by_name(cluster, start, run):
    start("sleep 60", **{MARK: cluster.mark})
    until("it runs", lambda: processes_of(cluster.mark, cluster.folder), 30)
    what = f"3 nodes with 2 CPUs each at {cluster.address}"
    with socket.create_server(("127.0.0.1", int(cluster.address.rpartition(":")[2]))):
        told = f"error: a cluster is up already: {what}; `i2i-cluster down` ends it\n"
        assert run("up", "--port", "8266") == (2, "", told)
    told = f"error: the head of {what} is gone; `i2i-cluster down` ends what is left of it\n"
    assert run("up", "--port", "8266") == (2, "", told)


def test_down_ends_its_own_processes_and_no_others(cluster, start, state, run):
    """By the mark, by where the output goes, and what was started by those; what ignores SIGTERM, too."""
    mine = start("trap '' TERM; sleep 60 & (unset I2I_CLUSTER; exec sleep 60) & wait", **{MARK: cluster.mark})
    log = open(f"{cluster.folder}/log", "wb")  # noqa: SIM115
    with log:
        silent = start("exec sleep 60", out=log)
    other = start(f"exec tail -f {cluster.folder}/log", **{MARK: "another"})
    until("they run", lambda: len(processes_of(cluster.mark, cluster.folder)) == 4, 30)
    assert run("down") == (0, f"ended: 3 nodes with 2 CPUs each at {cluster.address}\n", "")
    assert processes_of(cluster.mark, cluster.folder) == []
    assert (mine.wait(10), silent.wait(10)) == (-9, -15)
    assert other.poll() is None
    assert not os.path.exists(cluster.folder)
    assert [path.name for path in state.iterdir()] == ["cluster.lock"]
    assert run("down") == (0, "no cluster is up\n", "")


def test_one_that_a_reboot_ended_is_forgotten_by_the_next_up(cluster, free_port, monkeypatch):
    started = []
    monkeypatch.setattr(up_module, "_start", lambda made, port: started.append(made))
    made = up(2, 1, free_port, with_token=False)
    assert (started, remembered()) == ([made], made)
    assert not os.path.exists(cluster.folder)
    assert (made.token, made.address) == ("", f"http://127.0.0.1:{free_port}")
    down()


def test_what_does_not_start_leaves_nothing(state, free_port, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(OSError, match="the cluster does not start: it says nothing"):
        up(2, 1, free_port, with_token=True)
    assert [path.name for path in state.iterdir()] == ["cluster.lock"]


def test_a_port_that_is_taken_is_refused(state, run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = run("up", "--port", port)
    assert (code, f"port {port} of this machine cannot be had (address already in use)" in err) == (2, True)
    assert remembered() is None


def test_only_one_is_at_work_at_a_time(state):
    with alone(), pytest.raises(ClusterUp, match="is at work; wait for it"):
        down()


@pytest.mark.parametrize(
    ("content", "told"),
    [("{torn", "is damaged"), ("{}", "is damaged"), (json.dumps({"format": 9}), "newer i2i-cluster")],
)
def test_a_state_that_cannot_be_read_is_told(state, content, told, run):
    state.mkdir(parents=True)
    (state / "cluster.json").write_text(content)
    code, _, err = run("down")
    assert (code, told in err, len(err.splitlines())) == (2, True, 1)
