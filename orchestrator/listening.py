"""`--metrics-port`: a port in place of the file's `metrics.port`, for this submit and for whatever goes on with it later."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.errors import Refusal
from orchestrator.sweep_file.draft import Draft
from orchestrator.sweep_file.metrics import LARGEST_PORT

OPTION = "--metrics-port"


def with_port(draft: Draft, port: int | None) -> Draft:
    """The draft with this port in place of its own; None: as it is. Raises Refusal for what is no port."""
    if port is None:
        return draft
    if not 0 <= port <= LARGEST_PORT:
        raise Refusal(f"must be a port up to {LARGEST_PORT}, or 0 for none, not {port}", path=OPTION, value=port)
    metrics = draft.sweep.metrics.model_copy(update={"port": port})
    written = draft.written.get("metrics")
    changed = {**(written if isinstance(written, dict) else {}), "port": port}
    sweep = draft.sweep.model_copy(update={"metrics": metrics})
    options = {**draft.options, "metrics.port": OPTION}
    return replace(draft, sweep=sweep, written={**draft.written, "metrics": changed}, options=options)
