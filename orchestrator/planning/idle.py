"""What a sweep asks for and cannot have: losses that nobody weighs, rules and schedulers that can stop nobody.

Where nothing at all would be learned it is a mistake. Where a sweep is sound without the part that does nothing it is a note.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cluster.stopping import ACCURACY, PLAYED, UNASKED, Rules, verdict
from orchestrator.errors import Refusal
from orchestrator.planning.objective import Objective
from orchestrator.planning.settings import Setting, Settings
from orchestrator.planning.sizes import Sizes, bracket, pauses
from orchestrator.results.wording import listed
from orchestrator.search.searchers import startup_for
from orchestrator.search.space import Axis, Choice, settings_of
from orchestrator.sweep_file.search import named
from orchestrator.sweep_file.sweep import Sweep
from trainers.health import CHANGE, SPREAD
from trainers.settings import Term, aliases, effective
from trainers.system import System

# The names of the terms that critics are taught by, of the penalties on them, and of those by which they teach. All but the
# first two are the makers'.
CRITIC, PENALTY, ADVERSARIAL = (re.compile(rf"{name}[0-9]*(_.*)?") for name in ("d", "gp", "adv"))
LONGEST_LINE = (
    1_000  # evaluations at the end of a training that a rule is asked about: what came before changes nothing
)
RATE = "hyper.lr"


def check_learning(system: type[System], settings: Settings, axes: Mapping[str, Axis]) -> list[Refusal]:
    """Settings under which nobody who makes pictures would learn anything. settings: of trial 0, or what they could be."""
    found = []
    makers = [t for t in _terms(system, settings) if not (CRITIC.fullmatch(t.name) or PENALTY.fullmatch(t.name))]
    if makers and not any(_strongest(system, settings, axes)[term.name] for term in makers):
        problem = f"nothing would be learned: {_named(makers)} {'has' if len(makers) == 1 else 'have'} the weight 0"
        found.append(Refusal(problem, path="weights", rests=["hyper", "preset", "search"]))
    rate = axes.get(RATE)
    if rate is None and settings.hyper.get(RATE.removeprefix("hyper.")) == 0:
        found.append(Refusal("nothing would be learned at a learning rate of 0", path=RATE, value=0))
    if isinstance(rate, Choice) and 0 in rate.options:
        found.append(Refusal("a trial would learn nothing at a learning rate of 0", path=f"search.{RATE}", value=0))
    return found


def idle_losses(system: type[System], settings: Settings, axes: Mapping[str, Axis]) -> list[str]:
    """Notes on critics that nobody teaches, though they are there."""
    terms = _terms(system, settings)
    strength = _strongest(system, settings, axes)
    critics = [term for term in terms if CRITIC.fullmatch(term.name)]
    asking = [term for term in terms if ADVERSARIAL.fullmatch(term.name)]
    if not critics or any(strength[term.name] for term in critics):
        ratio = settings.balance.get("lr_ratio") == 0 and "balance.lr_ratio" not in axes
        return ["balance.lr_ratio is 0: the critics stay as they begin, and know nothing"] if critics and ratio else []
    if any(strength[term.name] for term in asking):
        return [f"the weight of {_named(critics)} is 0: critics that learn nothing are asked by {_named(asking)}"]
    return [f"the weights of {_named([*asking, *critics])} are 0: the critics take no part in the training"]


def idle_parts(
    sweep: Sweep, trials: int, objectives: Sequence[Objective], sizes: Sizes, criteria: Iterable[Setting]
) -> list[str]:
    """Notes on rules, schedulers and others that can do nothing in this sweep. trials: settings, the preset included.

    criteria: the adversarial criteria that trials may have; None: a trial without one.
    """
    return [
        *_idle_rules(sweep, objectives, sizes, {None if one is None else str(one) for one in criteria}),
        *_idle_scheduler(sweep, trials),
        *_idle_search(sweep, trials),
        *_idle_resources(sweep),
    ]


def _idle_rules(
    sweep: Sweep, objectives: Sequence[Objective], sizes: Sizes, criteria: set[str | None]
) -> Iterator[str]:
    goals = [(objective.metric, objective.mode) for objective in objectives]
    asked = {name: of for name, of in sweep.stop.rules(goals).thresholds.items() if name not in UNASKED}
    rules = Rules(asked, goals)
    deaf = set(asked).difference(*(rules.suited(criterion).thresholds for criterion in criteria)) if criteria else set()
    if deaf:
        of = f"the accuracy of a critic of {listed(sorted(map(str, criteria)))} says nothing"
        yield f"{_rules(deaf)} left out: {'there is no critic' if criteria == {None} else of}"
    still = [name for name in asked if name not in deaf and not _can_act(name, rules, sweep, sizes.evaluate)]
    if still:
        yield (
            f"{_rules(still)} never in force: before the last step there are too few evaluations for these thresholds, with one "
            f"every {sizes.evaluate} of {sweep.steps} steps"
        )


def _rules(names: Iterable[str]) -> str:
    told = [f"stop.{name}" for name in names]
    return f"{listed(told)} {'is' if len(told) == 1 else 'are'}"


def _can_act(name: str, rules: Rules, sweep: Sweep, evaluate: int) -> bool:
    """Whether the rule would stop the worst of all trials, that neither improves nor shows any sign of life."""
    line = sorted({*range(evaluate, sweep.steps, evaluate)[-LONGEST_LINE:], *pauses(sweep)[-LONGEST_LINE:], evaluate})
    alone = Rules({name: rules.thresholds[name]}, rules.objectives)
    worst = {PLAYED: 1.0, f"{SPREAD}b": 0.0, f"{CHANGE}b": 0.0}
    worst |= {metric: 0.0 for metric, _ in rules.objectives}
    cases = [{**worst, f"{ACCURACY}d": accuracy} for accuracy in (0.0, 1.0)]
    return any(verdict(alone, [(step, case) for step in line if step < sweep.steps], sweep.steps) for case in cases)


def _idle_scheduler(sweep: Sweep, trials: int) -> Iterator[str]:
    name = named(sweep.scheduler)
    if name != "none" and trials == 1:
        yield "the scheduler has nothing to stop: trial 0 always runs to its end"
        return
    median, together = sweep.scheduler.median, bracket(sweep, trials)
    if median and median.least > trials * sweep.seeds - 1:
        others = trials * sweep.seeds - 1
        yield f"the scheduler stops nobody: scheduler.median.least is {median.least}, and there are {others} others"
    if together and trials % together == 1:
        yield (
            f"the last bracket of {together} has one trial, which has nobody to be compared with; trials is best a multiple of "
            f"scheduler.halving.bracket"
        )


def known_before(sweep: Sweep, trials: int) -> int:
    """How many settings are known before any of them is trained, the preset included. trials: of them all."""
    if sweep.searcher != "optuna":
        return trials
    if sweep.warm_start is not None:
        return 1
    together = bracket(sweep, trials) or 1  # what is proposed without knowing of one another
    return min(trials, math.ceil(_startup(sweep) / together) * together)


def _startup(sweep: Sweep) -> int:
    return startup_for(1 if sweep.objective is None else 1 + len(sweep.objective.also))


def _idle_search(sweep: Sweep, trials: int) -> Iterator[str]:
    if not sweep.search and "searcher" in sweep.model_fields_set:
        yield f"{sweep.searcher} has nothing to propose: there is no search"
    if not sweep.finalists.settings and sweep.finalists.model_fields_set:
        yield "there is no final: finalists.settings is 0"
    if sweep.searcher == "optuna" and sweep.search and trials <= known_before(sweep, trials):
        yield f"optuna proposes nothing: it learns from the first {_startup(sweep)} settings that end, and there are {trials}"
    if sweep.finalists.settings > trials - 1 > 0:
        yield f"finalists.settings is {sweep.finalists.settings}, and there are {trials - 1} settings besides the preset"


def _idle_resources(sweep: Sweep) -> Iterator[str]:
    together = [f"resources.{key}" for key in ("placement", "interface") if key in sweep.resources.model_fields_set]
    if together and sweep.resources.most_workers == 1:
        yield f"{listed(together)} {'is' if len(together) == 1 else 'are'} of no use to trials of one worker"


def _terms(system: type[System], settings: Settings) -> list[Term]:
    hyper = system.Hyper(**settings.hyper)
    return system.in_force(hyper)


def _strongest(system: type[System], settings: Settings, axes: Mapping[str, Axis]) -> Mapping[str, float]:
    """Of each term the largest effective weight that a trial may give it."""
    names, most = aliases(system.terms), dict(settings.weights)
    for key, axis in axes.items():
        for name in settings_of(key, axis):
            part, _, weight = name.partition(".")
            for term in names.get(weight, ()) if part == "weights" else ():
                most[term] = max(float(value) for value in axis.extremes() if isinstance(value, int | float))
    return effective(system.terms, most)


def _named(terms: Sequence[Term]) -> str:
    return listed(dict.fromkeys(term.group or term.name for term in terms))
