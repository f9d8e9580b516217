"""What the tests of `tests/orchestrator` have, and a fake target that every cluster key leads to."""

import pytest

from tests.orchestrator import conftest as orchestrator
from tests.targets.fake import FakeTarget

make_shards, shards, run = orchestrator.make_shards, orchestrator.shards, orchestrator.run


@pytest.fixture
def fake(monkeypatch):
    """The target that http://head:8265 and every other cluster lead to, as long as the test runs."""
    target = FakeTarget()
    monkeypatch.setattr("orchestrator.targets.target_of", lambda cluster, sweep=None: target)
    monkeypatch.setattr("orchestrator.remote.target_of", lambda cluster, sweep=None: target)
    monkeypatch.setattr("orchestrator.doctor.cluster.target_of", lambda cluster, sweep=None: target)
    return target


@pytest.fixture
def state(tmp_path, monkeypatch):
    """The user's state folder, empty."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "i2i-cluster"
