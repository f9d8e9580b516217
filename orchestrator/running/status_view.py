"""A sweep's status for people: a few facts, the trials that run, and what went wrong."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from orchestrator.results.outcome import searched
from orchestrator.running.health import spark
from orchestrator.running.status import ENDED, Look, describe_status
from orchestrator.sweep_file.quantities import duration_text
from orchestrator.tables import facts, table, words

SHOWN = 10  # rows of what happened
UNITS = {"gpu_hours": "GPU hours", "cpu_hours": "CPU hours", "cost": "cost"}


def again(seen: Look) -> str:
    """The command that goes on with a sweep, from any folder where its log holds its file; empty where nobody knows one."""
    about = seen.state.about
    if about.get("written"):
        return f"i2i-cluster resume {shlex.quote(seen.found.place(seen.state.id))}"
    return f"i2i-cluster submit {shlex.quote(about['file'])}" if about.get("file") else ""


def parts(seen: Look) -> list[RenderableType]:
    """What is printed of a sweep, one part under the other."""
    told = describe_status(seen)
    found: list[RenderableType] = [facts(summary(seen, told))]
    if told["running"]:
        found.append(table("Running", [_running(seen, trial) for trial in told["running"]]))
    warned = [
        {"trial": trial["index"], "what": text} for trial in told["running"] for text in trial["warnings"].values()
    ]
    if warned:
        found.append(table("Warnings", warned))
    doing = [{"trial": trial["index"], "what": trial["doing"]} for trial in told["running"] if trial["doing"]]
    if doing:
        found.append(table("Before the first step", doing))
    happened = _happened(told)
    if happened:
        found.append(table(_title(len(happened)), happened[:SHOWN]))
    return found


def one_line(seen: Look) -> str:
    """How a sweep is, and how to go on with it where something is left to do."""
    told = describe_status(seen)
    line = f"sweep {told['name']} ({told['id']}): {state_text(told)}; {trials_text(told)}"
    command = _goes_on(seen, told)
    return f"{line}; `{command}` goes on" if command else line


def summary(seen: Look, told: Mapping[str, Any]) -> dict[str, str]:
    """The facts, a line each."""
    system = f", {told['system']}" if told["system"] else ""
    lines = {
        "sweep": f"{told['name'] or 'not opened yet'} ({told['id']}){system}",
        "state": state_text(told),
        "driver": driver_text(seen),
        "metrics": told["metrics"] or "",
        "job": "" if seen.job is None else str(seen.job),
        "trials": trials_text(told) if told["trials"]["total"] else "",
        "best": best_text(told["best"]),
        "to go": "" if told["eta_seconds"] is None else f"at most {duration_text(told['eta_seconds'])}",
        "spent": _spent_text(told["budget"]) if told["trials"]["total"] else "",
        "place": str(told["place"]),
        "to go on": _goes_on(seen, told),
    }
    return {name: line for name, line in lines.items() if line}


def _goes_on(seen: Look, told: Mapping[str, Any]) -> str:
    return again(seen) if told["state"] in ("interrupted", "stopped", "failed") else ""


def state_text(told: Mapping[str, Any]) -> str:
    """running, for 1h12m (attempt 2): and why, where it stands still."""
    text = str(told["state"])
    if told["seconds"] is not None:
        text += f", {'for' if told['state'] == 'running' else 'after'} {duration_text(told['seconds'])}"
    if told["attempt"] > 1:
        text += f" of attempt {told['attempt']}"
    if told["state"] in (*ENDED, "interrupted") and told["driver"] and told["driver"]["state"] == "drives":
        text += "; a driver holds it: it is about to go on, or to let go"
    if told["asked_to_stop"]:
        text += "; somebody asked its trials to save and end"
    return f"{text}: {told['reason']}" if told["reason"] else text


def driver_text(seen: Look) -> str:
    """Who drives it, or drove it last."""
    holder = seen.holder
    if holder is None:
        return "nobody"
    if holder.drives:
        return str(holder)
    if holder.state == "gone" or holder.seen is None:
        return f"nobody; the last one was {holder}"
    silent = duration_text(max(0.0, seen.now - holder.seen))
    return f"nobody, it seems: {holder} has been silent for {silent}, and has not let go"


def trials_text(told: Mapping[str, Any]) -> str:
    """How many there are in each state; of the stopped ones, by whom."""
    counts, by = told["trials"], told["stopped_by"]
    stopped = ", ".join(f"{count} by {name}" for name, count in by.items())
    each = [
        f"{count} {name}" + (f" ({stopped})" if name == "stopped" else "")
        for name, count in counts.items()
        if name != "total" and count
    ]
    ended = sum(counts[name] for name in ENDED)
    return f"{ended} of {counts['total']} have ended" + (f": {', '.join(each)}" if each else "")


def best_text(best: Mapping[str, Any] | None) -> str:
    """Who would be named now, with its values and what it gained."""
    if best is None:
        return ""
    who = f"trial {best['index']}"
    if best["trainings"] > 1:
        who = f"setting {best['setting']}, by {best['trainings']} trainings"
    elif best["front"] > 1:
        who += f", the knee of a front of {best['front']}"
    values = ", ".join(f"{metric} {words(value)}{_gained(best, metric)}" for metric, value in best["values"].items())
    told = f"{who}: {values} at step {best['step']}"
    return f"{told}; the preset" if best["setting"] == 0 else f"{told}; {words(best['params'])}"


def _gained(best: Mapping[str, Any], metric: str) -> str:
    gain = best["gains"][metric]
    return "" if best["setting"] == 0 or gain is None else f" ({gain:+.4g} over the preset)"


def _spent_text(budget: Mapping[str, Mapping[str, float | None]]) -> str:
    spent = []
    wall = budget["wall_seconds"]
    if wall["allowed"] is not None and wall["spent"] is not None:
        spent.append(f"{duration_text(wall['spent'])} of {duration_text(wall['allowed'])} of this submit")
    for name, unit in UNITS.items():
        if name in budget and (budget[name]["spent"] or budget[name]["allowed"] is not None):
            spent.append(f"{_of(budget[name])} {unit}")
    failures = budget["failures"]
    if failures["spent"]:
        spent.append(f"{_of(failures)} failures of one trial")
    return "; ".join(spent)


def _of(budget: Mapping[str, float | None]) -> str:
    limit = "" if budget["allowed"] is None else f" of {budget['allowed']:.4g}"
    return f"{budget['spent'] or 0.0:.3g}{limit}"


def _running(seen: Look, trial: Mapping[str, Any]) -> dict[str, Any]:
    rate, left, silent = trial["images_per_second"], trial["eta_seconds"], trial["silent_seconds"]
    return {
        "trial": f"{trial['index']}{' (preset)' if trial['index'] == 0 else ''}",
        "step": f"{trial['step']}/{trial['steps']}",
        "images/s": None if rate is None else f"{rate:.1f}",
        "to go": None if left is None else duration_text(left),
        "last heard": None if silent is None else f"{duration_text(silent)} ago",
        seen.found.metric: trial["value"],
        "course": spark([math.nan if value is None else value for value in trial["course"]]),
        **({"critics right": _accuracies(trial["critics"])} if trial["critics"] else {}),
        **{name: trial["params"].get(name) for name in searched(seen.state.about)},
    }


def _accuracies(critics: Mapping[str, float | None]) -> str:
    return "  ".join(f"{name} {'?' if value is None else f'{value:.2f}'}" for name, value in critics.items())


def _happened(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What went wrong, the trials that failed for good first, and what was noticed, the latest steps first."""
    failures = sorted(told["failures"], key=lambda row: (row["state"] != "failed", row["trial"]))
    rows = [
        {
            "trial": row["trial"],
            "state": row["state"],
            "failures": row["failures"],
            "what": row["error"] or ", ".join(f"{count} x {what}" for what, count in row["faults"].items()),
        }
        for row in failures
    ]
    begun = {trial["index"] for trial in told["running"] if trial["doing"]}  # what they do stands above
    notices: Sequence[Mapping[str, Any]] = sorted(
        (row for row in told["notices"] if row["step"] or row["trial"] not in begun),
        key=lambda row: (-row["step"], row["trial"]),
    )
    return [*rows, *({"trial": row["trial"], "what": f"step {row['step']}: {row['text']}"} for row in notices)]


def _title(count: int) -> str:
    return "What happened" + (f" ({SHOWN} of {count}; -o json lists them all)" if count > SHOWN else "")
