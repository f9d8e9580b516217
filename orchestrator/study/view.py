"""What a study's answers came to, as tables: a row for each study, a row for each participant, and what to keep in mind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from orchestrator.saying import say
from orchestrator.study.fooled import FEW
from orchestrator.tables import print_parts, table


def print_study(found: Mapping[str, Any], console: Console) -> None:
    """Print what `judge` found; remarks go to standard error."""
    studies = found["studies"]
    print_parts(
        console,
        table("Fakes taken for real (50 %: nobody can tell)", [_row(one, found["level"]) for one in studies]),
        table(
            "Participants", [_person(one, who, len(studies) > 1) for one in studies for who in one["by_participant"]]
        ),
    )
    for line in notes(found):
        say(line, aside=True)


def _row(one: Mapping[str, Any], level: float) -> dict[str, object]:
    low, high = one["interval"]
    return {
        "study": one["name"],
        "id": one["study"],
        "participants": one["participants"],
        "trials": one["trials"],
        "fooled %": _percent(one["fooled"]),
        f"{100 * level:g} % interval": f"{_percent(low)} .. {_percent(high)}",
        "over": one["interval_over"],
    }


def _person(one: Mapping[str, Any], who: Mapping[str, Any], several: bool) -> dict[str, object]:
    return {
        **({"study": one["name"], "id": one["study"]} if several else {}),
        "participant": who["participant"],
        "trials": who["trials"],
        "fooled %": _percent(who["fooled"]),
        "reaction ms": f"{who['reaction_ms']:.0f}",
        "flags": "; ".join(who["flags"]),
    }


def notes(found: Mapping[str, Any]) -> list[str]:
    """What the numbers do not say of themselves, a line each."""
    lines = []
    for one in found["studies"]:
        name = f"{one['name']} ({one['study']})"
        if one["interval_over"] == "trials":
            lines.append(f"{name}: one participant, so the interval is over trials: it says nothing of other people")
        elif one["participants"] < FEW:
            lines.append(
                f"{name}: {one['participants']} participants; with fewer than {FEW} the interval is likely too narrow"
            )
        if one["left_out"]:
            lines.append(f"{name}: left out {', '.join(one['left_out'])}")
        flagged = [who["participant"] for who in one["by_participant"] if who["flags"]]
        if flagged:
            lines.append(f"{name}: flagged, and counted: {', '.join(flagged)}; --leave-out CODE counts without")
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
