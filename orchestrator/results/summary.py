"""What a sweep came to, in lines for people: what `results` prints under its table, and `submit` at its end."""

from __future__ import annotations

import math

from rich.console import Console
from rich.text import Text

from cluster.log.records import SweepState
from orchestrator.finding import FoundSweep
from orchestrator.results.importance import Importances, importances
from orchestrator.results.outcome import Outcome, judge
from orchestrator.results.results import leaderboard
from orchestrator.results.savings import savings, savings_line
from orchestrator.results.standing import Standing
from orchestrator.results.wording import gain_text, listed, percent, preset_until, seeds_text, spread_text
from orchestrator.saying import visible
from orchestrator.tables import Columns, print_parts, table, words

RENEWED = ("budget.wall",)  # each submit has it anew


def print_results(sweep: FoundSweep, console: Console) -> None:
    """Everything that `results` shows: the leaderboard, which axes mattered, and what is to be said of both."""
    state, found = sweep.state, judge(sweep.state)
    weighed = importances(found)
    objective = objective_text(found) or sweep.metric  # which refuses a sweep that has not started
    title = f"{state.name} ({state.id}), {state.state}: {objective}"
    lines = [*remarks(found), *([weighed.note] if weighed.note and len(found.ranking) > 1 else [])]
    said = [Text(visible("\n".join(lines)))] if lines else []
    print_parts(console, table(title, leaderboard(sweep)), *importance_tables(weighed), *said)


def objective_text(found: Outcome) -> str:
    """What the trials are judged by, such as "eval/l1, minimise"."""
    return "; ".join(f"{goal.metric}, {goal.mode}imise" for goal in found.goals)


def importance_tables(weighed: Importances) -> list[Columns]:
    """Which axes mattered, for each objective; nothing where that cannot be told."""
    return [
        table(
            f"What mattered for {metric}, by {weighed.settings} settings",
            [{"axis": one.axis, "share": percent(one.share), "by chance": percent(one.chance)} for one in axes],
        )
        for metric, axes in weighed.by_metric.items()
    ]


def ending(state: SweepState) -> str:
    """How the sweep ended, and how to go on with it where that is left to do."""
    again = "submit the same file again to go on"
    if state.state == "stopped" and state.reason:
        budget = state.reason.partition(":")[0]
        more = f"{again}, or raise {budget}" if budget in RENEWED else f"raise {budget} and submit again"
        return f"stopped, {state.reason}; {more}"
    endings = {
        "done": "done",
        "failed": f"failed; mend what the error names and {again}" if state.reason else "every trial failed",
        "stopped": f"out of time; {again}",
    }
    return endings.get(state.state, f"interrupted: {again}")


def remarks(found: Outcome) -> list[str]:
    """What the table does not say: broken constraints, the front, the final, and what stopping saved; a line each."""
    lines = [_constraints_line(found), *_front_lines(found), _final_line(found), savings_line(savings(found.state))]
    return [line for line in lines if line]


def best_line(found: Outcome) -> str:
    """Whom to name, and what it gained over the preset; empty where `remarks` say why nobody is named."""
    best, model = found.winner, found.model
    if best is None or model is None:
        evaluated = any(trial.history for trial in found.state.trials.values())
        nobody = "no trial came through with a score" if evaluated else "no trial has been evaluated yet"
        return "" if any(one.is_judged for one in found.ranking) else nobody
    if found.is_plain and len(found.goals) == 1 and not model.lineage:
        return _plain_line(found, best)
    line = f"{'best' if len(found.goals) == 1 else 'suggested, the knee of the front'}: {_named(found, best)}"
    if best.params and (best.setting or model.lineage):
        line += f" with {_values(best)}"
    line += f": {', '.join(_reached(found, best, number) for number in range(len(found.goals)))}"
    if not found.is_plain:
        line += f", over {seeds_text(best)} seed{'' if best.of == 1 else 's'}"
    if best.setting == 0 and len(found.goals) == 1 and not model.lineage and len(found.ranking) > 1:
        line += "; the search did not beat it"
    if model.lineage:
        step, donor, _ = model.lineage[-1]
        line += f"; it went on from trial {donor} at step {step}"
    return line


def _plain_line(found: Outcome, best: Standing) -> str:
    if best.setting == 0:
        compared = sum(bool(trial.history) for trial in found.state.trials.values()) > 1
        text = ": the search did not beat it" if compared else "; nothing to compare it with"
        return f"best: trial 0, the preset{text}"
    gained, metric = gain_text(found.gains(best)[0]), found.goals[0].metric
    line = f"best: trial {best.setting} with {_values(best)}: "
    if gained is None:
        return f"{line}{metric} {words(best.means[0])}{_uncompared(best)}"
    return f"{line}{gained} in {metric} over the preset at equal steps"


def _named(found: Outcome, one: Standing) -> str:
    """A setting by its number and its trials."""
    until = preset_until(found)
    name = f"{_word(found)} {one.setting}"
    if one.setting == 0:
        name += ", the preset" if until is None else f", the preset until step {until},"
    return name if found.is_plain else f"{name} (trial{'s' * (len(one.trials) > 1)} {listed(one.trials)})"


def _reached(found: Outcome, one: Standing, number: int) -> str:
    """Its mean of an objective, and what it gained there."""
    text = f"{found.goals[number].metric} {spread_text(one.means[number], one.spreads[number])}"
    if one.setting == 0:
        return text
    gained = gain_text(found.gains(one)[number])
    return f"{text}{_uncompared(one)}" if gained is None else f"{text} ({gained} over the preset at equal steps)"


def _uncompared(one: Standing) -> str:
    return f" (no preset to compare with at step {one.step})"


def _constraints_line(found: Outcome) -> str:
    nearest = next((one for one in found.ranking if one.is_judged), None)
    if found.winner is not None or nearest is None:
        return ""
    broken = [
        f"{limit.metric} {words(value) if math.isfinite(value) else 'without a value'} where {limit} is asked"
        for limit, value in zip(found.constraints, nearest.held, strict=True)
        if limit.violation(value) > 0
    ]
    word = _word(found)
    return f"no {word} keeps the constraints, so none is named; nearest: {word} {nearest.setting}, {listed(broken)}"


def _front_lines(found: Outcome) -> list[str]:
    if len(found.goals) < 2 or found.winner is None:
        return []
    worst = [f"{goal.metric} {words(value)}" for goal, value in zip(found.goals, found.reference, strict=True)]
    several, word = len(found.front) > 1, _word(found)
    numbers = listed([one.setting for one in found.front])
    return [
        f"front: {word}{'s' * several} {numbers} {'are' if several else 'is'} beaten by none; hypervolume "
        f"{words(found.hypervolume)} from the worst of each, {listed(worst)}",
        f"knee: {word} {found.winner.setting}, on the front the nearest to the best of each; its model is the one that is stored",
    ]


def _final_line(found: Outcome) -> str:
    final = [trial for trial in found.state.trials.values() if trial.finalist]
    if not final:
        return ""
    best = sorted({trial.setting for trial in final} - {0})
    seeds = found.state.about.get("finalists", {}).get("seeds", 0) or len({trial.seed for trial in final})
    names = f"setting{'s' * (len(best) > 1)} {listed(best)} and the preset, each" if best else "the preset alone,"
    ended, planned = sum(not trial.is_live for trial in final), (len(best) + 1) * seeds
    so_far = "" if ended == planned else f"; {ended} of {planned} trainings have ended"
    return f"finalists: {names} with {seeds} fresh seed{'s' * (seeds > 1)}{so_far}"


def _word(found: Outcome) -> str:
    return "trial" if found.is_plain else "setting"


def _values(one: Standing) -> str:
    return ", ".join(f"{name} {words(value)}" for name, value in one.params.items())
