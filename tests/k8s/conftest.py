"""The definitions of custom kinds, which are not in this repository, and a server that holds objects against them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.k8s.emulator import Emulator
from tests.k8s.validate import missing


@pytest.fixture(scope="session", name="crds")
def crds_fixture() -> None:
    """Skips by name where the definitions of RayCluster, RayJob, PodMonitor and Kueue's kinds are not at hand."""
    if reason := missing():
        pytest.skip(reason)


@pytest.fixture(name="emulator")
def emulator_fixture(crds: None, tmp_path: Path) -> Iterator[Emulator]:
    """An API server with nothing in it but the namespace and the account that every sweep needs."""
    with Emulator(tmp_path) as server:
        server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "i2i"}})
        account = {"name": "i2i-cluster", "namespace": "i2i"}
        server.put({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        yield server
