"""What the charts of a report draw: plain numbers and texts, thinned to what a page can hold and a person can see.

Nothing here is drawn, and nothing is a colour: `page/` does that. Texts are cut, rows and curves limited, so that a sweep of
thousands of trials is a page too; `limits` says what was left out.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from orchestrator.report.story import Story, TrialStory
from orchestrator.results.outcome import Outcome
from orchestrator.results.standing import Standing
from orchestrator.results.wording import label
from orchestrator.saying import visible
from orchestrator.sweep_file.quantities import plain_number
from orchestrator.tables import words

CURVES = 40  # trials whose curves, pictures and times are shown; more lines are no picture any more
LINES = 300  # settings that are lines of the parallel coordinates, or points of the front
POINTS = 300  # of a curve
MARKS = 60  # of a trial's timeline
LONGEST = 300  # characters of a text that somebody else wrote
WORDS = 8  # numbers of a choice that stand side by side, as words do
CHOICE = "choice"
GROUPS = {
    "scores": ("eval/",),
    "losses": ("loss/",),
    "balance": ("balance/", "weight/", "health/", "nonfinite/"),
    "speed": ("time/images_per_second", "time/data_wait_share", "resources/workers"),
}


def chart_data(found: Outcome, story: Story) -> dict[str, Any]:
    """What the page's scripts read; JSON-able, finite numbers or null."""
    shown, varied = shown_trials(found), axes(found)
    keys = {axis.pop("key"): bool(axis["words"]) for axis in varied}
    goals = tuple(goal.metric for goal in found.goals)
    groups = {**GROUPS, "scores": (*GROUPS["scores"], *goals)}
    return {
        "steps": int(found.state.about.get("steps", 0)),
        "goals": [{"metric": short(goal.metric), "mode": goal.mode} for goal in found.goals],
        "noun": "trial" if found.is_plain else "setting",
        "settings": [_setting(found, one, keys) for one in shown_settings(found)],
        "axes": varied,
        "groups": {name: _metrics(story, shown, prefixes) for name, prefixes in groups.items()},
        "trials": [_trial(found, i, story.trials.get(i, TrialStory()), tuple(chain(*groups.values()))) for i in shown],
        "opened": list(map(moment, story.opened[-MARKS:])),
    }


def shown_trials(found: Outcome) -> list[int]:
    """The trials that are shown one by one: those of the best settings, with the preset's; the best first."""
    ranked = [trial.index for one in found.ranking for trial in found.trials_of(one.setting)]
    first = {trial.index for trial in found.trials_of(0)[:1]}
    others = [index for index in ranked if index not in first]
    kept = {*others[: CURVES - len(first)], *first}
    return [index for index in ranked if index in kept]


def shown_settings(found: Outcome) -> list[Standing]:
    """The settings that are shown as lines and points, the best first: of many the better half, the others evenly by rank."""
    ranking = list(found.ranking)
    if len(ranking) <= LINES:
        return ranking
    best, others = ranking[: LINES // 2], ranking[LINES // 2 :]
    places = {place * len(others) // (LINES - len(best)) for place in range(LINES - len(best))}
    return [*best, *(one for place, one in enumerate(others) if place in places or one.setting == 0)]


def trial_label(found: Outcome, index: int) -> str:
    """A trial's name in lists: its number, its setting where that is another one, and whether it is the preset."""
    trial = found.state.trials[index]
    setting = "" if found.is_plain else f", setting {trial.setting}" + (f", seed {trial.seed}" if trial.seed else "")
    preset = ", preset" if trial.setting == 0 else ""
    return f"trial {index}{setting}{preset}{', final' if trial.finalist else ''}"


def limits(found: Outcome, story: Story) -> list[str]:
    """What the charts leave out, a line each."""
    trials, settings = len(found.state.trials), len(found.ranking)
    longest = max((len(story.trials[i].reports) for i in shown_trials(found) if i in story.trials), default=0)
    lines = []
    if trials > CURVES:
        lines.append(f"Curves, pictures and times are of {CURVES} of {trials} trials: the best and the preset.")
    if settings > LINES:
        lines.append(f"Lines and points are of {LINES} of {settings} settings: the best, and others evenly by rank.")
    if longest > POINTS:
        lines.append(f"Curves are drawn by {POINTS} points at most, evaluations first; the longest has {longest}.")
    return lines


def axes(found: Outcome) -> list[dict[str, Any]]:
    """The settings in which trials differ: name, key in `params`, whether it is logarithmic, and its words where it has some."""
    texts: Mapping[str, Any] = found.state.about.get("axes", {})
    described = []
    for name in dict.fromkeys(name for one in found.ranking for name in one.params):
        if len({repr(one.params.get(name)) for one in found.ranking}) < 2:
            continue
        values = [one.params[name] for one in found.ranking if name in one.params]
        numbers = [number for value in values if (number := plain_number(value)) is not None]
        is_log = "log" in str(texts.get(name, "")) and min(numbers, default=0.0) > 0
        by_word = len(numbers) < len(values) or (
            str(texts.get(name, "")).startswith(CHOICE) and len(set(numbers)) <= WORDS
        )
        kinds = [short(words(value)) for value in sorted(values, key=_place)] if by_word else []
        described.append({"name": short(name), "log": is_log, "words": list(dict.fromkeys(kinds)), "key": name})
    return described


def _place(value: object) -> tuple[float, str]:
    """Numbers by their size, before words."""
    number = plain_number(value)
    return (math.inf, words(value)) if number is None else (number, "")


def _setting(found: Outcome, one: Standing, keys: Mapping[str, bool]) -> dict[str, Any]:
    return {
        "setting": one.setting,
        "label": f"{'trial' if found.is_plain else 'setting'} {label(found, one)}",
        "state": one.state,
        "judged": one.is_judged,
        "named": one.may_be_named,
        "means": list(map(finite, one.means)),
        "values": [_value(one.params, key, by_word) for key, by_word in keys.items()],
        "front": any(other.setting == one.setting for other in found.front) and len(found.goals) > 1,
        "winner": found.winner is not None and one.setting == found.winner.setting,
    }


def _trial(found: Outcome, index: int, told: TrialStory, prefixes: tuple[str, ...]) -> dict[str, Any]:
    trial = found.state.trials[index]
    steps = thinned(sorted(told.reports), told.evaluated)
    return {
        "trial": index,
        "setting": trial.setting,
        "label": trial_label(found, index),
        "state": trial.state,
        "steps": steps,
        "series": {
            name: [finite(told.reports[step].get(name, math.nan)) for step in steps] for name in _names(told, prefixes)
        },
        "spans": [[moment(one.start), max(0.0, round(one.end - one.start, 3)), one.ended] for one in told.spans],
        "marks": [[moment(one.at), one.kind, short(one.text)] for one in fewer(told.marks)],
    }


def fewer(marks: Sequence[Any]) -> list[Any]:
    """At most MARKS of them: what a scheduler let go on is left out first, then the oldest."""
    if len(marks) > MARKS:
        marks = [one for one in marks if one.kind != "rung" or "goes on," not in one.text]
    return list(marks[-MARKS:])


def thinned(steps: Sequence[int], first: set[int]) -> list[int]:
    """At most POINTS of the steps, ascending and evenly: those in `first` before others, and always the last one."""
    if len(steps) <= POINTS:
        return list(steps)
    chosen = _evenly([step for step in steps if step in first], POINTS - 1)
    rest = [step for step in steps if step not in first]
    return sorted({*chosen, *_evenly(rest, POINTS - 1 - len(chosen)), steps[-1]})


def _evenly(steps: Sequence[int], most: int) -> list[int]:
    if len(steps) <= most:
        return list(steps)
    return [steps[place * len(steps) // most] for place in range(most)]


def _metrics(story: Story, trials: Iterable[int], prefixes: tuple[str, ...]) -> list[str]:
    """The names that begin like this, of all these trials, in the order of the prefixes."""
    names = {name for index in trials if index in story.trials for name in _names(story.trials[index], prefixes)}
    return sorted(names, key=lambda name: (next(i for i, p in enumerate(prefixes) if name.startswith(p)), name))


def _names(told: TrialStory, prefixes: tuple[str, ...]) -> list[str]:
    return sorted({name for report in told.reports.values() for name in report if name.startswith(prefixes)})


def _value(params: Mapping[str, Any], key: str, by_word: bool) -> float | str | None:
    """A setting's value as its axis takes it; None where it has none."""
    if key not in params:
        return None
    return short(words(params[key])) if by_word else plain_number(params[key])


def finite(value: float) -> float | None:
    """Six digits are more than a screen shows; JSON knows neither NaN nor infinity."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def moment(at: float) -> str:
    """Seconds since 1970 as a date in UTC, to the millisecond, as charts read it."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def short(text: str) -> str:
    """A text that others wrote, without what steers, and cut where it is long."""
    told = visible(" ".join(text.split()))
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 3]}..."
