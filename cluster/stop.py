"""The request that a sweep's trials save and end: a file in its storage, so that any process can make it and see it."""

from __future__ import annotations

from dataclasses import dataclass

from data_shards.store import Store


@dataclass(frozen=True)
class StopRequest:
    """Trials look for it after every step; it is withdrawn when the next attempt starts."""

    store: Store
    path: str

    def make(self) -> None:
        """Ask."""
        self.store.write(self.path, b"")

    def is_made(self) -> bool:
        """Whether somebody asked."""
        return self.store.exists(self.path)

    def withdraw(self) -> None:
        """Forget it; nothing happens where nobody asked."""
        self.store.delete(self.path)
