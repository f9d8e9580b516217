"""How a running trial feels, from its log alone: the course of its score, how good its critics are, and warnings in words.

The warnings are those of the rules that may stop a trial (`stop`), asked whether they are in force or not, so that `status` and
`watch` say why a trial would be given up before, or although, nobody gives it up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.log.records import SweepState, TrialState
from cluster.stopping import ACCURACY, RULES, Rules, verdict
from orchestrator.sweep_file.quantities import duration_text

BARS = "▁▂▃▄▅▆▇█"
GAP = "·"  # where a value is not finite
SHOWN = 12  # evaluations of a course
SILENT_S = 600.0  # without a report after which one should look
WAITS = 0.3  # share of its time that a worker waits for data, above which it starves
DATA_WAIT = "time/data_wait_share"
GAN = "hyper.gan"
DATA, SILENCE = "data", "silence"


def course(trial: TrialState, metric: str) -> list[float]:
    """The metric at the trial's last evaluations, the oldest first; NaN where it had none."""
    return [metrics.get(metric, math.nan) for _, metrics in trial.history[-SHOWN:]]


def spark(values: Sequence[float]) -> str:
    """A line of bars, the lowest value the lowest bar; all alike are in the middle."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return GAP * len(values)
    low, high = min(finite), max(finite)
    top = len(BARS) - 1

    def bar(value: float) -> str:
        if not math.isfinite(value):
            return GAP
        return BARS[round(top * (value - low) / (high - low))] if high > low else BARS[top // 2]

    return "".join(map(bar, values))


def critics(trial: TrialState) -> dict[str, float]:
    """Critic's term -> the share of pictures that it was right about, at the last report."""
    return {name.removeprefix(ACCURACY): v for name, v in trial.latest.items() if name.startswith(ACCURACY)}


def warnings(state: SweepState, trial: TrialState, silent: float | None = None) -> dict[str, str]:
    """What is wrong with a running trial: the rule, or DATA or SILENCE, and one line. silent: seconds since it was heard of."""
    return dict([*_of_gan(state, trial), *_of_machine(trial, silent)])


def _of_gan(state: SweepState, trial: TrialState) -> Iterator[tuple[str, str]]:
    goals = [(goal["metric"], goal["mode"]) for goal in state.about.get("objectives", ())]
    if not goals or not trial.history:
        return
    rules = Rules({name: rule.thresholds for name, rule in RULES.items()}, goals)
    suited = rules.suited(_criterion(state.about, trial.params))
    for name, thresholds in suited.thresholds.items():
        found = verdict(Rules({name: thresholds}, goals), trial.history, int(state.about["steps"]))
        if found is not None:
            yield name, found.text


def _criterion(about: Mapping[str, Any], params: Mapping[str, Any]) -> str | None:
    """The trial's adversarial criterion; None where there is none, or an older log does not say."""
    found = params.get(GAN, about.get("gan"))
    return None if found is None else str(found)


def _of_machine(trial: TrialState, silent: float | None) -> Iterator[tuple[str, str]]:
    share = trial.latest.get(DATA_WAIT, 0.0)
    if share > WAITS:
        yield DATA, f"waits for data {100 * share:.0f} % of its time: more resources.cpus_per_worker, or data.cache"
    if silent is not None and silent > SILENT_S:
        yield SILENCE, f"not heard of for {duration_text(silent)}"
