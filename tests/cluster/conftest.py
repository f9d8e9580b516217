"""A sweep for the tests of the conductor, in a folder and in a store that cannot append."""

import pytest

from data_shards.store import FolderStore
from tests.cluster.conducting import RemoteStore, Sweep


@pytest.fixture(params=[FolderStore, RemoteStore], ids=["folder", "remote"])
def sweep(request, tmp_path):
    """The sweep, and its log closed at the end."""
    of = Sweep(request.param(tmp_path))
    yield of
    of.crash()
