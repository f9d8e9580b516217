"""How the workers of a group are connected: torch's process group as Ray Train makes it, with three changes.

A file of its own, because the process that watches over a group loads it too, and would wait for all that a worker imports.
"""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import dataclass
from typing import Any

from ray.train.torch import TorchConfig

from cluster.workers.preemption import heed_sigterm


class _Processes(TorchConfig().backend_cls):  # type: ignore[misc]
    """Torch's process group in a Ray Train group."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Connect the workers; what is executed in this way runs in their main threads, which alone may handle signals."""
        if backend_config.interface:
            worker_group.execute(talk_by, backend_config.interface)
        super().on_start(worker_group, backend_config)
        worker_group.execute(heed_sigterm)

    def on_shutdown(self, worker_group: Any, backend_config: Any) -> None:
        """Nothing: the processes are about to be killed, and one that hangs would not answer for half a minute."""


@dataclass
class Connection(TorchConfig):
    """How the workers are connected. interface: of the network, by which they talk; empty for the libraries' own choice."""

    interface: str = ""

    @property
    def backend_cls(self) -> type[_Processes]:
        """Called by Ray Train."""
        return _Processes


def talk_by(interface: str) -> None:
    """Have gloo and NCCL talk by this network interface; called in each worker before it is connected.

    Raises ValueError where this machine has none of that name.
    """
    there = [name for _, name in socket.if_nameindex()]
    if interface not in there:
        raise ValueError(f"resources.interface is {interface!r}, and {platform.node()} has {', '.join(there)}")
    os.environ["GLOO_SOCKET_IFNAME"] = interface
    os.environ["NCCL_SOCKET_IFNAME"] = f"={interface}"  # without the sign it would be the beginning of a name
