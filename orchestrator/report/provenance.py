"""Where a sweep comes from, and the commands that make it again: by its log, and by what its newest checkpoint says of itself.

The data set itself is not asked: it may be far away by now. Its hash and what its users must be told are in the log.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.log.records import TrialState
from data_shards.errors import DataError
from orchestrator.finding import FoundSweep
from orchestrator.results.outcome import Outcome, searched
from orchestrator.saying import visible
from orchestrator.tables import words

COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
UNKNOWN_LICENSE = "The log names no licence of the data."


@dataclass(frozen=True)
class Provenance:
    """facts: names and what is said of them. file: the sweep file's text, "" where the log holds none. code: that of a system of
    the user's own. commands: a line each. license: what users of the data must be told."""

    facts: Mapping[str, str]
    file: str
    code: str
    commands: tuple[str, ...]
    license: str


def trace(sweep: FoundSweep, found: Outcome) -> Provenance:
    """Where a sweep comes from. Raises what its store does where that does not answer."""
    about = found.state.about
    checkpoint = _checkpoint(sweep, found)
    written = dict(about.get("written") or {})
    code = str(written.pop("code", "") or "")
    data, identity = about.get("data") or {}, about.get("identity") or {}
    license = str(data.get("license") or "")
    seeds = sorted({trial.seed for trial in found.state.trials.values() if trial.seed is not None})
    facts = {
        "sweep": f"{found.state.name} ({found.state.id})",
        "storage": sweep.store.uri,
        "file": str(about.get("file", "")),
        "system": str(about.get("system", "")),
        "data": ", ".join(
            filter(None, [str(data.get("name") or ""), _address(written), str(identity.get("data.uri", ""))])
        ),
        "task network": str(identity.get("task", "")),
        "seeds": words(seeds or [identity.get("seed", 0)]),
        "searched": "; ".join(f"{name}: {text}" for name, text in (about.get("axes") or {}).items())
        or ", ".join(searched(about)),
        "settled for you": words(about.get("autos") or {}),
        **checkpoint,
    }
    commands = _commands(found, written, checkpoint)
    return Provenance(
        {name: visible(text) for name, text in facts.items() if text},
        visible(_yaml(written)),
        visible(code),
        tuple(map(visible, commands)),
        visible(license) or UNKNOWN_LICENSE,
    )


def _checkpoint(sweep: FoundSweep, found: Outcome) -> dict[str, str]:
    """What the newest checkpoint says of code, packages and machine: of the model's trial, or else of the first that has one."""
    from cluster.checkpoints.folder import Checkpoints  # brings torch
    from orchestrator.checkpoints.view import origin
    from trainers.checkpoint import DamagedCheckpoint, Unpacked

    for trial in _in_question(found):
        checkpoints = Checkpoints(sweep.store, sweep.paths.checkpoints(trial.index))
        listing = checkpoints.look()
        for place in reversed(listing.valid):
            try:
                manifest = checkpoints.describe(place, listing)
                told = origin(Unpacked({}, manifest.step, manifest.digest, manifest.about))
            except (DamagedCheckpoint, DataError, AttributeError, KeyError, TypeError):
                continue  # an older one may be whole; `checkpoints verify` tells of this one
            step = told.pop("step")
            return {"checkpoint": f"trial {trial.index}, step {step}", **told}
    return {}


def _in_question(found: Outcome) -> list[TrialState]:
    """The model's trial, then those with evaluations."""
    model = found.model
    others = [trial for trial in found.state.trials.values() if trial is not model and trial.history][:3]
    return [*([model] if model else []), *others]


def _address(written: Mapping[str, Any]) -> str:
    data = written.get("data")
    return str(data.get("uri", "")) if isinstance(data, dict) else ""


def _yaml(written: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(written), sort_keys=False, allow_unicode=True, width=100) if written else ""


def _commands(found: Outcome, written: Mapping[str, Any], checkpoint: Mapping[str, str]) -> tuple[str, ...]:
    """What makes the sweep again, and what shows that it is the same."""
    commit, _, changes = checkpoint.get("code", "").partition(" ")
    lines = []
    if COMMIT.fullmatch(commit):
        lines.append(f"git checkout {commit}" + ("    # the working folder had changes beside it" if changes else ""))
    if not written:
        return (*lines, "# the log does not hold the sweep file: submit the one you have")
    lines.append("i2i-cluster submit sweep.yaml")
    model, digest = found.model, checkpoint.get("digest", "")
    if (
        model is not None
        and model.state == "done"
        and checkpoint.get("checkpoint", "").startswith(f"trial {model.index},")
    ):
        storage = f" --storage {shlex.quote(str(written['storage']))}" if written.get("storage") else ""
        lines.append(f"i2i-cluster checkpoints digest {found.state.id} --trial {model.index}{storage}    # {digest}")
    return tuple(lines)
