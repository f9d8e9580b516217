"""A trial's checkpoints as people and programs read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.checkpoints.folder import MICRO_BATCHES, SCORE, Checkpoints
from cluster.checkpoints.retention import Listing, Place
from cluster.run import Keep
from orchestrator.sweep_file.quantities import duration_text, size_text
from trainers.checkpoint import DamagedCheckpoint, Unpacked


def describe_checkpoints(checkpoints: Checkpoints) -> list[dict[str, Any]]:
    """An entry for each checkpoint, the oldest first: step, attempt, bytes, saved (seconds since 1970), score, state.

    The state is good, torn (never committed), damaged (with `problem`) or superseded (a later attempt went on from an
    earlier step). Good ones are committed and of the right size; their content is not read: `verify` does that.
    """
    listing = checkpoints.look()
    return [_describe(checkpoints, listing, place) for place in sorted(listing.files)]


def _describe(checkpoints: Checkpoints, listing: Listing, place: Place) -> dict[str, Any]:
    size = sum(entry.size for entry in listing.files[place].values())
    entry: dict[str, Any] = {"step": place.step, "attempt": place.attempt, "bytes": size, "saved": None, "score": None}
    if place in listing.torn:
        return {**entry, "state": "torn"}
    try:
        manifest = checkpoints.describe(place, listing)
    except DamagedCheckpoint as error:
        return {**entry, "state": "damaged", "problem": str(error)}
    state = "superseded" if place in listing.superseded else "good"
    return {**entry, "saved": manifest.saved, "score": manifest.about.get(SCORE), "state": state}


def rows_of(described: Sequence[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """The same as rows of a table, at the time `now` (seconds since 1970)."""
    return [
        {
            "step": entry["step"],
            "attempt": entry["attempt"],
            "size": size_text(entry["bytes"]),
            "age": None if entry["saved"] is None else duration_text(max(0.0, now - entry["saved"])),
            "score": entry["score"],
            "state": entry["state"],
        }
        for entry in described
    ]


def named(place: Place) -> str:
    """A checkpoint as a line about it begins."""
    return f"step {place.step}" + (f" (attempt {place.attempt})" if place.attempt else "")


def keep_of(checkpoints: Checkpoints, last: int | None, best: int | None) -> Keep:
    """Which checkpoints stay, as the run itself says in the newest of them, with what the user says in its place."""
    listing = checkpoints.look()
    keep = Keep()
    for place in reversed(listing.valid):
        try:
            said = checkpoints.describe(place, listing).about.get("run", {}).get("keep")
        except DamagedCheckpoint:
            continue
        keep = Keep(**said) if said else keep
        break
    return Keep(keep.last if last is None else last, keep.best if best is None else best, keep.metric, keep.mode)


def origin(newest: Unpacked) -> dict[str, str]:
    """Where a checkpoint comes from: names and what is said of them; what is not known is left out."""
    about = newest.about
    attempts = [
        f"from step {one['from_step']} on {one['workers']} worker(s) of {one['host']}"
        + (f", not exact: {'; '.join(one['inexact'])}" if one["inexact"] else "")
        for one in about.get("history", [])
    ]
    made = about.get("provenance", {})
    lines = {
        "step": str(newest.step),
        "digest": newest.digest,
        "attempts": "\n".join(attempts),
        MICRO_BATCHES: f"a replica's batch in {parts} parts, for want of memory"
        if (parts := about.get(MICRO_BATCHES))
        else "",
        "conditions": ", ".join(f"{name} {value}" for name, value in about.get("conditions", {}).items()),
        "code": made.get("git", "") + (" with changes" if made.get("git_dirty") else ""),
        "packages": ", ".join(f"{name} {value}" for name, value in made.get("packages", {}).items()),
        "machine": ", ".join(str(made[name]) for name in ("processor", "platform") if made.get(name)),
    }
    return {name: line for name, line in lines.items() if line}
