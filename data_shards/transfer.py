"""How long a store over the network is waited for, and how what failed is tried again. Knows no protocol.

One `Call` is what a caller of the store waits for; its parts (`Tries`) run side by side and share its deadline. The
surprise is that a part that makes progress never gives up: only tries in which nothing came count against it.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from data_shards.counters import COUNTS
from data_shards.errors import DataError, Unreachable

T = TypeVar("T")
logger = logging.getLogger(__name__)

FRUITLESS = 3  # tries at least, before a store counts as unreachable: a process may have been stopped meanwhile
GOODBYE = 1.0  # seconds for threads to end after an interrupt
TOLD_AFTER = 5.0  # seconds of trying in vain, until somebody may wonder
PROGRESS = 1 << 16  # bytes of one try that make it a fruitful one


@dataclass(frozen=True)
class Patience:
    """When to give up. Times in seconds, rates in bytes per second."""

    deadline: float = 300.0  # of one call; each byte to be moved adds 1 / minimum_rate
    minimum_rate: float = 65536.0  # of one connection, over `window`; a slower one is replaced
    window: float = 5.0
    connect_timeout: float = 5.0
    read_timeout: float = 10.0  # of one wait for the next bytes
    first_pause: float = 0.1  # before the second try; doubles up to the longest
    longest_pause: float = 10.0


class Transient(Exception):
    """One try failed in a way that the next may not. `cause`: the counter `retries_<cause>` that it adds to."""

    def __init__(self, cause: str, text: str) -> None:
        super().__init__(text)
        self.cause = cause


class Stopped(Exception):
    """Another part of the same call has failed, so this one need not go on."""


class Call:
    """The time that one call of a store may take, `size` bytes to move included. `place` names what it is about."""

    def __init__(self, patience: Patience, place: str, size: int = 0) -> None:
        self.patience = patience
        self.place = place
        self.stopped = threading.Event()
        self.tries = 0
        self._told = False
        self._started = time.monotonic()
        self._size = size

    def expects(self, size: int) -> None:
        """The content turns out to have `size` bytes."""
        self._size = max(self._size, size)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    @property
    def allowed(self) -> float:
        return self.patience.deadline + self._size / self.patience.minimum_rate

    def tell(self, failure: "Transient") -> None:
        """Say once that this takes longer than people expect, and why."""
        if self.elapsed > TOLD_AFTER and not self._told:
            self._told = True
            logger.warning("waiting for %s: %s; tried for up to %.0f s", self.place, failure, self.allowed)

    def go_on(self) -> None:
        """Raise Stopped where another part has failed."""
        if self.stopped.is_set():
            raise Stopped(self.place)


class Tries:
    """The tries of one part of a call, with growing pauses between them."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._fruitless = 0
        self._received = 0

    @property
    def read_timeout(self) -> float:
        """Seconds that the next try waits for the next bytes: few at first, as a question that meets silence is mostly
        lost, and soon as many as a busy server may need.
        """
        longest = self.call.patience.read_timeout
        return min(longest, longest / 4 * 2.0 ** min(self._fruitless, 60))

    def persist(self, send: Callable[[], T]) -> T:
        """What `send` returns, as soon as it does not raise Transient."""
        while True:
            self.call.go_on()
            try:
                return send()
            except Transient as failure:
                self.failed(failure)

    def progress(self, size: int) -> None:
        """`size` bytes came through; after enough of them the next failure is the first one again."""
        self._received += size
        if self._received >= PROGRESS:
            self._fruitless = 0

    def failed(self, failure: Transient) -> None:
        """Count a failed try and wait before the next one. Unreachable where the call's time is used up."""
        call, patience = self.call, self.call.patience
        COUNTS.add(f"retries_{failure.cause}")
        call.tries += 1
        longest = min(patience.longest_pause, patience.first_pause * 2.0 ** min(self._fruitless, 60))
        # A generator of our own: drawing from the shared one would change what a seeded program draws next.
        pause = longest * (0.5 + 0.5 * _dice.random())
        self._fruitless += 1
        self._received = 0
        if call.elapsed + pause > call.allowed and self._fruitless >= FRUITLESS:
            COUNTS.add("given_up")
            raise Unreachable(
                f"{call.place}: no success within {call.elapsed:.0f} s and {call.tries} tries; the last one: {failure};"
                " check the network and the endpoint, then give the same command again: nothing is lost"
            ) from failure
        call.tell(failure)
        COUNTS.add("retry_wait_seconds", pause)
        call.stopped.wait(pause)  # a signal gets through, and so does the failure of another part
        call.go_on()


_dice = random.Random()


class Pace:
    """Watches that bytes keep coming: at least the minimum rate, over each window that slides along."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._total = 0
        self._marks = deque([(time.monotonic(), 0)])  # (time, bytes until then), the window's oldest first

    def add(self, size: int) -> None:
        """`size` bytes came; Transient where the last window brought too few."""
        now, patience = time.monotonic(), self._patience
        self._total += size
        if now - self._marks[-1][0] >= patience.window / 16:
            self._marks.append((now, self._total))
        while len(self._marks) > 1 and self._marks[1][0] <= now - patience.window:
            self._marks.popleft()
        since, before = self._marks[0]
        if now - since >= patience.window and self._total - before < patience.minimum_rate * (now - since):
            raise Transient("slow", f"{self._total - before} bytes in {now - since:.1f} s")


def in_parallel(call: Call, jobs: Sequence[Callable[[], None]], width: int) -> None:
    """Run the jobs, `width` at a time; the first failure stops the others and is raised.

    The threads are daemons: a process that ends need not wait for a store that does not answer.
    """
    if len(jobs) <= 1 or width <= 1:
        for job in jobs:
            job()
        return
    todo = iter(jobs)  # one for all threads, so that each job is handed out once
    failures: list[Exception] = []
    finished: list[None] = []

    def work() -> None:
        try:
            for job in todo:
                call.go_on()
                job()
                finished.append(None)
        except (OSError, DataError, Stopped) as failure:
            failures.append(failure)
            call.stopped.set()

    threads = [threading.Thread(target=work, name="part", daemon=True) for _ in range(min(width, len(jobs)))]
    with ExitStack() as interrupted:
        interrupted.callback(_say_goodbye, call, threads)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        interrupted.pop_all()
    for failure in failures:
        if not isinstance(failure, Stopped):
            raise failure
    assert len(finished) == len(jobs), f"{call.place}: a part ended without a word"


def _say_goodbye(call: Call, threads: Sequence[threading.Thread]) -> None:
    """An interpreter that ends under a thread in the middle of a call may abort: let those end that can."""
    call.stopped.set()
    end = time.monotonic() + GOODBYE
    for thread in filter(threading.Thread.is_alive, threads):
        thread.join(max(0.0, end - time.monotonic()))
