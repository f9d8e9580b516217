"""What may judge a search. A searched weight must not act on the number that judges it.

If it did, the search would win by turning its own scales: the smallest weight for a weighted loss, the
largest for the term it weighs. Both are refused, with the scores that can judge named instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cluster.run import Features
from cluster.task import TASK
from orchestrator.errors import Refusal, nearest_dotted, refuse, show
from orchestrator.planning.data import DataFacts
from orchestrator.planning.settings import from_preset, searched_terms
from orchestrator.search.space import Axis
from orchestrator.sweep_file.search import Objective as WrittenObjective
from orchestrator.sweep_file.sweep import Sweep
from orchestrator.systems.existence import absence
from trainers.outputs import LOGITS
from trainers.scores import Given, lacking, scores_of
from trainers.settings import Reads, Score
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
    label_map: str = "",
    features: Features | None = None,
    readings: frozenset[str] = frozenset({LOGITS}),
    *,
    searching: bool | None = None,
) -> Objective:
    """The sweep's objective; without a search and without one written, the first that could be.

    `hyper` decides which terms there are; `task` is the domain that the sweep's task network judges, if it has one, and
    `label_map` the domain that a segmenter is held against; `features` its other network; `readings` what the task network
    reads in pictures, of one that nobody knows all that it may be.
    `searching`: whether there is a search, where `axes` are not all of it.
    Raises Refusal for a metric that does not exist or cannot judge.
    """
    given = replace(_given(system, sweep, data, hyper, task, label_map), kinds=readings, **_of_module(features))
    in_force = system.in_force(hyper)
    scores = {
        m: score
        for m, score in scores_of(system, given.reads, given.features).items()
        if _computed(system, score, hyper)
    }
    judges = _Judges(system, axes, given, scores, asked=system.needs_task(hyper))
    metrics = [*scores, *(f"loss/{term.name}" for term in in_force)]
    usable = [metric for metric in metrics if not judges.objection(metric)]
    path, written = "objective.metric", sweep.objective
    if written is None:
        if axes if searching is None else searching:
            raise Refusal("a search needs an objective, such as {metric: ...}", path="objective", has=usable)
        # To differ alone is no merit, nor is what a loss may pull at.
        first = next(m for m in usable if m not in scores or not (scores[m].varied or scores[m].pulled))
        return Objective(first, judges.better(first))
    metric = written.metric
    if metric in WEIGHTED:
        problem = (
            f"the weighted loss {show(metric)} cannot be an objective: the smallest weights would win; "
            "use an evaluation score or a raw term"
        )
        raise Refusal(problem, path=path, value=metric, has=usable)
    absent = "" if metric in metrics else _absent(system, sweep, metric, given.reads, hyper)
    if absent:
        raise Refusal(f"{metric} does not exist {absent}", path=path, value=metric, has=usable)
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


def find_objectives(
    system: type[System], sweep: Sweep, *about: Any, searching: bool | None = None
) -> tuple[Objective, ...]:
    """All objectives of the sweep, `objective.metric` first; `about` as for `find_objective`.

    Raises Refusal also for a metric that is named twice, and for a constraint on one that cannot judge.
    """
    first = find_objective(system, sweep, *about, searching=searching)
    written = sweep.objective
    also = written.also if written else []
    asked = [("objective.also", metric) for metric in also]
    asked += [("constraints", constraint.metric) for constraint in sweep.constraints]
    found, wrong = [], []
    for path, metric in asked:
        alone = sweep.model_copy(update={"objective": WrittenObjective(metric=metric)})
        try:
            found.append(find_objective(system, alone, *about, searching=searching))
        except Refusal as refusal:
            refusal.path, refusal.value = path, metric
            wrong.append(refusal)
    refuse(wrong)
    others = found[: len(also)]
    names = [objective.metric for objective in (first, *others)]
    for name in names:
        if names.count(name) > 1:
            raise Refusal(f"names {name} twice", path="objective.also", value=name)
    return first, *others


def check_there(system: type[System], features: str, path: str, metric: str, hyper: Any) -> Refusal | None:
    """A refusal, about `path`, where a metric that the system can have is not there under these settings; `features`: the name of
    the sweep's own network."""
    score = scores_of(system, system.reading(hyper), features).get(metric)
    if score is None:
        found = any(metric == f"loss/{term.name}" for term in system.in_force(hyper))
    else:
        found = _computed(system, score, hyper) and (system.varies(hyper) or not score.varied)
    return None if found else Refusal(f"{metric} does not exist", path=path, value=metric)


def _computed(system: type[System], score: Score, hyper: object) -> bool:
    """Whether there is what the score looks at, under these settings, and what it is the value of."""
    groups = {None, *(term.group for term in system.in_force(hyper))}
    unseen = score.of in system.shows and score.of not in system.showing(hyper)
    return score.measures in groups and not unseen


def _absent(system: type[System], sweep: Sweep, metric: str, reads: Reads, hyper: object) -> str:
    """Which settings take a metric away that the system can have; empty for one that it never has."""
    score = scores_of(system, reads).get(metric)
    term = next((t for t in system.terms if t.stage == system.stage and metric == f"loss/{t.name}"), None)
    if score is None and term is None:
        return ""

    def holds(hyper: object) -> bool:
        return _computed(system, score, hyper) if score else term is not None and term.exists(hyper)

    return absence(holds, hyper, sweep.preset, from_preset(system, sweep))


def _given(system: type[System], sweep: Sweep, data: DataFacts, hyper: object, task: str, label_map: str) -> Given:
    """What the trials' evaluations will have to go by."""
    return Given(
        reads=system.reading(hyper),
        truth=data.truth,
        labelled=data.label_maps[label_map].of if label_map else data.labelled,
        label_maps=bool(label_map),
        task=task,
        draws=sweep.evaluation.draws,
        varied=system.varies(hyper),
        data=data.name,
        counts=data.validation,
        channels={domain: channels for domain, (channels, _, _) in data.stored.items()},
    )


def _of_module(features: Features | None) -> dict[str, Any]:
    return {"features": features.name, "gives": frozenset(features.gives)} if features else {}


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
        if score and score.aside:
            return score.aside
        searched = searched_terms(self.system, self.axes)
        acting = [searched[term] for term in self._measured(metric) if term in searched]
        return f"measures what {acting[0]} weighs, and that is searched: the largest weight would win" if acting else ""

    def _measured(self, metric: str) -> list[str]:
        """The terms whose value a metric is."""
        if metric not in self.scores:
            return [metric.partition("/")[2]]
        score = self.scores[metric]
        group = TASK if self.asked and score.needs_task and score.needs_labels else score.measures or score.pulled
        return [term.name for term in self.system.terms if group and term.group == group]
