"""When a trial is given up for its own numbers: rules for GANs, declared once, and decided by the evaluations in the log alone.

Reports between evaluations decide nothing: how often they come is free to change between two submits. The surprise is the
condition that all rules share but the first: as long as the objective still improves, nothing else stops a trial. A critic
that is always right, or outputs that are alike, are signs of a dying GAN, and good runs show them for a while.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trainers.health import CHANGE, SPREAD

Thresholds = Mapping[str, float]
Evaluations = Sequence[tuple[int, Mapping[str, float]]]  # step, metrics

ACCURACY, PLAYED = "balance/accuracy_", "weight/adv"  # of a critic; of a term by which somebody plays against one
LEAST = 3  # evaluations that a span must hold: an accuracy is that of a single step
# Criteria without a boundary of their own: their critics are to be as good as they can be (Arjovsky et al. 2017, section 3). One
# with a penalty was right about 0.99 of the digits for the first 70 % of a run that ended well.
UNBOUNDED = frozenset({"wgan", "began"})


@dataclass(frozen=True)
class Stop:
    """Why a trial is given up: the rule, the step of the evaluation that decided, and one line with the numbers."""

    rule: str
    step: int
    text: str


@dataclass(frozen=True)
class Rules:
    """The rules in force, by name with all of their thresholds; `objectives`: metric and "min" or "max", at least one."""

    thresholds: Mapping[str, Thresholds]
    objectives: Sequence[tuple[str, str]]

    def suited(self, criterion: str | None) -> Rules:
        """Those that mean something for a trial with this adversarial criterion (`hyper.gan`; None: it has none)."""
        deaf = criterion is None or criterion in UNBOUNDED
        kept = {name: of for name, of in self.thresholds.items() if not (deaf and RULES[name].judges_critics)}
        return Rules(kept, self.objectives)


def spares(setting: int, settings: int) -> bool:
    """Whether no rule stops trials of this setting: the preset, number 0, wherever there is anything to compare it with.

    A search must beat something, and says by how much at equal steps; a preset that was cut short would be beaten for nothing.
    On its own it is what the user asked the rules for.
    """
    return setting == 0 and settings > 1


def verdict(rules: Rules, evaluations: Evaluations, steps: int) -> Stop | None:
    """Whether a trial of `steps` is to be stopped at its last evaluation, by the first rule that says so.

    evaluations: those of this trial in the order of the log, (step, metrics). One at a step that had been reached before is
    that of a trial that went back: what came after it counts no longer. The last step of a run stops nobody.
    """
    line: list[tuple[int, Mapping[str, float]]] = []
    for step, metrics in evaluations:
        while line and line[-1][0] >= step:
            line.pop()
        line.append((step, metrics))
    if not line or line[-1][0] >= steps:
        return None
    case = _Case(line, steps, rules.objectives)
    for name, rule in RULES.items():
        symptom = rule.look(case, rules.thresholds[name]) if name in rules.thresholds else None
        if symptom is None:
            continue
        stands = case.standstill(symptom.since) if rule.patient else ""
        if stands is not None:
            return Stop(name, case.now, "; ".join(filter(None, (f"{name}: {symptom.text}", stands))))
    return None


@dataclass(frozen=True)
class _Symptom:
    """What a rule has found, in words with its numbers, and the step from which on it was so."""

    since: int
    text: str


@dataclass(frozen=True)
class _Case:
    """A trial as the rules see it; `line` has one evaluation at least, in ascending steps."""

    line: Evaluations
    steps: int
    objectives: Sequence[tuple[str, str]]

    @property
    def now(self) -> int:
        """The step of the last evaluation."""
        return self.line[-1][0]

    def last(self, share: float) -> Evaluations:
        """The evaluations of the last `share` of the steps at least; none where there are not yet so many."""
        until = self.now - max(1, round(share * self.steps))
        starts = [i for i, (step, _) in enumerate(self.line) if step <= until]
        return self.line[starts[-1] :] if starts else []

    def pair(self, grace: float = 0.0) -> Evaluations:
        """The last two, both after the share `grace` of the steps; none where there are not yet two."""
        two = [(step, metrics) for step, metrics in self.line[-2:] if step >= round(grace * self.steps)]
        return two if len(two) == 2 else []

    def span(self, since: int) -> str:
        """From `since` to now, in words."""
        return f"from step {since} to {self.now}, {100 * (self.now - since) / self.steps:.3g} % of the steps"

    def standstill(self, since: int) -> str | None:
        """How the objectives stand, where none has become better after step `since`; None where one has, or none has a value."""
        found = []
        for metric, mode in self.objectives:
            values = [(step, metrics.get(metric, math.nan)) for step, metrics in self.line]
            finite = [(step, value) for step, value in values if math.isfinite(value)]
            if not finite:
                continue
            step, best = (min if mode == "min" else max)(finite, key=lambda seen: seen[1])
            if step > since:
                return None
            found.append(f"no better {metric} than {best:.4g} at step {step}")
        return " and ".join(found) or None


def _nonfinite(case: _Case, _: Thresholds) -> _Symptom | None:
    two = case.pair()
    for metric, _mode in case.objectives:
        values = [metrics.get(metric, 0.0) for _, metrics in two]
        if metric.startswith("eval/") and two and not any(math.isfinite(value) for value in values):
            text = " and ".join(f"{value:g} at step {step}" for value, (step, _) in zip(values, two, strict=True))
            return _Symptom(two[0][0], f"{metric} was {text}")
    return None


def _of_critics(
    case: _Case, share: float, is_bad: Callable[[float], bool], told: Callable[[list[float]], str]
) -> _Symptom | None:
    """The accuracies of all critics that were bad at every evaluation of the last `share`, where somebody plays against them."""
    line = case.last(share)
    played = all(any(weight > 0.0 for name, weight in m.items() if name.startswith(PLAYED)) for _, m in line)
    critics = [name for name in line[-1][1] if name.startswith(ACCURACY)] if len(line) >= LEAST and played else []
    values = [metrics.get(critic, math.nan) for critic in critics for _, metrics in line]
    if not values or not all(is_bad(value) for value in values):  # NaN, of a critic that rested, is not bad
        return None
    since, names = line[0][0], " and ".join(critic.removeprefix(ACCURACY) for critic in critics)
    return _Symptom(since, f"the accuracy of {names} was {told(values)} {case.span(since)}")


def _critic_won(case: _Case, t: Thresholds) -> _Symptom | None:
    above = t["above"]
    return _of_critics(case, t["for"], lambda v: v > above, lambda v: f"above {above:g} (at least {min(v):.4g})")


def _critic_blind(case: _Case, t: Thresholds) -> _Symptom | None:
    below = t["below"]
    return _of_critics(case, t["for"], lambda v: v < below, lambda v: f"below {below:g} (at most {max(v):.4g})")


def _twice_below(prefix: str) -> Callable[[_Case, Thresholds], _Symptom | None]:
    """A sign of health, in any domain, that was below its threshold at two successive evaluations."""

    def look(case: _Case, t: Thresholds) -> _Symptom | None:
        two = case.pair(t["grace"])
        for name in sorted(two[-1][1]) if two else []:
            values = [metrics.get(name, math.nan) for _, metrics in two]
            if name.startswith(prefix) and all(value < t["below"] for value in values):
                text = " and ".join(f"{value:.4g} at step {step}" for value, (step, _) in zip(values, two, strict=True))
                return _Symptom(two[0][0], f"{name} was below {t['below']:g} twice: {text}")
        return None

    return look


def _no_gain(case: _Case, t: Thresholds) -> _Symptom | None:
    line = case.last(t["for"])
    return _Symptom(line[0][0], f"nothing was gained {case.span(line[0][0])}") if line else None


@dataclass(frozen=True)
class Rule:
    """A rule: what it looks at, in a line; its thresholds with their defaults; `safe`: in force under `stop: default`.

    patient: it waits for the objective to stand still. judges_critics: it reads accuracies, which not every criterion has.
    """

    meaning: str
    thresholds: Thresholds
    look: Callable[[_Case, Thresholds], _Symptom | None]
    safe: bool = False
    patient: bool = True
    judges_critics: bool = False


# Asked in this order. The defaults are such that a good run is spared even if it is short and its objective stands still: small
# DCGANs on digits (1,000 to 1,500 steps), left to their own, had critics that were right about everything in their first 20 to 25 %
# and a spread of 0.04 to 0.2 in their first 15 to 30 %, then of 0.7 to 0.95. One that died (minimax, 5 turns of its critic) kept an
# accuracy of 1 and a spread of 0.04. What no threshold can tell is left to patience: a pix2pix went on learning for a fifth of its
# run from a critic with 0.98 or more, and half of a BicycleGAN's accuracies were below 0.55 while it improved.
RULES: dict[str, Rule] = {
    "nonfinite": Rule(
        "a score that is an objective is not a finite number at two successive evaluations",
        {},
        _nonfinite,
        safe=True,
        patient=False,
    ),
    "critic_won": Rule(
        "every critic is right about nearly everything for a share of the steps",
        {"above": 0.98, "for": 0.3},
        _critic_won,
        safe=True,
        judges_critics=True,
    ),
    "collapse": Rule(
        "outputs are all alike, next to real pictures, at two successive evaluations",
        {"below": 0.1, "grace": 0.3},
        _twice_below(SPREAD),
        safe=True,
    ),
    "critic_blind": Rule(
        "no critic can tell outputs from real pictures for a share of the steps",
        {"below": 0.52, "for": 0.3},
        _critic_blind,
        judges_critics=True,
    ),
    "identity": Rule(
        "outputs are their own inputs at two successive evaluations",
        {"below": 0.02, "grace": 0.3},
        _twice_below(CHANGE),
    ),
    "no_gain": Rule("the objective has not improved for a share of the steps", {"for": 0.3}, _no_gain),
}
UNASKED = ("nonfinite",)  # what is in force where the sweep file says nothing
