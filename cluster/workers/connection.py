"""How the workers of a group are connected: torch's process group as Ray Train makes it, with two changes.

A file of its own, because the process that watches over a group loads it too, and would wait for all that a worker imports.
"""

from __future__ import annotations

from typing import Any

from ray.train.torch import TorchConfig

from cluster.workers.preemption import heed_sigterm


class _Processes(TorchConfig().backend_cls):  # type: ignore[misc]
    """Torch's process group in a Ray Train group."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Connect the workers; what is executed in this way runs in their main threads, which alone may handle signals."""
        super().on_start(worker_group, backend_config)
        worker_group.execute(heed_sigterm)

    def on_shutdown(self, worker_group: Any, backend_config: Any) -> None:
        """Nothing: the processes are about to be killed, and one that hangs would not answer for half a minute."""


class Connection(TorchConfig):
    """How the workers are connected."""

    @property
    def backend_cls(self) -> type[_Processes]:
        """Called by Ray Train."""
        return _Processes
