"""How what a sweep found is put into words: values with their spread, gains, seeds, lists."""

from __future__ import annotations

import math
from collections.abc import Iterable

from orchestrator.results.outcome import Gain, Outcome
from orchestrator.results.standing import Standing
from orchestrator.sweep_file.search import Constraint
from orchestrator.tables import words


def label(found: Outcome, one: Standing) -> int | str:
    """A setting's number, and whether it is the preset; a population's may have been that only in the beginning."""
    if one.setting != 0:
        return one.setting
    until = preset_until(found)
    return "0 (preset)" if until is None else f"0 (preset until step {until})"


def preset_until(found: Outcome) -> int | None:
    """The step at which the preset went on from another's checkpoint; None where it did not."""
    return next((t.lineage[0][0] for t in found.trials_of(0) if t.lineage), None)


def seeds_text(one: Standing) -> str:
    """On how many trainings a setting is judged, such as "3", "2 of 3" or "3 fresh"."""
    count = f"{len(one.trials)}" if len(one.trials) == one.of else f"{len(one.trials)} of {one.of}"
    return f"{count} fresh" if one.finalist else count


def spread_text(mean: float, spread: float) -> str:
    """A mean with its spread, where it has one."""
    return f"{mean:.4g} ± {spread:.2g}" if math.isfinite(spread) else words(mean)


def value_cell(mean: float, spread: float) -> float | str | None:
    """The same for a table: a number where it has no spread, None where there is none at all."""
    if math.isfinite(spread):
        return spread_text(mean, spread)
    return mean if math.isfinite(mean) else None


def gain_text(better: Gain) -> str | None:
    """A gain with its spread; None where there is none."""
    if not math.isfinite(better.mean):
        return None
    return f"{better.mean:+.4g}" + (f" ± {better.spread:.2g}" if math.isfinite(better.spread) else "")


def held_text(limit: Constraint, value: float) -> str:
    """A constraint's value, and whether it is broken by it."""
    text = f"{value:.6g}" if math.isfinite(value) else "no value"
    return f"{text}, broken" if limit.violation(value) > 0 else text


def percent(share: float) -> str:
    """Such as 41 %."""
    return f"{100 * share:.0f} %"


def listed(things: Iterable[object]) -> str:
    """1, 2 and 3."""
    *most, last = map(str, things)
    return f"{', '.join(most)} and {last}" if most else last
