"""What may judge a search. A searched weight must not act on the number that judges it.

If it did, the search would win by turning its own scales: the smallest weight for a weighted loss, the
largest for the term it weighs. Both are refused, with the scores that can judge named instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.task import TASK
from orchestrator.data import DataFacts
from orchestrator.errors import Refusal, nearest_dotted, show
from orchestrator.settings import searched_terms
from orchestrator.space import Axis
from orchestrator.sweep import Sweep
from trainers.scores import Given, lacking, scores_of
from trainers.settings import Score
from trainers.system import System

WEIGHTED = ("loss", "loss/total", "loss/weighted", "total", "total_loss", "weighted_loss")


@dataclass(frozen=True)
class Objective:
    """The metric that a sweep minimises or maximises: `mode` is "min" or "max"."""

    metric: str
    mode: str


def find_objective(
    system: type[System],
    sweep: Sweep,
    axes: Mapping[str, Axis],
    data: DataFacts,
    hyper: object,
    task: str = "",
) -> Objective:
    """The sweep's objective; without a search and without one written, the first that could be.

    `hyper` decides which terms there are; `task` is the domain that the sweep's task network judges, if it has one. Raises
    Refusal for a metric that does not exist or cannot judge.
    """
    given = _given(system, sweep, data, hyper, task)
    in_force = [term for term in system.terms if term.exists(hyper)]
    # A score that measures terms which do not exist is not computed.
    groups = {None, *(term.group for term in in_force)}
    scores = {m: score for m, score in scores_of(system, given.reads).items() if score.measures in groups}
    judges = _Judges(system, axes, given, scores, asked=system.needs_task(hyper))
    metrics = [*scores, *(f"loss/{term.name}" for term in in_force)]
    usable = [metric for metric in metrics if not judges.objection(metric)]
    written = sweep.objective
    if written is None:
        if axes:
            raise Refusal("a search needs an objective, such as {metric: ...}", path="objective", has=usable)
        first = next(m for m in usable if m not in scores or not scores[m].varied)  # to differ alone is no merit
        return Objective(first, judges.better(first))
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
    objection = judges.objection(metric)
    if objection:
        raise Refusal(f"{metric} {objection}", path=path, value=metric, has=usable)
    best = judges.better(metric)
    if metric in scores and written.mode not in ("auto", best):
        problem = f"{metric} is better when {'lower' if best == 'min' else 'higher'}: write {best}, not {written.mode}"
        raise Refusal(problem, path="objective.mode", value=written.mode)
    return Objective(metric, best if written.mode == "auto" else written.mode)


def _given(system: type[System], sweep: Sweep, data: DataFacts, hyper: object, task: str) -> Given:
    """What the trials' evaluations will have to go by."""
    return Given(
        reads=system.reading(hyper),
        truth=data.truth,
        labelled=data.labelled,
        task=task,
        draws=sweep.evaluation.draws,
        varied=system.varies(hyper),
        data=data.name,
        counts=data.validation,
        channels={domain: channels for domain, (channels, _, _) in data.stored.items()},
    )


@dataclass(frozen=True)
class _Judges:
    """The known metrics of a search: `scores`, and the terms in force. `asked`: a loss asks the very network that judges."""

    system: type[System]
    axes: Mapping[str, Axis]
    given: Given
    scores: Mapping[str, Score]
    asked: bool

    def better(self, metric: str) -> str:
        """Whether less or more is: "min" or "max"."""
        return self.scores[metric].mode if metric in self.scores else "min"

    def objection(self, metric: str) -> str:
        """Why a metric cannot judge this search on these data, to be read after its name; empty if it can."""
        score = self.scores.get(metric)
        lack = lacking(score, self.system, self.given) if score else ""
        if lack:
            return lack
        if score and score.fixed:
            return "looks at no translation: every trial would have the same"
        searched = searched_terms(self.system, self.axes)
        acting = [searched[term] for term in self._measured(metric) if term in searched]
        return f"measures what {acting[0]} weighs, and that is searched: the largest weight would win" if acting else ""

    def _measured(self, metric: str) -> list[str]:
        """The terms whose value a metric is."""
        if metric not in self.scores:
            return [metric.partition("/")[2]]
        score = self.scores[metric]
        group = TASK if self.asked and score.needs_task and score.needs_labels else score.measures
        return [term.name for term in self.system.terms if group and term.group == group]
