"""Whether this process was told to go: its node is being drained, or somebody sent it SIGTERM.

Clouds announce that a machine goes, and `ray start --block` turns a pod's SIGTERM into the same announcement. Ray itself would
let training run on until the machine is gone.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import ray
from ray.exceptions import RayError

from cluster.workers.nodes import draining, this_node

logger = logging.getLogger(__name__)
LOOK_S = 1.0
GOODBYE_S = 5.0

_terminated = threading.Event()  # a signal is the process's, and so are these
_before: list[Any] = []  # the handler that ours stands for


def node_drains() -> bool:
    """Whether this node was announced to go; no node of Ray is ever looked for by a process that has none."""
    return ray.is_initialized() and this_node() in draining()


class Draining:
    """Looks every `every` seconds, in a thread, so that a training step does not wait for it. A context manager."""

    def __init__(self, look: Callable[[], bool] = node_drains, every: float = LOOK_S) -> None:
        self._look, self._every = look, every
        self._found = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="draining", daemon=True)

    def __enter__(self) -> Draining:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(GOODBYE_S)  # it may be asking a head that is gone

    def is_asked(self) -> bool:
        """Whether to save and end; it stays so once it is."""
        return self._found.is_set() or _terminated.is_set()

    def _watch(self) -> None:
        while not self._found.is_set() and not self._ended.is_set():
            try:
                if self._look():
                    self._found.set()
            except RayError as error:  # whoever needs Ray's head will say it; a look does not
                logger.debug("could not look for draining nodes: %s", error)
            self._ended.wait(self._every)


def heed_sigterm() -> None:
    """Let the first SIGTERM to this process ask it to save and end; the second does what it would have done. Main thread only.

    Called again it forgets an earlier one. Ray's own handler ends a worker's process at once.
    """
    _terminated.clear()
    if signal.getsignal(signal.SIGTERM) is not _on_signal:
        _before.append(signal.signal(signal.SIGTERM, _on_signal))


def _on_signal(number: int, frame: FrameType | None) -> None:
    _terminated.set()
    signal.signal(signal.SIGTERM, _before.pop())
