"""The stages of a run: what must be trained before it, kept in the storage by the hash of all that decides it.

Whoever needs a stage first trains it, under a lease; the others wait, and every later sweep finds it there. It is trained as any
run is: with checkpoints, so that who takes over from the dead goes on where they were, on any number of workers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, cast

from cluster.checkpoints.folder import Checkpoints
from cluster.kinds import kind_of
from cluster.layout import SweepPaths, stage_paths
from cluster.log.lease import leased
from cluster.log.lock import SweepBusy
from cluster.model import export_best
from cluster.model_file import CARD, NoModel, read_model
from cluster.report import Place, Report, Tell
from cluster.run import Every, Keep, Run
from data_shards.errors import DataError
from data_shards.store import Store, open_store
from trainers import randomness
from trainers.stages import Stage, Weights
from trainers.tree import Tree

LOOK_S = 1.0  # between two looks at a stage that another one trains
ID_DIGITS = 16
REPORTS = 10  # of a stage: it is told how far it is so many times
# Fields of a run that act on what it comes to; of its data, all but where they lie and what is kept of them on a node.
DECIDING = (
    *(
        "seed",
        "system",
        "code",
        "stage",
        "hyper",
        "weights",
        "balance",
        "steps",
        "threads",
        "precision",
        "layout",
        "exact",
    ),
    *("on_nonfinite", "cpu_capability"),
)
DECIDING_DATA = (
    *("manifest", "image", "batch", "replicas", "flip", "jitter", "limit", "balance", "bad_samples", "mode", "domains"),
    "classes",
)
Train = Callable[[Run, Place, Tell], None]  # to its end, or until it is asked to stop


@dataclass(frozen=True)
class Part:
    """A stage of a run: `run` trains it, as trial 0 of a place of its own, from which `id` is known."""

    stage: Stage
    run: Run
    id: str

    @property
    def paths(self) -> SweepPaths:
        """Where it lies in the storage."""
        return SweepPaths(self.run.sweep)

    @property
    def claims(self) -> str:
        """The folder of the claims to it: the holder of the highest one trains it."""
        return f"{self.run.sweep}/claims"


class NotAStage(DataError):
    """What lies at a stage's place is not what the stage comes to, or cannot be read."""


def parts_of(run: Run) -> list[Part]:
    """The stages that come before a run, in order: a pure function of the run."""
    kind = kind_of(run)
    hyper = kind.Hyper(**run.hyper)
    parts: list[Part] = []
    for stage in kind.stages:
        if steps := stage.steps(hyper):
            parts.append(_part(run, hyper, stage, steps, [part.id for part in parts]))
    return parts


def _part(run: Run, whole: object, stage: Stage, steps: int, before: list[str]) -> Part:
    kind, hyper = stage.system, stage.settings(whole)
    reads = kind.reading(hyper)
    data = replace(
        run.data,
        batch=stage.batch(whole) or run.data.batch,
        image=stage.image(whole) or run.data.image,
        limit={domain: most for domain, most in run.data.limit.items() if domain in reads.domains},
        balance=run.data.balance and bool(reads.labelled),
        classes=run.data.classes if reads.labelled or reads.label_map else (),
    )
    each = max(1, steps // REPORTS)
    named = replace(
        run,
        trial=0,
        stage=stage.name,
        seed=randomness.key(run.seed, "stage", stage.name) % 2**31,
        hyper=dataclasses.asdict(hyper),
        weights={term.name: run.weights[term.name] for term in kind.terms},
        balance=dataclasses.asdict(kind.balance),
        data=data,
        steps=steps,
        every=Every(each, each, min(each, run.every.checkpoint)),
        keep=Keep(),
        task=run.task if kind.needs_task(hyper) else None,
        features=None,
        pauses=(),
        given=0,
    )
    digits = _hash(named, before)
    return Part(stage, replace(named, sweep=stage_paths(digits).id), digits)


def _hash(run: Run, before: list[str]) -> str:
    text = json.dumps({**_decided(run.to_json()), "before": before}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def _decided(run: Mapping[str, Any]) -> dict[str, Any]:
    """What acts on the result, of a run's JSON."""
    decided = {name: run[name] for name in DECIDING} | {f"data.{name}": run["data"][name] for name in DECIDING_DATA}
    decided["task"] = run["task"] and run["task"]["sha256"]
    # Left out where they are not: stages that were trained before there was such a setting serve on.
    decided |= {name: True for name in ("compile", "graphs") if run.get(name)}
    return cast(dict[str, Any], json.loads(json.dumps(decided)))


def is_there(store: Store, part: Part) -> bool:
    """Whether somebody trained it."""
    return store.exists(f"{part.paths.best}/{CARD}")


def read_stage(store: Store, part: Part) -> Weights:
    """What a stage came to. Raises NotAStage where that is damaged, or was trained with other settings."""
    mend = f"delete {store.uri}/{part.run.sweep} to have it trained again"
    try:
        card, weights = read_model(store, f"{part.paths.best}/")
        made = _decided(card["run"])
    except (FileNotFoundError, KeyError, NoModel, TypeError) as error:
        raise NotAStage(f"stage {part.stage.name}: {part.paths.best} in {store.uri} is damaged; {mend}") from error
    wanted = _decided(part.run.to_json())
    if others := [name for name in {**made, **wanted} if made.get(name) != wanted.get(name)]:
        raise NotAStage(
            f"stage {part.stage.name}: {part.paths.best} was trained with another {', '.join(others)}; {mend}"
        )
    return weights


class _What(IntEnum):
    """What is to be done about a stage."""

    LEAVE, WAIT, TRAIN, TAKE = range(4)


@dataclass
class Preparation:
    """Brings a run's stages about, on all of its workers at once. asked: why to save and end. tell: called on rank 0 alone."""

    run: Run
    place: Place
    tree: Tree
    asked: Callable[[], str | None]
    beat: Callable[[int, str], None]
    tell: Tell
    train: Train

    def prepare(self) -> dict[str, Weights] | None:
        """Stage -> what it came to, trained first where nobody did; None where the run is to end, and has been told so.

        Raises NotAStage, and what training does.
        """
        store = open_store(self.run.storage)
        found: dict[str, Weights] = {}
        for part in parts_of(self.run):
            if not self._ensure(store, part):
                return None
            found[part.stage.name] = read_stage(store, part)
        return found

    def _ensure(self, store: Store, part: Part) -> bool:
        waited = False
        while True:
            with ExitStack() as held:
                what, number = self._look(store, part, held)
                if what == _What.TAKE:
                    return True
                if what == _What.LEAVE:
                    return False
                if what == _What.TRAIN and not self._trained(store, part, number):
                    return False
            if what == _What.WAIT:
                if self.place.rank == 0 and not waited:
                    self.tell(Report(0, notices=(f"waiting for stage {part.stage.name}, which another trial trains",)))
                waited = True
                self.beat(0, f"waiting for stage {part.stage.name}")
                time.sleep(LOOK_S)

    def _look(self, store: Store, part: Part, held: ExitStack) -> tuple[_What, int]:
        """What rank 0 finds, on every rank; the number of its claim where it is to be trained."""
        what, number = _What.WAIT, 0
        if self.place.rank == 0:
            what, number = self._claim(store, part, held)
        return _What(int(self.tree.agree(float(what)))), int(self.tree.agree(float(number)))

    def _claim(self, store: Store, part: Part, held: ExitStack) -> tuple[_What, int]:
        if is_there(store, part):
            return _What.TAKE, 0
        if why := self.asked():
            self.tell(Report(0, outcome=why))
            return _What.LEAVE, 0
        try:
            number = held.enter_context(leased(store, part.claims))
        except SweepBusy:
            return _What.WAIT, 0
        return (_What.TAKE, 0) if is_there(store, part) else (_What.TRAIN, number)

    def _trained(self, store: Store, part: Part, number: int) -> bool:
        """Train a stage that is ours. The claim's number tells its checkpoints from those of earlier holders."""
        place, telling = replace(self.place, attempt=number), _Telling(part, self.tell)
        self.train(part.run, place, telling)
        if not self.tree.agree(float(telling.outcome == "done")):
            return False
        if self.place.rank == 0:
            export_best(store, part.run.sweep, 0)
            Checkpoints(store, part.paths.checkpoints(0), number).drop_after(-1)
        self.tree.agree(0.0)  # until it is there for all
        return True


@dataclass
class _Telling:
    """What a stage's training tells, as its run's: how far it is in words, and an end only where the run ends with it."""

    part: Part
    tell: Tell
    outcome: str | None = None

    def __call__(self, report: Report) -> bool:
        self.outcome, name = report.outcome, self.part.stage.name
        notices = tuple(f"stage {name}: {notice}" for notice in report.notices)
        if report.evaluated:
            losses = {key: value for key, value in report.metrics.items() if key.startswith("loss/")}
            seen = ", ".join(f"{key.removeprefix('loss/')} {value:.3g}" for key, value in losses.items())
            notices += (f"stage {name}: step {report.step} of {self.part.run.steps}; {seen}",)
        outcome = None if report.outcome == "done" else report.outcome
        if not (notices or report.failures or outcome):
            return True
        error = f"stage {name}: {report.error}" if report.error else None
        return self.tell(Report(0, outcome=outcome, error=error, notices=notices, failures=report.failures))
