"""Which scores an evaluation can have: decided here alone, for evaluations, for objectives and for `systems NAME`.

No torch here: the command line asks before anything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trainers.outputs import FEATURES, LOGITS, MAPS, READINGS, WORDS, is_given
from trainers.score_list import OF_TASK, SCORES, in_network
from trainers.settings import Reads, Score

if TYPE_CHECKING:
    from trainers.system import System

JUDGED = "b"  # the domain whose task network can judge
TRAIN_ONE = "train one with `i2i-cluster task train` and name it as task: ..."
TASK = "task"  # the name of the task network, which no other network may have


@dataclass(frozen=True)
class Given:
    """What an evaluation has to go by, besides its system. `data`: the data set's name, for texts.

    `counts`: domain -> validation pictures, None where nobody knows. `channels`: domain -> channels. `truth`: whether the
    counterpart of each is known. `labelled`: the domains where some have a class, or, where the task network tells pixels
    apart (`label_maps`), a label map. `task`: the domain that it judges, empty where there is none. `draws`: translations made
    of each picture, where they differ (`varied`). `kinds`: what the task network reads. `features`: the name of the
    network that `evaluation.features` gives, empty where there is none; `gives`: what it has of `trainers.outputs`.
    """

    reads: Reads
    truth: bool
    labelled: frozenset[str]
    task: str
    draws: int
    varied: bool
    data: str = ""
    counts: Mapping[str, int | None] = field(default_factory=dict)
    channels: Mapping[str, int] = field(default_factory=dict)
    label_maps: bool = False
    kinds: frozenset[str] = frozenset({LOGITS})
    features: str = ""
    gives: frozenset[str] = frozenset()

    @property
    def task_gives(self) -> frozenset[str]:
        """What the task network has of pictures of its domain."""
        return frozenset({FEATURES, MAPS}) | self.kinds


def everything(system: type[System]) -> Given:
    """All that an evaluation of the system could wish for, under its default settings or those of a preset."""
    reads, presets = system.reads, ({}, *(preset.hyper for preset in system.presets.values()))
    varied = any(system.varies(system.Hyper(**hyper)) for hyper in presets)
    labelled = frozenset(() if reads.mixed else reads.domains)
    truth = not reads.mixed
    return Given(reads, truth=truth, labelled=labelled, task=JUDGED, draws=2, varied=varied, kinds=READINGS)


def scores_of(system: type[System], reads: Reads, features: str = "") -> dict[str, Score]:
    """Metric -> score, of those that fit what the system shows and reads, whatever else they need; then its own.

    features: the name of the network that the sweep gives, empty where it gives none.
    """
    domains = reads.domains
    fitting = {
        score.metric: score
        for declared in SCORES.values()
        for score in (declared, *([in_network(declared, features)] if features and OF_TASK in declared.name else []))
        if score.of in (*system.shows, *domains)
        and score.against in ("", *domains)
        and (len(domains) > 1 or not score.needs_truth)
        and not (reads.mixed and _of_its_input(score))
    }
    return fitting | {score.metric: score for score in system.judges}


def lacking(score: Score, system: type[System], given: Given) -> str:
    """What a score of the system lacks, to be read after its name ("needs ..."); empty where it can be computed."""
    for domain, count in given.counts.items():
        if count is not None and count < score.least:
            least = f"at least {score.least} " if score.least > 1 else ""
            return (
                f"needs {least}validation pictures, and {given.data} has {count or 'none'} of domain {domain}; "
                "make or index it again with a larger --validation"
            )
    if score.needs_truth and not given.truth:
        return f"needs the true counterpart of each validation picture, and {given.data} has none"
    if score.varied and not given.varied:
        return f"needs a system whose translations of one picture differ, and those of {system.name} do not"
    if score.varied and given.draws < 2:
        return f"compares draws, and evaluation.draws is {given.draws}; nearest: 2"
    if score.needs_task and given.task != JUDGED:
        which = f" of domain {JUDGED}, not {given.task}" if given.task else ""
        return f"needs a task network{which}: {TRAIN_ONE}"
    if score.needs_labels and score.against not in given.labelled:
        what = "label maps" if given.label_maps else "classes"
        return f"needs {what} of the validation pictures of domain {score.against}, and {given.data} has none"
    return _unread(score, given) or _misfit(score, given.channels)


def network_of(score: Score, given: Given) -> str:
    """The network that a score asks: the one in brackets, the task network where it needs that, else the one that was chosen."""
    _, bracket, name = score.name.partition("[")
    return name.rstrip("]") if bracket else TASK if score.needs_task or not given.features else given.features


def available(system: type[System], given: Given) -> list[Score]:
    """The scores that an evaluation of the system has."""
    scores = scores_of(system, given.reads, given.features).values()
    return [score for score in scores if not lacking(score, system, given)]


def _of_its_input(score: Score) -> bool:
    """Whether it holds a translation against the picture that it was made of."""
    return score.of == f"fake_{JUDGED}" and score.against not in ("", JUDGED) and not score.needs_labels


def _unread(score: Score, given: Given) -> str:
    """What a score wants to know of pictures that no network tells."""
    if not score.output:
        return ""
    network = network_of(score, given)
    if network == TASK and given.task != JUDGED:
        return f"needs a network that looks at pictures of domain {JUDGED}: name one as evaluation.features, or {TRAIN_ONE}"
    gives = given.task_gives if network == TASK else given.gives
    if is_given(score.output, gives):
        return ""
    which = "the task network" if network == TASK else network
    return f"needs {WORDS[score.output]}, and {which} has {', '.join(WORDS[name] for name in WORDS if name in gives)}"


def _misfit(score: Score, channels: Mapping[str, int]) -> str:
    """A domain's own pictures can be shown to a network for b only where they have as many channels."""
    shown = [score.of, *([score.against] if score.output and not score.needs_labels else [])]
    wanted = channels.get(JUDGED)
    for domain in shown if score.needs_task or score.output else []:
        mine = channels.get(domain)
        if mine and wanted and mine != wanted:
            return f"shows pictures of domain {domain} to a network for {JUDGED}, and they have {mine} and {wanted} channels"
    return ""
