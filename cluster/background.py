"""Starts a process that outlives its starter: in a session of its own, a child of nobody here, its output in a file."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# A shell's script that starts the command, and says as what: its output goes to $1, its exit code to $2.
SCRIPT = 'log=$1 code=$2; shift 2; { "$@"; echo $? > "$code"; } > "$log" 2>&1 & echo $!'


def start(
    command: Sequence[str],
    log: Path,
    code: Path,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> int:
    """Start `command` with its output in `log`; its exit code is in the file `code` once it has ended, unless it is killed with
    the shell that waits for it, whose process is returned. It inherits `pass_fds`."""
    started = subprocess.run(
        ["/bin/sh", "-c", SCRIPT, "sh", str(log), str(code), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=env,
        pass_fds=pass_fds,
        start_new_session=True,
        check=True,
    )
    return int(started.stdout)


def exit_code(code: Path) -> int | None:
    """What the process left there; None where it has not ended, or was killed with its shell."""
    try:
        return int(code.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
