"""What may judge a search. A searched weight must not act on the number that judges it.

If it did, the search would win by turning its own scales: the smallest weight for a weighted loss, the
largest for the term it weighs. Both are refused, with the scores that can judge named instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.data import DataFacts
from orchestrator.errors import Refusal, nearest_dotted, show
from orchestrator.settings import searched_terms
from orchestrator.space import Axis
from orchestrator.sweep import Sweep
from trainers.settings import SCORES
from trainers.system import System

WEIGHTED = ("loss", "loss/total", "loss/weighted", "total", "total_loss", "weighted_loss")


@dataclass(frozen=True)
class Objective:
    """The metric that a sweep minimises or maximises: `mode` is "min" or "max"."""

    metric: str
    mode: str


def find_objective(
    system: type[System], sweep: Sweep, axes: Mapping[str, Axis], data: DataFacts, hyper: object
) -> Objective:
    """The sweep's objective; without a search and without one written, the first that could be.

    `hyper` decides which terms there are. Raises Refusal for one that does not exist or cannot judge.
    """
    in_force = [term for term in system.terms if term.exists(hyper)]
    groups = {
        None,
        *(term.group for term in in_force),
    }  # a score that measures terms which do not exist is not computed
    metrics = [score.metric for score in SCORES.values() if score.of in system.shows and score.measures in groups]
    metrics += [f"loss/{term.name}" for term in in_force]
    usable = [metric for metric in metrics if not _objection(system, metric, axes, data)]
    written = sweep.objective
    if written is None:
        if axes:
            raise Refusal("a search needs an objective, such as {metric: ...}", path="objective", has=usable)
        return Objective(usable[0], _better(usable[0]))
    metric = written.metric
    path = "objective.metric"
    if metric in WEIGHTED:
        problem = (
            f"the weighted loss {show(metric)} cannot be an objective: the smallest weights would win; "
            "use an evaluation score or a raw term"
        )
        raise Refusal(problem, path=path, value=metric, has=usable)
    if metric not in metrics:
        near = nearest_dotted(metric, metrics, "/")
        raise Refusal(f"unknown metric {show(metric)} for {system.name}", path=path, nearest=near, has=usable)
    objection = _objection(system, metric, axes, data)
    if objection:
        raise Refusal(objection, path=path, value=metric, has=usable)
    best = _better(metric)
    if metric in SCORES and written.mode not in ("auto", best):
        problem = f"{metric} is better when {'lower' if best == 'min' else 'higher'}: write {best}, not {written.mode}"
        raise Refusal(problem, path="objective.mode", value=written.mode)
    return Objective(metric, best if written.mode == "auto" else written.mode)


def _better(metric: str) -> str:
    return SCORES[metric].mode if metric in SCORES else "min"


def _objection(system: type[System], metric: str, axes: Mapping[str, Axis], data: DataFacts) -> str:
    """Why a known metric cannot judge this search on these data; empty if it can."""
    kind, _, name = metric.partition("/")
    searched = searched_terms(system, axes)
    if kind == "loss":
        measured = [name]
    else:
        score = SCORES[metric]
        measured = [term.name for term in system.terms if score.measures and term.group == score.measures]
        for domain, count in data.validation.items():
            if count == 0:
                return (
                    f"{metric} needs validation pictures, and {data.name} has none of domain {domain}; "
                    "make or index it again with a larger --validation"
                )
        if score.needs_truth and not data.truth:
            return f"{metric} needs the true counterpart of each validation picture, and {data.name} has none"
    acting = [searched[term] for term in measured if term in searched]
    if acting:
        return f"{metric} measures what {acting[0]} weighs, and that is searched: the largest weight would win"
    return ""
