"""What goes wrong between a client and a head, each in one line that says what to do; and which token is shown to whom."""

import json
import random
import socket
import ssl
import subprocess
from typing import Any

import pytest
import ray

from cluster.targets import ray_client
from cluster.targets.ray_client import connect, find_token
from cluster.targets.ray_jobs import RayJobsTarget
from cluster.targets.target import JobState, Parcel, TargetError
from tests.targets.jobs_api import jobs_api

FAR = "http://head:8265"


@pytest.fixture
def api(monkeypatch):
    """A head that answers as a test says; no token is at hand."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with jobs_api() as server:
        yield server


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The home folder, with the token that Ray makes for clusters of this machine."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("of this machine\n")
    return tmp_path


def refused(address):
    with pytest.raises(TargetError) as error:
        RayJobsTarget(address).capacity()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_tokens_come_in_ray_s_order(home, monkeypatch):
    usual = ("of this machine", str(home / ".ray" / "auth_token"))
    assert find_token("http://127.0.0.1:8265") == find_token("http://localhost:8265") == usual
    assert find_token(FAR) == ("", ""), "another machine is not shown this one's"
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert find_token(FAR) == usual, "unless one says so"
    (home / "mine").write_text(" of the head ")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "~/mine")
    assert find_token(FAR) == ("of the head", str(home / "mine"))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "itself")
    assert find_token(FAR) == ("itself", "RAY_AUTH_TOKEN")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert find_token(FAR) == ("", "")


@pytest.mark.parametrize(("content", "why"), [(None, "no such file"), (b"\xff", "not text"), (b" \n", "is empty")])
def test_a_token_file_that_is_of_no_use_is_named(home, monkeypatch, content, why):
    if content is not None:
        (home / "mine").write_bytes(content)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "mine"))
    with pytest.raises(TargetError, match=why) as error:
        find_token(FAR)
    assert str(home / "mine") in str(error.value)


@pytest.mark.parametrize("token", ["of two\nlines", "of \u20ac"])
def test_a_token_that_no_header_holds_is_refused_and_not_shown(api, home, monkeypatch, token):
    (home / "mine").write_text(token, encoding="utf-8")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "mine"))
    named = f"the token for {api.address} is not one line of printable ASCII: "
    assert refused(api.address) == f"{named}{home / 'mine'}"
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    assert refused(api.address) == f"{named}RAY_AUTH_TOKEN"
    assert api.shown == []


def test_the_token_is_sent_to_the_address_and_not_to_ray_address(api, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "itself")
    connect(api.address)
    assert api.shown == ["Bearer itself"]


def test_a_head_that_wants_one_says_so(api, home):
    (home / ".ray" / "auth_token").unlink()
    api.answers["/api/version"] = (401, "Unauthorized: Missing authentication token")
    wants = f"{api.address} wants a token: put its token into a file and name that in RAY_AUTH_TOKEN_PATH"
    assert refused(api.address) == wants


def test_a_head_that_refuses_it_says_which(api, home):
    api.answers["/api/version"] = (403, "Forbidden: Invalid authentication token")
    told = refused(api.address)
    assert told.startswith(f"{api.address} refuses the token of {home}/.ray/auth_token: it is wrong, or has expired; ")
    assert "of this machine" not in told, "a token is never shown"


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        (200, "<html>a page</html>", "answers, but not as Ray's Jobs API does"),
        (200, "[]", "answers, but not as Ray's Jobs API does: is it the head's dashboard?"),
        (200, "null", "answers, but not as Ray's Jobs API does: is it the head's dashboard?"),
        (200, '{"version": "4"}', "answers, but not as Ray's Jobs API does: is it the head's dashboard?"),
        (404, "not found", "answers, but not as Ray's Jobs API does"),
        (502, "bad gateway", "answers, but not as Ray's Jobs API does (502 Server Error: Bad Gateway for url: "),
    ],
)
def test_what_is_no_head_is_told(api, status, text, told):
    api.answers["/api/version"] = (status, text)
    assert f"{api.address} {told}" in refused(api.address)


def test_another_ray_is_refused(api):
    api.runs("2.40.0")
    told = refused(api.address)
    assert told.startswith(f"{api.address} runs Ray 2.40.0, and this machine has 2.")
    assert "install the same i2i-cluster" in told


def test_a_patch_of_the_same_ray_is_fine(api):
    major, minor, *_ = ray.__version__.split(".")
    api.runs(f"{major}.{minor}.99")
    connect(api.address)


def test_a_head_that_is_not_there_is_told():
    assert refused("http://127.0.0.1:1").startswith(
        "http://127.0.0.1:1 cannot be reached (connection refused): is the head up"
    )
    assert "(name or service not known)" in refused("http://no-such-head.invalid:8265")


def test_a_head_that_hangs_is_told(monkeypatch):
    monkeypatch.setattr(ray_client, "WAIT_S", (0.2, 0.2))
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        assert refused(address) == f"{address} does not answer within 0.2 s: is the head up, and reachable?"


def test_tls_is_checked_and_its_authority_can_be_named(api, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    plain = f"https://127.0.0.1:{api.server_port}"
    assert refused(plain).startswith(f"{plain}: it speaks no TLS; write http://")
    api.socket = context.wrap_socket(api.socket, server_side=True)
    address = f"https://localhost:{api.server_port}"
    assert refused(address).startswith(f"{address}: its certificate is not trusted; name the file of the authority")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    connect(address)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert "none.pem" in refused(address)


def test_an_error_of_the_head_is_its_last_line(api):
    api.answers["/api/jobs/"] = (500, "Traceback (most recent call last):\n  File x\nValueError: no room on the disk")
    with pytest.raises(TargetError) as error:
        RayJobsTarget(api.address).submit(Parcel("key", "toy", "{}"), 1)
    assert str(error.value) == f"{api.address}: ValueError: no room on the disk."


def test_a_file_that_no_job_can_hold_is_refused(api):
    noise = "".join(random.Random(0).choices("0123456789abcdef", k=200_000))
    with pytest.raises(TargetError, match=r"sweep toy: its file is too long for a Ray job \(200,000 characters\)"):
        RayJobsTarget(api.address).submit(Parcel("key", "toy", noise), 1)


def test_a_head_without_the_program_is_told(api):
    found: dict[str, Any] = {"type": "SUBMISSION", "submission_id": "i2i-key-3", "status": "FAILED", "entrypoint": "x"}
    found |= {"message": "sh: 1: exec: i2i-cluster: not found", "driver_exit_code": 127}
    others = [{**found, "submission_id": name} for name in ("i2i-key-2", "i2i-key-10x", "i2i-other-4", None)]
    api.answers["/api/jobs/"] = (200, json.dumps([*others, found]))
    job = RayJobsTarget(api.address).find("key")
    assert job is not None
    assert (job.name, job.number, job.state) == ("i2i-key-3", 3, JobState.failed)
    assert job.detail.startswith("the head has no i2i-cluster on its PATH")
