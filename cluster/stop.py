"""The request that a sweep's trials save and end: a file in its storage, so that any process can make it and see it.

It is looked for after every training step. In a remote store a look is a request, so there it is made now and then, beside
the training: the answer is the one of the last look.
"""

from __future__ import annotations

import logging
import math
import threading
import time

from data_shards.errors import DataError
from data_shards.store import Store

logger = logging.getLogger(__name__)
LOOK_S = 2.0  # between the starts of two looks into a remote store


class StopRequest:
    """Trials look for it after every step; it is withdrawn when the next attempt starts."""

    def __init__(self, store: Store, path: str) -> None:
        self.store, self.path = store, path
        self._made = False  # as far as is known here
        self._looked = -math.inf
        self._look: threading.Thread | None = None

    def make(self) -> None:
        """Ask."""
        self._made = True  # whoever asked knows it, also where it cannot be written
        self.store.write(self.path, b"")
        self._made = self.store.remote  # a look into a folder costs nothing

    def is_made(self) -> bool:
        """Whether somebody asked; of a remote store as it was a short while ago. Raises nothing of a remote store's."""
        if not self.store.remote:
            return self._made or self.store.exists(self.path)
        idle = self._look is None or not self._look.is_alive()
        if not self._made and idle and time.monotonic() - self._looked >= LOOK_S:
            self._looked = time.monotonic()
            self._look = threading.Thread(target=self._look_once, daemon=True)
            self._look.start()
        return self._made

    def withdraw(self) -> None:
        """Forget it; nothing happens where nobody asked."""
        self.store.delete(self.path)
        self._made = False

    def _look_once(self) -> None:
        try:
            self._made = self.store.exists(self.path) or self._made
        except (DataError, OSError) as error:  # whoever needs the store will say it; a look does not
            logger.debug("could not look for a request to stop: %s", error)
