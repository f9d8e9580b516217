"""A sweep for the tests of the conductor."""

import pytest

from tests.cluster.conducting import Sweep


@pytest.fixture
def sweep(tmp_path):
    """The sweep, and its log closed at the end."""
    of = Sweep(tmp_path)
    yield of
    of.crash()
