"""Which network interface NCCL would take, by its own rules; and what `doctor` says of it."""

import pytest

from cluster.network import interfaces, nccl_choice
from orchestrator.doctor.network import choice_finding, nccl_finding

THERE = ["lo", "docker0", "eth0", "eth1", "ib0", "ib1"]


@pytest.mark.parametrize(
    ("there", "named", "chosen"),
    [
        (THERE, "", ("ib0", "ib1")),
        (["lo", "docker0", "virbr0", "eth0"], "", ("eth0",)),
        (["lo", "docker0"], "", ("docker0",)),
        (["lo"], "", ("lo",)),
        (THERE, "eth", ("eth0", "eth1")),
        (THERE, "=eth1", ("eth1",)),
        (THERE, "=eth", ()),
        (THERE, "ib1,eth1", ("eth1", "ib1")),
        (THERE, "^ib,docker", ("lo", "eth0", "eth1")),
        (THERE, "^=eth0", ("lo", "docker0", "eth1", "ib0", "ib1")),
        (THERE, "mlx5", ()),
    ],
)
def test_nccl_chooses(there, named, chosen):
    assert nccl_choice(there, {"NCCL_SOCKET_IFNAME": named}).interfaces == chosen


def test_this_machine_has_its_loopback():
    assert "lo" in interfaces()


def test_an_interface_that_is_not_there_is_told_with_those_that_are():
    (found,) = choice_finding(["lo", "eth0"], {"NCCL_SOCKET_IFNAME": "ib0"})
    assert (found.ok, found.found) == (False, "NCCL_SOCKET_IFNAME=ib0 fits none of lo, eth0")
    assert found.mend == "unset NCCL_SOCKET_IFNAME, or name one of: eth0"
    nccl, gloo = choice_finding(["lo", "eth0"], {"GLOO_SOCKET_IFNAME": "eth9"})
    assert (nccl.ok, nccl.found) == (True, "eth0, as NCCL chooses by itself")
    assert (gloo.ok, gloo.found) == (False, "GLOO_SOCKET_IFNAME=eth9 is none that is up")
    (lonely,) = choice_finding(["lo"], {})
    assert (lonely.ok, lonely.found) == (True, "lo, as NCCL chooses by itself: workers on this machine alone")
    (none,) = choice_finding([], {})
    assert (none.ok, none.found) == (False, "no network interface is up")


def test_gpus_without_nccl_are_a_problem():
    assert nccl_finding("2.27.5", 8).found == "2.27.5, in torch"
    assert nccl_finding("", 0).ok is True
    broken = nccl_finding("", 8)
    assert (broken.ok, broken.mend.startswith("install a torch that was built for CUDA")) == (False, True)
