"""What a head's answers amount to, for `plan` and for `doctor`: made-up replies; a real head's are in test_cluster.py."""

import json
import time
from email.utils import formatdate

import pytest
import ray
from ray.job_submission import JobStatus

from cluster.finding import Finding
from cluster.targets import ray_probe, ray_survey
from cluster.targets.ray_jobs import RayJobsTarget
from cluster.targets.target import Need
from tests.targets.jobs_api import jobs_api

GB = 10**9


@pytest.fixture
def api(monkeypatch, tmp_path):
    """A head of two nodes that asks for no token."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    with jobs_api() as server:
        versions = {"rayVersion": ray.__version__, "pythonVersion": "3.11.7"}
        server.answers["/api/v0/cluster_metadata"] = (200, json.dumps({"data": versions}))
        server.answers["/api/authentication_mode"] = (200, json.dumps({"authentication_mode": "disabled"}))
        summarise(server, node("one"), node("two", gpus=[{"name": "H200"}]))
        yield server


def node(name, *, free=8 * GB, total=16 * GB, disk=50 * GB, at=None, gpus=(), state="ALIVE"):
    return {
        "hostname": name,
        "ip": "10.0.0.1",
        "mem": [total, free, 50.0, total - free],
        "disk": {"/": {"free": 1}, "/tmp/ray": {"free": disk}},
        "now": at or time.time(),
        "gpus": list(gpus),
        "raylet": {"state": state},
    }


def summarise(api, *nodes, usage=("1.0/4.0 CPU\n0B/18GiB memory", "4.0/4.0 CPU\n0.5/1.0 GPU")):
    data = {"summary": list(nodes), "nodeLogicalResources": {str(i): text for i, text in enumerate(usage)}}
    api.answers["/nodes"] = (200, json.dumps({"data": data}))


def need(**changes):
    return Need(**{"trials": 3, "workers": 1, "cpus": 1.0, "gpus": 0.0, **changes})


@pytest.mark.parametrize(
    ("asked", "short"),
    [
        (need(), []),
        (need(workers=2), ["of 3 trials at once there is room for 1 now: the rest waits for what runs there"]),
        (need(cpus=4.0), ["nothing is free for the first trial now: it waits for what runs there"]),
        (need(trials=1, gpus=0.5), ["nothing is free for the first trial now: it waits for what runs there"]),
        (
            need(memory=20 * GB),
            [
                "a worker's step takes up to 20 GB of memory, and the largest node has 16 GB; take smaller networks, batches or "
                "pictures"
            ],
        ),
    ],
)
def test_what_is_free_and_what_is_short(api, asked, short):
    found = RayJobsTarget(api.address).survey(asked)
    assert found.facts == {"free now": "3 CPUs, 0.5 GPUs" if asked.gpus else "3 CPUs"}
    assert [*found.short] == short
    assert found.unknown == ()


def test_a_head_that_does_not_say_what_is_free(api):
    summarise(api, node("one"), usage=())
    assert RayJobsTarget(api.address).survey(need()).unknown == ("what is free now: the head does not say",)


def checks(api):
    return {one.check: one for one in RayJobsTarget(api.address).examine(None)}


def test_a_healthy_cluster_is_told_with_what_nobody_knows(api):
    found = checks(api)
    assert [name for name, one in found.items() if one.ok is False] == []
    assert found["cluster: way"].found == f"{api.address}, 2 nodes"
    assert (found["cluster: token"].ok, found["cluster: token"].found) == (None, "the head asks for none")
    assert found["cluster: token"].mend.startswith("start the head with RAY_AUTH_MODE=token")
    assert found["cluster: GPUs"].found == "1 x H200"
    assert found["cluster: memory"].found == "at least 8 GB free, on one (10.0.0.1)"
    assert (found["head"].ok, "not known from here" in found["head"].found) == (None, True)


def test_what_is_wrong_with_nodes_is_told(api, monkeypatch):
    weak = node("two", free=GB // 2, disk=GB // 4, at=time.time() + 100)
    summarise(api, node("one"), weak, node("gone", free=1, state="DEAD"))
    monkeypatch.setattr("platform.python_version", lambda: "3.12.1")
    found = checks(api)
    wrong = {name: (one.found, one.mend) for name, one in found.items() if one.ok is False}
    assert wrong == {
        "cluster: python": ("3.11.7, 3.12.1 here", "use one version of Python on both"),
        "cluster: memory": ("at least 0.5 GB free, on two (10.0.0.1)", "end what else runs there"),
        "cluster: disk": (
            "at least 0.25 GB free, on two (10.0.0.1)",
            "free some, or start Ray with another --temp-dir",
        ),
        "cluster: nodes' clocks": (
            "the clocks of two (10.0.0.1) are more than 30 s ahead of the head's",
            "set the clocks, with NTP",
        ),
    }


@pytest.mark.parametrize(("off", "told"), [(90, "behind the head's"), (-90, "ahead of the head's")])
def test_a_clock_that_differs_is_told(api, monkeypatch, off, told):
    there = time.time() + off
    monkeypatch.setattr("tests.targets.jobs_api._Handler.date_time_string", lambda self, at=None: formatdate(there))
    clock = checks(api)["cluster: clock"]
    assert (clock.ok, clock.found.endswith(f" s {told}"), clock.mend) == (False, True, "set the clocks, with NTP")


def test_a_way_that_is_closed_is_all_there_is_to_tell(api):
    api.answers["/api/version"] = (401, "Unauthorized: Missing authentication token")
    (way,) = RayJobsTarget(api.address).examine("s3://bucket/runs")
    assert (way.check, way.ok) == ("cluster: way", False)
    assert "wants a token: put its token into a file" in way.found


def test_what_a_probe_prints_is_read_among_other_lines():
    row = {"check": "torch", "ok": True, "found": "2.0", "mend": None}
    found = ray_probe._findings(f"[1] a shell says\n{json.dumps([row], indent=2)}\nand more\n")
    assert found is not None
    assert [(one.check, one.ok, one.found, one.mend) for one in found] == [("torch", True, "2.0", "")]
    assert ray_probe._findings("no list") is None


@pytest.mark.parametrize(
    ("printed", "last"),
    [
        ([{"check": "torch", "ok": True, "found": "1.0", "mend": None}], ("head: same torch", False)),
        ("sh: 1: exec: i2i-cluster: not found", ("head", False)),
    ],
)
def test_a_probe_compares_versions_or_says_why_it_cannot(api, monkeypatch, printed, last):
    text = printed if isinstance(printed, str) else json.dumps(printed)
    monkeypatch.setattr(ray_probe, "_run", lambda client, name, command: (text, JobStatus.FAILED))
    monkeypatch.setattr(ray_survey, "examine", lambda address: iter([Finding("cluster: way", True, "")]))
    found = RayJobsTarget(api.address).examine("runs")
    assert (found[-1].check, found[-1].ok) == last
    if isinstance(printed, str):
        assert found[-1].found == f"the job that looks ended as failed: {printed}"
        assert found[-1].mend.startswith("install i2i-cluster on the head")
