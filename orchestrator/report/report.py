"""`i2i-cluster report`: what a sweep found as one file that a colleague opens anywhere, from its log and its storage alone.

The page is never larger than LARGEST: charts are thinned beforehand, and the pictures get the room that is left.
"""

from __future__ import annotations

import datetime
import importlib.util
import os
import re
import tempfile
from importlib.metadata import version
from pathlib import Path

from orchestrator.errors import Refusal
from orchestrator.finding import FoundSweep
from orchestrator.report.data import axes, chart_data, limits, shown_trials, trial_label
from orchestrator.report.parts import importance_parts, summary_parts, table_parts
from orchestrator.report.pictures import Advance, Pictures, gather
from orchestrator.report.provenance import trace
from orchestrator.report.render import render
from orchestrator.report.story import Story, read_story
from orchestrator.results.outcome import Outcome, judge
from orchestrator.results.wording import listed

LARGEST = 30_000_000  # bytes of a page: what a mail still takes, and a phone still opens
SPARE = 100_000  # of them, for what is said of the pictures
PACKAGES = ("jinja2", "plotly")
NAMED = 20  # damaged pictures
SAFE_NAME = re.compile(r"[\w-][\w.-]{0,99}")
CHARTS = {
    "scores": ("Scores", "What evaluations came to, on pictures that no training saw."),
    "losses": ("Losses", "Each term as it is, before its weight."),
    "balance": (
        "Balance",
        "Critics and generators against one another: accuracies, outputs, gradients, moves, weights, health.",
    ),
    "speed": ("Speed", "Images a second, the share of the time that workers waited for data, and how many there were."),
}
SECTIONS = {
    "summary": "Summary",
    "leaderboard": "Leaderboard",
    "curves": "Curves",
    "parallel": "Parallel coordinates",
    "importance": "What mattered",
    "front": "Pareto front",
    "timeline": "Timeline",
    "pictures": "Pictures",
    "provenance": "Provenance",
}


def check_packages(*names: str) -> None:
    """Raise Refusal unless these packages are installed."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise Refusal(f"a report is made with {listed(missing)}: pip install 'i2i-cluster[report]'")


def default_file(sweep: FoundSweep) -> Path:
    """Where a report lies unless somebody says otherwise: in this folder, by the sweep's name where that may name a file."""
    name = sweep.state.name
    return Path(f"{name if SAFE_NAME.fullmatch(name) else sweep.state.id}-report.html")


def check_place(file: Path) -> None:
    """Raise Refusal unless a page may be written there. Nothing is written to find out."""
    try:
        problem = _problem(file)
    except OSError as error:  # such as a name that is too long
        problem = f"cannot be written: {(error.strerror or 'error').lower()}"
    if problem:
        raise Refusal(problem, path="--output", value=str(file))


def _problem(file: Path) -> str:
    if file.is_dir():
        return f"is a folder; name a file, such as {file / 'report.html'}"
    if file.exists() and not file.is_file():
        return "is no ordinary file"
    if not file.parent.is_dir():
        return f"{file.parent} is no folder; make it first"
    is_open = os.access(file.parent, os.W_OK | os.X_OK) and (not file.exists() or os.access(file, os.W_OK))
    return "" if is_open else "may not be written"


def write_report(sweep: FoundSweep, file: Path, advance: Advance = lambda done, of: None) -> Pictures:
    """Write the page, over what was there; a reader sees the old page or the new. Returns what came of the pictures.

    Raises Refusal where the sweep has not started or the file cannot be written, and what the store does.
    """
    sweep.metric  # noqa: B018  # refuses a sweep that has not started
    page, pictures = make_page(sweep, advance)
    try:
        _replace(file, page)
    except OSError as error:
        problem = f"cannot be written: {(error.strerror or '').lower()}"
        raise Refusal(problem, path="--output", value=str(file)) from error
    return pictures


def make_page(sweep: FoundSweep, advance: Advance = lambda done, of: None) -> tuple[bytes, Pictures]:
    """The page of a sweep, and what came of its pictures."""
    found, story = judge(sweep.state), read_story(sweep)
    data = chart_data(found, story)
    parts = _parts(sweep, found, story, data["groups"])
    bare = len(render({**parts, "picture_notes": [], "has_pictures": True}, {**data, "pictures": []}))
    shown = shown_trials(found)
    pictures = gather(sweep.store, sweep.paths, shown, LARGEST - SPARE - bare, advance)
    data["pictures"] = [
        {
            "trial": index,
            "label": trial_label(found, index),
            "preset": found.state.trials[index].setting == 0,
            "steps": pictures.of[index],
        }
        for index in shown
        if index in pictures.of
    ]
    page = render({**parts, "picture_notes": picture_notes(pictures), "has_pictures": bool(pictures.of)}, data)
    return page, pictures


def picture_notes(pictures: Pictures) -> list[str]:
    """What is to be said of the pictures, a line each."""
    kept, lines = sum(map(len, pictures.of.values())), []
    if not pictures.of:
        lines.append("There are no pictures: one is stored at each evaluation.")
    if pictures.recoded:
        out = f", and {pictures.left_out} are left out, evenly over trials and steps" if pictures.left_out else ""
        small = f"So that this page stays below {LARGEST // 10**6} MB, {kept} of {pictures.found} pictures"
        lines.append(f"{small} are in it, compressed (WebP){out}; the storage has all of them whole.")
    if pictures.damaged:
        named, more = pictures.damaged[:NAMED], len(pictures.damaged) - NAMED
        lines.append(f"Left out as damaged: {'; '.join(named)}{f'; and {more} more' if more > 0 else ''}.")
    return lines


def _parts(sweep: FoundSweep, found: Outcome, story: Story, groups: dict[str, list[str]]) -> dict[str, object]:
    judged = [one for one in found.ranking if one.is_judged]
    has = {
        "has_curves": any(groups.values()),
        "has_axes": len(judged) > 1 and bool(axes(found)),
        "has_front": len(found.goals) > 1 and bool(judged),
        "has_times": any(told.spans for told in story.trials.values()),
    }
    hidden = {"curves": not has["has_curves"], "parallel": not has["has_axes"], "front": not has["has_front"]}
    return {
        **summary_parts(sweep, found, story),
        **table_parts(sweep, found),
        **importance_parts(found),
        **has,
        "sections": [(id, name) for id, name in SECTIONS.items() if not hidden.get(id)],
        "charts": [(id, *CHARTS[id]) for id, metrics in groups.items() if metrics],
        "limits": limits(found, story),
        "noun": "trial" if found.is_plain else "setting",
        "goal": found.goals[0].metric,
        "provenance": trace(sweep, found),
        "version": version("i2i-cluster"),
        "made": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"),
    }


def _replace(file: Path, content: bytes) -> None:
    """Write beside the file, then rename. A link is followed: what it leads to is replaced.

    Not by a store, which opens what it writes to everybody: a page is as private as its writer's other files.
    """
    place = file.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{place.name[:100]}-", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as beside:
            beside.write(content)
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(beside.fileno(), 0o666 & ~umask)
        os.replace(name, place)
    finally:
        Path(name).unlink(missing_ok=True)  # not there any more where it was renamed
