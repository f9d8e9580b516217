"""The real S3 server that any test may ask for, which starts once, with the first test that does; and a state folder of its own for
every run of the tests: what a driver announces there is none of the user's business."""

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.seaweed import BUCKET, Seaweed, missing, seaweedfs

_numbers = itertools.count()
RAY = "ray"  # the mark


class _Sharing(LoadScopeScheduling):  # type: ignore[misc]
    """Which tests one process runs, where several share them: those of one file stay together, since they share what was costly to
    make; all files with a Ray are one after another, for two would take each other's CPUs and memory."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return RAY if _starts_ray(file) else file


@functools.cache
def _starts_ray(file: str) -> bool:
    return f"mark.{RAY}" in Path(file).read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Sharing:
    """In place of xdist's own groups, whose names pytest 9.2 does not hand on."""
    return _Sharing(config, log)


@pytest.fixture(scope="session", autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What would be written below ~/.local/state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", name="seaweed")
def seaweed_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """SeaweedFS, running. The variables of `seaweed.env` are not set: see `bucket`."""
    if reason := missing():
        pytest.skip(reason)
    with seaweedfs(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def bucket(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty place in S3, with the variables set that reach it."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in seaweed.env.items():
        monkeypatch.setenv(name, value)
    return seaweed.uri(f"{BUCKET}/test-{next(_numbers)}")
