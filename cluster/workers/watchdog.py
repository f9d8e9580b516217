"""The watchdog of a training process: a step that takes too long ends the process, and says where it stood.

A thread that is stuck cannot be freed from outside, but a process that ends is seen by whoever started it, and tried again.
Time during which the whole process was stopped, up to the limit again, does not count: it is no fault of the step's. A step
that keeps Python's lock, so that no thread runs, is ended by faulthandler's own clock, without a file: its stacks are in the log.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import logging
import os
import platform
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType

from cluster.report import WAITING
from data_shards.errors import DataError
from data_shards.store import Store

logger = logging.getLogger(__name__)
ROOT = Path(__file__).parents[2]
PACKAGES = ("cluster", "trainers", "data_shards")
STALLED = 86  # the exit code of a process that its watchdog ended
LOOK_S = 1.0
WRITE_S = 10.0  # the store may be what it hangs in
PEERS_S = 1.0  # others that wait for this one are about to say so: let them, before our end ends theirs


class Watchdog:
    """Ends this process where no `beat` came for `limit_s` seconds. A context manager; its time starts there.

    What it has to say goes into the folder `where` of `store`. One at a time in a process.
    """

    def __init__(self, limit_s: float, where: str, store: Store, rank: int = 0) -> None:
        self.limit_s, self.where, self.store, self.rank = limit_s, where, store, rank
        self._last = (0, "starting", threading.get_ident())  # step, what is being done, the thread that does it
        self._silent = 0.0  # seconds since the last beat during which this process ran
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._last = (0, "starting", threading.get_ident())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def beat(self, step: int, doing: str) -> None:
        """All is well: `doing` for `step` begins. Called by the thread that trains."""
        self._last = (step, doing, threading.get_ident())

    def _watch(self) -> None:
        log = _log_file()
        each = min(LOOK_S, self.limit_s / 4)
        try:
            while True:
                if log:
                    faulthandler.dump_traceback_later(2 * self.limit_s + each, exit=True, file=log)
                before, last = time.monotonic(), self._last
                if self._ended.wait(each):
                    return
                ran = min(time.monotonic() - before, 2 * each)  # more than that: we were stopped
                waiting = self._last[1] == WAITING  # the driver may be slow, or stopped: no fault of ours
                self._silent = self._silent + ran if self._last is last and not waiting else 0.0
                if self._silent > self.limit_s:
                    self._give_up()
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _give_up(self) -> None:
        step, _, _ = self._last
        text = self._text(sys._current_frames())
        logger.error("%s", text)
        path = f"{self.where}/stall-step-{step:08d}-rank-{self.rank}.txt"
        writer = threading.Thread(target=self._write, args=(path, text.encode()), daemon=True)
        writer.start()
        writer.join(WRITE_S)
        time.sleep(PEERS_S)
        os._exit(STALLED)

    def _write(self, path: str, content: bytes) -> None:
        with contextlib.suppress(DataError, OSError):  # it is in the log as well
            self.store.write(path, content)

    def _text(self, frames: dict[int, FrameType]) -> str:
        """One line that says it all, then the stacks of all threads, that of the training first."""
        step, doing, trainer = self._last
        where = _innermost(frames[trainer]) if trainer in frames else "a thread that has ended"
        host = f"{platform.node()}, pid {os.getpid()}"
        line = f"step {step} stalled for {self._silent:.0f} s on rank {self.rank} ({host}) while {doing}, in {where}"
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        stacks = [
            f"{names.get(ident, 'unnamed')}:\n" + "".join(traceback.format_stack(frame))
            for ident, frame in sorted(frames.items(), key=lambda item: item[0] != trainer)
        ]
        return "\n\n".join([line, *stacks])


def stalls(store: Store, folder: str, attempt: int) -> list[str]:
    """What the watchdogs of a start said, one line each, by step and rank. `folder` is that of the trial's stalls."""
    paths = store.list(f"{of_attempt(folder, attempt)}/")
    return [store.read(path).decode(errors="replace").partition("\n")[0] for path in paths]


def of_attempt(folder: str, attempt: int) -> str:
    """The folder of one start's stalls."""
    return f"{folder}/attempt-{attempt:04d}"


def _innermost(frame: FrameType) -> str:
    """Where a thread stands: the innermost line of this code, or of any where none of ours is being run."""
    ours = (f for f, _ in traceback.walk_stack(frame) if Path(f.f_code.co_filename).parent.is_relative_to(ROOT))
    frame = next((f for f in ours if Path(f.f_code.co_filename).relative_to(ROOT).parts[0] in PACKAGES), frame)
    code = frame.f_code
    return f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_name}"


def _log_file() -> int | None:
    """The file descriptor that faulthandler may write to."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, io.UnsupportedOperation, OSError):
        return None
