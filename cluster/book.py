"""The log as its driver writes it: whoever watches hears of each record, and what the storage fails with is not forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cluster.log.lock import SweepBusy
from cluster.log.records import SweepState
from cluster.log.store import LONGEST_S, SweepLog
from data_shards.errors import DataError


class Book:
    """`observe` is called with the state after every record. failure: of the storage, nothing can go on without it."""

    def __init__(self, log: SweepLog, observe: Callable[[SweepState], None]) -> None:
        self._log, self._observe = log, observe
        self.failure: OSError | ValueError | None = None

    @property
    def state(self) -> SweepState:
        """What the log adds up to."""
        return self._log.state

    def record(self, kind: str, **fields: Any) -> None:
        """Put it into the log, then tell who watches."""
        with self.remembering():
            self._log.append(kind, **fields)
        self._observe(self.state)

    def end(
        self, index: int, state: str, error: str | None, by: str | None = None, why: str = "", nonfinite: bool = False
    ) -> None:
        """A trial has ended. by, why: who stopped it, where somebody did. nonfinite: it failed by its own numbers."""
        more: dict[str, Any] = {"by": by, "why": why} if by else {"nonfinite": True} if nonfinite else {}
        self.record("ended", trial=index, state=state, error=error, **more)

    def commit(self, longest: float = 0.0) -> None:
        """Make sure of what was recorded, before anybody acts on it; what waits for less than `longest` seconds may wait."""
        with self.remembering():
            self._log.commit(longest)

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Keep what the storage fails with: Tune hands on its text alone."""
        try:
            yield
        except (DataError, OSError, SweepBusy) as failure:
            self.failure = failure
            raise

    def check(self) -> None:
        """Raise what makes it impossible to go on, if somebody has found it out. To be called all the time: nothing that was
        recorded waits much longer than LONGEST_S to be made sure of."""
        if self.failure is not None:
            raise self.failure
        self.commit(LONGEST_S)
