"""`drive`: what a target's job runs. It is `submit` here, for the very sweep that was submitted elsewhere.

The exit code is for the target, which may try a job again that failed: to stop as somebody asked is no failure, to be
ended from outside (SIGTERM: the pod goes, the job is deleted) is one. How the sweep is, its log tells.
"""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from cluster.targets.target import PACKED, unpack
from orchestrator.errors import Refusal
from orchestrator.submit import EXIT, submit
from orchestrator.sweep_file.draft import read_draft
from orchestrator.sweep_file.yaml_file import parse, written_in

PACKED_FILE = "-"  # in place of a file: the variable holds it


def drive(file: str, console: Console, *, expect: str, allow_inexact: bool, only: frozenset[int] | None) -> int:
    """Run the sweep in `file` to its end, or as far as it gets; returns the exit code. Raises as `submit` does."""
    if file == PACKED_FILE:
        name, written = "the submitted sweep", parse(_unpacked(), "the submitted sweep")
    else:
        name, written = file, written_in(Path(file))
    draft = read_draft(written.values, written.found)
    code = submit(draft, name, console, allow_inexact=allow_inexact, only=only, expect=expect)
    if code != EXIT["interrupted"]:
        return code

    from cluster.launch import was_signalled  # which ran it

    return code if was_signalled() else 0


def _unpacked() -> str:
    packed = os.environ.get(PACKED)
    if packed is None:
        raise Refusal(f"{PACKED} is not set: give a file")
    try:
        return unpack(packed)
    except ValueError as error:
        raise Refusal(f"{PACKED} holds no sweep: {error}") from error
