"""This machine as a target: the driver is a process in the background, which outlives the terminal that started it.

A job is a folder in the user's state folder. Making that folder is the fence between two submitters, and a lock that the
process inherits says whether it lives: the kernel releases it however it ends, and a reboot does too.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cluster.background import exit_code, start
from cluster.finding import Finding
from cluster.targets.target import Capacity, Job, JobState, Need, Parcel, Survey, TargetError, job_name
from cluster.up.state import state_folder

FILE, LOCK, LOG, PID, EXIT = "sweep.yaml", "lock", "output.log", "pid", "exit"
SIGNALLED = 128  # a shell's exit code for a signal is more than this, by its number
LOOK_S = 0.5
GRACE_S = 60.0  # for a driver that is asked to end to save


class LocalTarget:
    """Background processes of this user on this machine."""

    @property
    def place(self) -> str:
        """By the machine's name: others may read the same storage."""
        return f"this machine ({socket.gethostname()})"

    def capacity(self) -> Capacity:
        """Of the processors that this process may use; GPUs are counted by who plans for this machine."""
        return Capacity(float(len(os.sched_getaffinity(0))), 0.0)

    def survey(self, need: Need) -> Survey:
        """Nothing beyond what a plan knows of its own machine."""
        return Survey()

    def examine(self, probe: str | None) -> list[Finding]:
        """Nothing: `doctor` looks at its own machine without being told to."""
        return []

    def find(self, sweep: str) -> Job | None:
        """The newest job of the sweep with that key."""
        name = re.compile(re.escape(job_name(sweep, 0)[:-1]) + r"([0-9]{1,9})")
        numbers = [int(match[1]) for path in _jobs().iterdir() if (match := name.fullmatch(path.name))]
        return _job(job_name(sweep, max(numbers)), max(numbers)) if numbers else None

    def submit(self, parcel: Parcel, number: int) -> Job:
        """Start the process, or find the one that somebody else started at the same time."""
        name = parcel.job(number)
        folder, new = _jobs() / name, Path(tempfile.mkdtemp(prefix=".new-", dir=_jobs()))
        (new / FILE).write_text(parcel.text, encoding="utf-8")
        command = [sys.executable, "-m", "orchestrator.cli", *parcel.command(str(folder / FILE))[1:]]
        (new / LOG).touch()
        with (new / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                new.rename(folder)
            except OSError:  # which is not empty
                shutil.rmtree(new)
                return _job(name, number)
            shell = start(command, folder / LOG, folder / EXIT, pass_fds=[lock.fileno()])
        (folder / PID).write_text(f"{shell}\n", encoding="ascii")
        return _job(name, number)

    def logs(self, job: Job, follow: bool) -> Iterator[str]:
        """The driver's output so far; `follow`: and on, until the process is gone."""
        path = _jobs() / job.name / LOG
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                rest = ""
                while True:
                    over = not follow or _job(job.name, job.number).state.is_over
                    *lines, rest = (rest + file.read()).split("\n")
                    yield from lines
                    if over:
                        break
                    time.sleep(LOOK_S)
                if rest:
                    yield rest
        except OSError as error:
            raise TargetError(f"{path}: {(error.strerror or 'error').lower()}") from error

    def stop(self, job: Job) -> None:
        """SIGTERM to the driver, a minute for its trials to save, then kill -9 to all that it started."""
        folder = _jobs() / job.name
        try:
            shell = int((folder / PID).read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return  # it was never started
        with suppress(ProcessLookupError, FileNotFoundError):
            for driver in Path(f"/proc/{shell}/task/{shell}/children").read_text(encoding="ascii").split():
                os.kill(int(driver), signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while _is_locked(folder) and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        if _is_locked(folder):
            with suppress(ProcessLookupError):
                os.killpg(os.getpgid(shell), signal.SIGKILL)


def _jobs() -> Path:
    folder = state_folder() / "jobs"
    folder.mkdir(exist_ok=True)
    return folder


def _job(name: str, number: int) -> Job:
    folder = _jobs() / name
    if _is_locked(folder):
        return Job(name, number, JobState.running)
    code = exit_code(folder / EXIT)
    if code is None:
        return Job(name, number, JobState.stopped)
    if code == 0:
        return Job(name, number, JobState.done)
    if code > SIGNALLED:
        return Job(name, number, JobState.stopped, f"ended by signal {code - SIGNALLED}")
    lines = [line for line in (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return Job(name, number, JobState.failed, f"exit code {code}: {lines[-1] if lines else 'it printed nothing'}")


def _is_locked(folder: Path) -> bool:
    """Whether the job's process lives, or is about to be started."""
    try:
        with (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
