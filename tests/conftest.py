"""The real S3 server that any test may ask for, which starts once, with the first test that does; and a state folder of its own for
every run of the tests: what a driver announces there is none of the user's business."""

import itertools
from collections.abc import Iterator

import pytest

from tests.seaweed import BUCKET, Seaweed, missing, seaweedfs

_numbers = itertools.count()


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
