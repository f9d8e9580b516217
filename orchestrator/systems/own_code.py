"""The text of a user's own system, read once, where the sweep file is: from there on it is a part of the sweep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.run import Run
from orchestrator.errors import Refusal
from trainers.settings import OWN


def with_code(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The values of a sweep file in `folder`, with the text of the file that its `system` names, where it names one.

    Raises Refusal where that cannot be read.
    """
    system = values.get("system")
    match = OWN.fullmatch(system) if isinstance(system, str) else None
    if match is None or values.get("code") is not None:
        return dict(values)
    return {**values, "code": read_code(folder / match["file"], str(system))}


def read_code(file: Path, system: str) -> str:
    """The text of the file that `system` names. Raises Refusal."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(f"{file} is not UTF-8 text", path="system", value=system) from error
    except OSError as error:
        why = (error.strerror or "it cannot be read").lower()
        raise Refusal(f"{file} cannot be read: {why}", path="system", value=system) from error


def check_own(run: Run, shapes: Mapping[str, tuple[int, int, int]]) -> None:
    """Refusal where the user's system breaks a rule in its first step, under the settings of a run."""
    from cluster.rehearsal import BrokenRule, rehearse

    try:
        rehearse(run, shapes)
    except BrokenRule as error:
        raise Refusal(str(error), path="system", value=run.system) from error
