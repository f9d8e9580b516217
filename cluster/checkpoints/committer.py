"""Commits checkpoints in a thread of its own, so that training goes on while one is written.

The state that is handed over is a snapshot, and the one being written is the only one held: a checkpoint that falls due
meanwhile is left out, since a later one is worth more than a queue of old ones.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cluster.checkpoints.folder import Checkpoints, Superseded
from data_shards.errors import DataError

logger = logging.getLogger(__name__)
COUNTED = tuple(f"checkpoint/{what}" for what in ("failed", "skipped", "written", "written_seconds", "written_bytes"))
FULL = (errno.ENOSPC, errno.EDQUOT)
GOODBYE_S = 45.0  # Tune waits 60 s for a trial that it stops, then leaves its actor behind


@dataclass(frozen=True)
class _Job:
    state: Mapping[str, Tensor]
    step: int
    about: Mapping[str, Any]
    score: float | None
    beside: Mapping[str, bytes]


class Committer:
    """Writes one checkpoint at a time to `checkpoints`. To be used by one thread, which calls `close` at the end.

    before: the numbers of this attempt's last committer, to count on from.
    """

    def __init__(self, checkpoints: Checkpoints, before: Mapping[str, float] | None = None) -> None:
        self.checkpoints = checkpoints
        self._changed = threading.Condition()
        self._job: _Job | None = None
        self._closing = self._ended = False
        self._superseded: Superseded | None = None
        self._failures: list[str] = []
        self._metrics = {**dict.fromkeys(COUNTED, 0.0), **(before or {})}
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a checkpoint is being written: ask before a snapshot is made for nothing."""
        with self._changed:
            return self._job is not None

    def commit(
        self,
        state: Mapping[str, Tensor],
        step: int,
        about: Mapping[str, Any],
        score: float | None = None,
        beside: Mapping[str, bytes] | None = None,
    ) -> bool:
        """Hand over a checkpoint to be saved as `Checkpoints.save` does, and return at once; it is not copied, so nobody may
        change it from then on. False where the last one is still being written: this one is left out, and counted.

        beside: path in the store -> what else is to be written there once the checkpoint is. Raises Superseded where an
        earlier one met it.
        """
        with self._changed:
            assert not self._closing, "closed"
            self._check()
            if self._job is not None:
                self.leave_out()
                return False
            self._job = _Job(state, step, about, score, beside or {})
            self._changed.notify_all()
            return True

    def leave_out(self) -> None:
        """Count a checkpoint that nobody made because the last one is still being written."""
        with self._changed:
            self._metrics["checkpoint/skipped"] += 1

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being written; False where that takes longer than `timeout` seconds. Raises Superseded."""
        with self._changed:
            idle = self._changed.wait_for(lambda: self._job is None or self._ended, timeout)
            self._check()
            return idle

    def close(self) -> None:
        """Wait until nothing is being written, and end the thread. What failed is still told afterwards.

        A store that is away is not waited out for longer than `GOODBYE_S`: what is half written then has no manifest and counts
        for nothing, and the checkpoint before it is the one to go on from.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(GOODBYE_S)
        if self._thread.is_alive():
            logger.warning("the checkpoint being written is given up: it took longer than %.0f s to end", GOODBYE_S)

    def take_failures(self) -> tuple[str, ...]:
        """A text for each checkpoint that could not be written since this was asked last."""
        with self._changed:
            failures, self._failures = tuple(self._failures), []
            return failures

    def metrics(self) -> dict[str, float]:
        """How many checkpoints failed, were left out and were written, with the seconds and bytes of these; of the last one its
        step, its seconds and its bytes."""
        with self._changed:
            return dict(self._metrics)

    def _check(self) -> None:
        if self._superseded is not None:
            raise self._superseded
        if self._ended and self._job is not None:
            raise RuntimeError(
                f"the checkpoint of step {self._job.step} met a mistake of ours; its traceback is in the log"
            )

    def _run(self) -> None:
        try:
            while (job := self._next()) is not None:
                self._save(job)
                del job  # its memory, before the next one is made
                self._set_idle()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _next(self) -> _Job | None:
        """The job that comes next; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._job is not None or self._closing)
            return self._job

    def _set_idle(self) -> None:
        with self._changed:
            self._job = None
            self._changed.notify_all()

    def _save(self, job: _Job) -> None:
        began, what = time.monotonic(), f"the checkpoint of step {job.step}"
        try:
            self.checkpoints.save(job.state, job.step, job.about, job.score)
            for path, content in job.beside.items():
                what = path
                self.checkpoints.store.write(path, content)
        except Superseded as error:
            self._superseded = error.with_traceback(None)  # which would hold the state
        except (OSError, DataError) as error:
            text = self._text(what, error)
            logger.warning("%s", text)
            with self._changed:
                self._failures.append(text)
                self._metrics["checkpoint/failed"] += 1
        else:
            seconds, size = time.monotonic() - began, float(sum(tensor.nbytes for tensor in job.state.values()))
            known = {"step": float(job.step), "seconds": seconds, "bytes": size}
            with self._changed:
                self._metrics |= {f"checkpoint/{name}": value for name, value in known.items()}
                for name, more in (("written", 1.0), ("written_seconds", seconds), ("written_bytes", size)):
                    self._metrics[f"checkpoint/{name}"] += more

    def _text(self, what: str, error: OSError | DataError) -> str:
        """What happened, on one line, and what can be done about it."""
        told = f"{what} could not be written"
        if isinstance(error, OSError) and error.errno in FULL:
            where = error.filename or self.checkpoints.store.uri
            problem = "no space is left" if error.errno == errno.ENOSPC else "the quota is used up"
            return f"{told}: {problem} in {where}; free some, or keep fewer checkpoints (i2i-cluster checkpoints prune)"
        return f"{told}: {' '.join(str(error).split())}"
