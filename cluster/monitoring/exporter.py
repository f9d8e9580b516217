"""The endpoint of one sweep: the log's records go in, Prometheus takes the numbers out.

The driver only puts each record's bytes into a queue; a thread of its own folds them, and others answer whoever scrapes. So a
mistake in here ends that thread, and no training: the endpoint then says so, as an error that a Prometheus sees.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from queue import SimpleQueue

from cluster.job import Endpoint, Job
from cluster.log.records import read_records
from cluster.monitoring.discovery import announced
from cluster.monitoring.fold import Best, Fold
from cluster.monitoring.server import Listening, listen, serving

logger = logging.getLogger(__name__)
PATIENCE_S = 5.0  # that a scrape waits for records which were written before it
GOODBYE_S = 2.0


class Exporter:
    """Folds what it is told. `follow` may be called by one thread; it returns at once and never raises."""

    def __init__(self, best: Best) -> None:
        self._fold = Fold(best)
        self._told: SimpleQueue[bytes | None] = SimpleQueue()
        self._count = self._folded = 0  # pieces of the log: told, and folded in
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def follow(self, raw: bytes) -> None:
        """Whole records, as they are in the log; those that were in it before come first."""
        self._count += 1
        self._told.put(raw)

    @contextmanager
    def reading(self) -> Iterator[Fold]:
        """What all records add up to that were told before. Raises RuntimeError where folding them met a mistake of ours."""
        wanted = self._count
        with self._changed:
            self._changed.wait_for(lambda: self._folded >= wanted or self._ended, PATIENCE_S)
            if self._ended:
                raise RuntimeError("the metrics met a mistake of ours; the driver's output has its traceback")
            yield self._fold

    def close(self) -> None:
        """Fold no more."""
        self._told.put(None)
        self._thread.join(GOODBYE_S)

    def _run(self) -> None:
        try:
            while (raw := self._told.get()) is not None:
                with self._changed:
                    for record in read_records(raw):
                        self._fold.apply(record)
                    self._folded += 1
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


class Metrics:
    """What a launch sees of its endpoint. url: where to scrape, None where nothing listens."""

    def __init__(self, exporter: Exporter | None = None, url: str | None = None) -> None:
        self._exporter, self.url = exporter, url

    def follow(self, raw: bytes) -> None:
        """As of `Exporter`."""
        if self._exporter is not None:
            self._exporter.follow(raw)


@contextmanager
def exporting(job: Job) -> Iterator[Metrics]:
    """The job's endpoint, as long as this lasts. Raises PortTaken where the job names a port that cannot be had.

    Where no port was named, and none is to be had, the training goes on without.
    """
    listening = _listen(job.metrics)
    if listening is None:
        yield Metrics()
        return
    with ExitStack() as stack:
        exporter = Exporter(job.best)
        stack.callback(exporter.close)
        stack.enter_context(serving(listening, exporter.reading))
        # Without a home folder, or with one that nobody may write, a Prometheus is told by hand.
        with suppress(OSError, RuntimeError):
            stack.enter_context(announced(listening.target, job.id, job.name))
        yield Metrics(exporter, listening.url)


def _listen(endpoint: Endpoint) -> Listening | None:
    if endpoint.port == 0:
        return None
    listening = listen(endpoint)
    if listening is None:
        logger.warning("no port was free for metrics: the sweep runs without")
    return listening
