"""Downloads what will be opened soon, in the background, soonest first.

It only ever helps: a failure is left to whoever opens the shard and meets it there, and a shard for which there is no
room waits until something is let go of.
"""

import time
from collections.abc import Callable, Iterable
from threading import Condition, Thread

_GOODBYE = 0.5  # seconds that closing waits for the threads


class Ahead:
    """A few threads and what they are asked for. fetch: name -> whether it is done with, False for want of room."""

    def __init__(self, fetch: Callable[[str], bool], next_use: Callable[[str], float], threads: int) -> None:
        self._fetch, self._next_use, self._most = fetch, next_use, threads
        self._wishes: dict[str, None] = {}  # in the order in which they came
        self._parked: set[str] = set()  # there was no room for them
        self._threads: list[Thread] = []
        self._changed = Condition()
        self._closed = False

    def want(self, names: Iterable[str]) -> None:
        """Add to what is asked for. Returns at once."""
        with self._changed:
            if self._closed:
                return
            self._wishes.update(dict.fromkeys(names))
            self._parked.difference_update(self._wishes)
            if self._wishes and len(self._threads) < self._most:
                # Daemons, because a download cannot be called off: it shall not hold up the end of the process.
                self._threads.append(Thread(target=self._work, name="cache-ahead", daemon=True))
                self._threads[-1].start()
            self._changed.notify_all()

    def forget(self, name: str) -> None:
        """It is being opened."""
        with self._changed:
            self._wishes.pop(name, None)
            self._parked.discard(name)

    def retry(self) -> None:
        """There may be room again."""
        with self._changed:
            if self._parked:
                self._wishes.update(dict.fromkeys(self._parked))
                self._parked.clear()
                self._changed.notify_all()

    def close(self) -> None:
        """Begin nothing more. A download that is under way ends by itself and is kept."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        until = time.monotonic() + _GOODBYE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wishes or self._closed)
                if self._closed:
                    return
                names = list(self._wishes)
            soonest = min(names, key=self._next_use)  # not under the lock: it is foreign code
            with self._changed:
                if soonest not in self._wishes:
                    continue  # another thread was faster
                del self._wishes[soonest]
            if not self._fetch(soonest):
                with self._changed:
                    self._parked.add(soonest)
