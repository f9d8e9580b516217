"""Everything that is wrong with a sweep, found in one go: its names, its data, its task network, its sizes, and how they fit.

Each check is asked where what it needs is known, and only there. So no mistake hides another one, and none brings another forth:
what is told of settings that are in doubt is told of all that they could be (see known.py and fitting.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from cluster.run import Features
from data_shards.address import is_remote
from data_shards.errors import Unreachable
from orchestrator.errors import Refusal, asked, in_order, nearest, refuse, show
from orchestrator.planning.data import DataFacts, check_cache, check_counts, check_limits, open_manifest, read_data
from orchestrator.planning.degrees import check_degrees, check_flip
from orchestrator.planning.features import find_features
from orchestrator.planning.fitting import Case, cases_of, misfits
from orchestrator.planning.identity import ID_DIGITS, identity_of, sweep_id
from orchestrator.planning.idle import check_learning
from orchestrator.planning.known import Known, common, known_settings
from orchestrator.planning.objective import Objective, find_objectives
from orchestrator.planning.places import check_places
from orchestrator.planning.plain_data import check_mode, read_plain
from orchestrator.planning.settings import Settings, canonical_axes, check_classes, held
from orchestrator.planning.sizes import Auto, Machine, Sizes, find_sizes
from orchestrator.planning.stages import check_stages
from orchestrator.search.check import check_search
from orchestrator.search.reach import check_trials
from orchestrator.search.space import Axis
from orchestrator.search.space_check import check_space, settle
from orchestrator.search.trials import Trials, find_trials
from orchestrator.storage import check_storage
from orchestrator.sweep_file.draft import Draft, touch
from orchestrator.sweep_file.sweep import Sweep
from orchestrator.task.task import TaskNetwork, check_needs, check_task, find_task, judged
from trainers.outputs import READINGS
from trainers.score_list import SCORES
from trainers.scores import JUDGED
from trainers.settings import Reads
from trainers.system import System
from trainers.systems.catalog import SYSTEMS
from trainers.systems.own import NotASystem, is_own, own_system

T = TypeVar("T")
ANY_SWEEP = "0" * ID_DIGITS  # for a question about a storage where the sweep's own id is not known


@dataclass(frozen=True)
class Checked:
    """What a sweep in which nothing is wrong is made of; see `Plan`. `preset`: the settings of trial 0."""

    sweep: Sweep
    system: type[System]
    data: DataFacts
    task: TaskNetwork | None
    features: Features | None
    sizes: Sizes
    preset: Settings
    axes: Mapping[str, Axis]
    objectives: Sequence[Objective]
    trials: Trials
    identity: Mapping[str, Any]


def check(draft: Draft, file: str, machine: Machine, kept: Mapping[str, Auto]) -> Checked:
    """Check a sweep against its system, its data and `machine`; `kept`: what `auto` became before.

    Raises:
        Refusal: every mistake, in the order of the file.
    """
    mistakes = _Mistakes(draft)
    sweep = draft.sweep
    system = mistakes.ask(find_system, sweep.system, sweep.code) if mistakes.knows("system", "code") else None
    known = known_settings(system, draft) if system else None
    sizes, wrong = find_sizes(sweep, system, machine, kept)
    mistakes.tell(known.found if known else ())
    mistakes.tell([*wrong, *(check_mode(sweep.data) if mistakes.knows("data.mode") else ())])
    mistakes.tell(check_places(sweep) if mistakes.knows("cluster", "storage", "data.uri") else ())
    if mistakes.knows("storage"):
        mistakes.ask(check_storage, sweep.storage, ANY_SWEEP)
    data = _data(mistakes, sweep, system, known)
    named = sweep.task is not None and mistakes.knows("task", "storage")
    task = mistakes.ask(find_task, str(sweep.task), sweep.storage) if named else None
    told = mistakes.knows("evaluation.features", "data.image")
    features = mistakes.ask(find_features, sweep, data) if told else None
    right = _fitted(mistakes, draft, system, known, data, task, features, sizes) if system and known else None
    if right and not is_remote(sweep.storage):  # where one question costs no wait, the sweep's own place, too
        mistakes.ask(check_storage, sweep.storage, sweep_id(right.identity))
    mistakes.refuse(file)
    assert right is not None
    return right


class _Mistakes:
    """The mistakes found so far, and which keys they leave unknown."""

    def __init__(self, draft: Draft) -> None:
        self._found, self._places = list(draft.found), draft.places
        self._unknown = set(draft.unknown)
        self._unreachable: Unreachable | None = None

    @property
    def any(self) -> bool:
        """Whether anything is wrong, or could not be asked."""
        return bool(self._found) or self._unreachable is not None

    def knows(self, *keys: str) -> bool:
        """Whether these keys, with all that is in them, are as the file says, or left out there."""
        return not any(touch(key, gap) for key in keys for gap in self._unknown)

    def unknown(self, part: str) -> list[str]:
        """The keys in a part of the file that are not known."""
        return [gap for gap in self._unknown if touch(part, gap)]

    def tell(self, found: Sequence[Refusal]) -> None:
        """Note what one check refuses, apart from what only follows from earlier mistakes."""
        new = [refusal for refusal in found if self.knows(refusal.path, *refusal.rests)]
        self._found += new
        self._unknown |= {refusal.path for refusal in new}

    def ask(self, question: Callable[..., T], *about: Any) -> T | None:
        """The answer; None where it is a refusal, or where nobody answers."""
        try:
            return question(*about)
        except Refusal as refusal:
            self.tell(refusal.apart())
        except Unreachable as error:  # the world's failure: it must not hide the user's
            self._unreachable = self._unreachable or error
        return None

    def refuse(self, file: str) -> None:
        """Raise what was found, if anything was."""
        refuse(in_order(self._found, self._places), file)
        if self._unreachable is not None:
            raise self._unreachable


def find_system(name: str, code: str | None) -> type[System]:
    """The system of that name, or of the user's own file with this text. Raises Refusal."""
    if code is not None and not is_own(name):
        raise Refusal("the text of a file belongs to a system FILE.py:CLASS; leave it out", path="code")
    if is_own(name) and code is not None:
        try:
            return own_system(name, code)
        except NotASystem as error:
            raise Refusal(str(error), path="system", value=name) from error
    if name not in SYSTEMS:
        problem = f"unknown system {show(name)}"
        raise Refusal(problem, path="system", value=name, nearest=nearest(name, SYSTEMS), has=SYSTEMS)
    return SYSTEMS[name]


def _data(mistakes: _Mistakes, sweep: Sweep, system: type[System] | None, known: Known | None) -> DataFacts | None:
    """The facts about the data; None where they are refused, or hang on what is not known."""
    data = sweep.data
    if not mistakes.knows("data.uri", "data.mode", "data.domains"):
        return None
    if system is None or known is None:
        if data.mode == "indexed":
            mistakes.ask(open_manifest, data.uri)
        return None
    readings = list(dict.fromkeys(system.reading(system.Hyper(**settings.hyper)) for settings in known.meant))
    mistakes.tell(common(lambda reads: asked(partial(check_limits, system, reads, data.limit)), readings))
    if len(readings) == 1:
        return mistakes.ask(_read, sweep, system, readings[0])
    mistakes.ask(lambda: refuse(common(lambda reads: asked(partial(_read, sweep, system, reads)), readings)))
    return None


def _read(sweep: Sweep, system: type[System], reads: Reads) -> DataFacts:
    data = sweep.data
    if data.mode == "stream":
        return read_plain(data, system, reads)
    limit = {domain: most for domain, most in data.limit.items() if domain in reads.domains}
    return read_data(data.uri, system, limit, reads=reads, balanced=data.balanced)


def _fitted(
    mistakes: _Mistakes,
    draft: Draft,
    system: type[System],
    known: Known,
    data: DataFacts | None,
    task: TaskNetwork | None,
    features: Features | None,
    sizes: Sizes,
) -> Checked | None:
    """What the sweep is made of; None where something is wrong with it, or was before."""
    sweep, written = draft.sweep, canonical_axes(system, known.sweep)
    meant = [_complete(settings, data, task) for settings in known.meant]
    mistakes.tell(common(lambda settings: check_space(written, held(system, settings)), meant))
    if data:
        _check_data(mistakes, sweep, system, meant, data, sizes)
        if task:
            image = sweep.data.image if mistakes.knows("data.image") else task.shape[1]
            mistakes.tell(common(lambda one: asked(partial(check_task, task, data, one.hyper, image)), meant))
    _check_networks(mistakes, sweep, system, meant, data)
    mistakes.tell(common(lambda settings: check_learning(system, settings, written), meant))
    if sweep.task is None and mistakes.knows("task"):
        mistakes.tell(common(lambda one: asked(partial(check_needs, system, system.Hyper(**one.hyper), None)), meant))
    objectives = _objectives(mistakes, draft, system, written, meant, data, task, features)
    if not mistakes.knows("search"):
        mistakes.ask(find_trials, known.sweep, system, meant[0], {}, True)  # be it one of refused axes alone
        return None
    axes, idle = settle(written, held(system, meant[0]))
    mistakes.tell(check_search(sweep, axes, objectives or (), sizes))
    trials = mistakes.ask(find_trials, known.sweep, system, meant[0], axes, bool(axes))
    if mistakes.any or data is None or objectives is None or trials is None:
        return None
    trials = replace(trials, notes=(*idle, *trials.notes))
    stages = partial(check_stages, system, sizes, data, sweep.data.limit)
    mistakes.tell(check_trials(system, sweep, meant[0], axes, objectives, data, task, stages))
    identity = identity_of(sweep, data.sha256, task.sha256 if task else "", features.sha256 if features else "")
    return Checked(sweep, system, data, task, features, sizes, meant[0], axes, objectives, trials, identity)


def _complete(settings: Settings, data: DataFacts | None, task: TaskNetwork | None) -> Settings:
    """The settings with what is left to the data and to the task network."""
    settings = settings.with_classes(data.label_names) if data else settings
    return settings.with_task(task.settings) if task else settings


def _check_data(
    mistakes: _Mistakes,
    sweep: Sweep,
    system: type[System],
    meant: Sequence[Settings],
    data: DataFacts,
    sizes: Sizes,
) -> None:
    """Whether the data fit the settings and the sizes."""
    reads = system.reading(system.Hyper(**meant[0].hyper))  # there would be no data if it were in doubt
    mistakes.tell(common(lambda settings: asked(partial(check_classes, settings, reads, data)), meant))
    mistakes.tell(common(lambda settings: asked(partial(check_degrees, settings.hyper, data)), meant))
    mistakes.ask(check_flip, reads, sweep.data.augment.flip)
    mistakes.ask(check_cache, data, sweep.data.cache.limit)
    if mistakes.knows("data.batch", "data.replicas", "data.limit", "resources.workers"):
        mistakes.ask(check_counts, data, reads, sweep.data.limit, sizes.batch)
        stages = partial(check_stages, system, sizes, data, sweep.data.limit)
        mistakes.tell(common(lambda settings: stages(system.Hyper(**settings.hyper)), meant))


def _check_networks(
    mistakes: _Mistakes, sweep: Sweep, system: type[System], meant: Sequence[Settings], data: DataFacts | None
) -> None:
    """Whether the networks fit the pictures; of data that are not known, any."""
    unknown = [*([] if mistakes.knows("data.image") else ["data.image"]), *([] if data else ["data.uri"])]
    cases = []
    for settings in meant:
        hyper = system.Hyper(**settings.hyper)
        anything = dict.fromkeys(system.reading(hyper).domains, (3, sweep.data.image, sweep.data.image))
        cases += cases_of(Case(hyper, data.shapes(sweep.data.image) if data else anything), unknown)
    mistakes.tell(misfits(system, cases, [*unknown, *mistakes.unknown("hyper")]))


def _objectives(
    mistakes: _Mistakes,
    draft: Draft,
    system: type[System],
    axes: Mapping[str, Axis],
    meant: Sequence[Settings],
    data: DataFacts | None,
    task: TaskNetwork | None,
    features: Features | None,
) -> tuple[Objective, ...] | None:
    """What judges the trials, the first one before all. Of data and of a task network that are not known the best is assumed."""
    if not mistakes.knows("objective", "evaluation") or (draft.sweep.evaluation.features and features is None):
        return None
    is_named = task is not None or not mistakes.knows("task")
    network, label_map = JUDGED if is_named else "", ""
    if task and data and mistakes.knows("task"):
        network, label_map = judged(task, data), task.label_map

    def find(settings: Settings) -> tuple[Objective, ...]:
        hyper = system.Hyper(**settings.hyper)
        facts = data or _hoped(system.reading(hyper))
        searching = bool(draft.sweep.search) or not mistakes.knows("search")
        about = axes, facts, hyper, network, label_map, features, frozenset({task.reading}) if task else READINGS
        return find_objectives(system, draft.sweep, *about, searching=searching)

    found = common(lambda settings: asked(partial(find, settings)), meant)
    if data is None:
        for refusal in found:
            refusal.has = tuple(metric for metric in refusal.has if metric not in SCORES)
    mistakes.tell(found)
    return None if found or len(meant) > 1 else find(meant[0])


def _hoped(reads: Reads) -> DataFacts:
    """Data that nobody could read, as if every score could be computed on them."""
    domains = frozenset(reads.domains)
    return DataFacts("", "", "", stored={}, train={}, validation={}, truth=True, labelled=domains)
