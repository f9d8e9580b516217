"""`train(run, place, report, asked)`: the one way a run is trained, on one worker or on many, in a Tune actor or a Train group.

The order at a due step is: evaluate, hand the checkpoint (which holds the evaluation) to be written, report. A report whose
checkpoint is lost with its worker is made again by the resumed run, and one that is lost with the driver is given once more.
The last checkpoint is on its place before anybody hears that the run has ended.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import cast

import torch

from cluster.building import build_engine, process_settings
from cluster.checkpoints.folder import Checkpoints
from cluster.data import Batches, Indexed, Plain, open_data
from cluster.features import load_features
from cluster.layout import SweepPaths
from cluster.meter import Meter, Tally, of_the_run
from cluster.microbatches import MicroBatches
from cluster.report import WAITING, Place, Report, Tell
from cluster.room import NoRoom, is_out_of_memory, take_less
from cluster.run import Run
from cluster.saving import Saver
from cluster.stages import Preparation
from cluster.task import load_task
from data_shards.store import open_store
from trainers.engine import RETREAT_FACTOR, Engine
from trainers.errors import NonFiniteError
from trainers.evaluation import How, evaluate
from trainers.features import TaskNetwork
from trainers.grid import draw_grid
from trainers.ledger import VOTES
from trainers.scores import JUDGED

MOST_RETREATS = 5
Asked = Callable[[], str | None]  # why the run should save and end: one of VOTES
Beat = Callable[[int, str], None]  # told the step and what is being done, all along


@dataclass(frozen=True)
class Retreat:
    """A run that diverged goes back to the checkpoint that was due at `step`. `retreats`: every such step so far, this one
    included. Both are functions of the run's own course, never of which checkpoints happen to exist."""

    step: int
    retreats: tuple[int, ...]
    notice: str


@dataclass(frozen=True)
class Again:
    """A run goes on from a checkpoint. notices: what is to be told with its next report."""

    retreat: Retreat | None = None
    notices: tuple[str, ...] = ()


def _unwatched(step: int, doing: str) -> None:
    """Nobody watches."""


def train(run: Run, place: Place, report: Tell, asked: Asked, beat: Beat = _unwatched) -> None:
    """Train `run` from its newest checkpoint to its end, or until `report` says no, or `asked` gives a reason to end.

    Called by every worker; only rank 0 reports, evaluates to pictures and commits. `beat` hears of every step. Raises OSError
    where storage fails, Superseded where a later attempt at the run has begun, and TooLarge where a step has no room.
    """
    with process_settings(run):
        tally, data = Tally(), open_data(run)
        again: Again | None = Again()
        while again is not None:
            again = _go(run, place, report, asked, beat, data, tally, again)
            gc.collect()  # of the networks and what they hold, before the next ones are made


def _go(
    run: Run,
    place: Place,
    report: Tell,
    asked: Asked,
    beat: Beat,
    data: Indexed | Plain,
    tally: Tally,
    again: Again,
) -> Again | None:
    """Train from the newest checkpoint on. Gives with what to do so once more, if at all."""
    parts, _ = MicroBatches.of(run).read()
    begun: list[_Training] = []
    try:
        with data.stream(place.rank, place.workers) as stream:
            engine = build_engine(run, data.shapes(), stream, place, parts)
            training = _Training(run, place, report, asked, beat, engine, data, stream, tally, parts)
            training.saver.notices += again.notices
            begun.append(training)
            retreat = training.go(again.retreat)
            tally.checkpoints = training.saver.committer.metrics()
            return Again(retreat, (retreat.notice,)) if retreat else None
    except NoRoom as lack:
        notice = take_less(run, parts, data.shapes(), torch.device(place.device), lack)
        if place.workers > 1:  # the others wait for this one: all of them begin anew
            raise lack.error from lack
        (training,) = begun
        return Again(training.retreat, (*training.saver.notices, notice))


class _Training:
    """The loop and what it remembers between steps; nothing here outlives the process except through checkpoints."""

    def __init__(
        self,
        run: Run,
        place: Place,
        report: Tell,
        asked: Asked,
        beat: Beat,
        engine: Engine,
        data: Indexed | Plain,
        stream: Batches,
        tally: Tally,
        parts: int,
    ) -> None:
        self.run, self.place, self.engine, self._counted = run, place, engine, tally.data
        self._report, self._asked, self._beat = report, asked, beat
        self.paths = SweepPaths(run.sweep)
        checkpoints = Checkpoints(open_store(run.storage), self.paths.checkpoints(run.trial), place.attempt, run.keep)
        self.saver = Saver(run, place, engine, stream, checkpoints, tally.checkpoints, parts)
        self.samples, self.measured = data.samples(run.evaluation.samples), data.measured
        pixel_classes = run.task.classes if run.task and run.task.label_map else 0
        gives = frozenset(run.features.gives if run.features else ())
        module = load_features(run.features, engine.device)
        degrees = run.task.degrees if run.task else ()
        self.how = How(run.evaluation.draws, _load_judge(run, engine), pixel_classes, module, gives, degrees)
        self.license = data.license  # pictures made from the data carry its attribution
        self.evaluation: dict[str, float] = {}
        self.meter = Meter(engine, run.data.batch, tally.data)
        self.retreat: Retreat | None = None  # which no checkpoint knows of yet

    def go(self, retreat: Retreat | None) -> Retreat | None:
        """Resume, train to the end, report. A Retreat where it diverged and goes back."""
        self.retreat = retreat
        with closing(self.saver.committer):
            try:
                if not self._resume(retreat):
                    return None
                while self.engine.t < self.run.steps:
                    self._step()
                    if not self._after_step():
                        return None
            except NonFiniteError as error:
                return self._diverged(error)
        return None

    def _resume(self, retreat: Retreat | None) -> bool:
        """Take over the newest checkpoint, at most that of `retreat`. Says whether there is anything left to do."""
        found = self.saver.resume(retreat.step if retreat else None)
        if retreat:
            self.engine.retreats = retreat.retreats
        if found is None:
            return self._begin()
        self.meter = Meter(self.engine, self.run.data.batch, self._counted, float(found.about["train_seconds"]))
        self.evaluation = dict(found.about["evaluation"])
        finished = self.engine.t >= self.run.steps
        if found.about["evaluated_at"] == self.engine.t:
            # The driver may have died before it logged this evaluation: say it again.
            metrics = of_the_run(found.about["metrics"]) | self.saver.committer.metrics()
            again = Report(self.engine.t, metrics, True, "done" if finished else None)
            return self._tell(again) and not finished
        return not finished

    def _begin(self) -> bool:
        """What comes before the first step. Says whether there is to be one."""
        if self.engine.system.stages:
            preparation = Preparation(
                self.run, self.place, self.engine.tree, self._asked, self._beat, self._report, self._train_stage
            )
            before = preparation.prepare()
            if before is None:
                return False
            self.engine.enter(before)
            self.meter = Meter(self.engine, self.run.data.batch, self._counted)  # their time is not this training's
        if self.engine.system.measures:
            self._beat(0, "measuring the training data")
            self.engine.measure(self.measured())
        return True

    def _train_stage(self, stage: Run, place: Place, tell: Tell) -> None:
        """One of the stages: a training like this one."""
        train(stage, place, tell, self._asked, lambda step, doing: self._beat(step, of_stage(doing, stage.stage)))

    def _step(self) -> None:
        due, every = self.engine.t + 1, self.run.every
        self._beat(due, "training")
        if self.place.workers > 1:
            asked = self._asked()
            self.engine.vote(VOTES.index(asked) + 1 if asked else 0)
        pausing = due in self.run.pauses
        looked_at = pausing or any(self._due(n, due) for n in (every.report, every.evaluate, every.checkpoint))
        try:
            self.engine.step(report=looked_at)
            if looked_at:
                self.engine.settle()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise NoRoom(due, error) from error
            raise

    def _why(self) -> str | None:
        """Why to save and end here, if at all: the same answer on every worker, since votes travel with the gradients."""
        if self.place.workers == 1:
            return self._asked()
        return next((why for why, votes in zip(VOTES, self.engine.votes(), strict=True) if votes), None)

    def _after_step(self) -> bool:
        """Evaluate, commit and report what is due after a step. Says whether to go on."""
        t, every, why = self.engine.t, self.run.every, self._why()
        pausing = t in self.run.pauses
        evaluating = pausing or self._due(every.evaluate, t)
        committing = evaluating or why is not None or self._due(every.checkpoint, t)
        if not (committing or self._due(every.report, t)):
            return True
        if committing:
            self.engine.settle()  # nothing is saved whose numbers have not been looked at
            self.retreat = None
        self.saver.notices += self.engine.take_skips()
        metrics = self.meter.read(self.engine) | self.saver.committer.metrics()
        if evaluating:
            metrics |= self._evaluate()
        outcome = "done" if t == self.run.steps else why
        if outcome or pausing:  # whoever waits for others is given up meanwhile, and another may go on from here
            self._beat(t, "saving")
            if not self.saver.commit_last(metrics, self.evaluation, evaluating, self._tell):
                return False
            metrics |= self.saver.committer.metrics()
        elif committing:
            self.saver.commit(metrics, self.evaluation, evaluating)
        return self._tell(Report(t, metrics, evaluating, outcome)) and outcome is None

    def _diverged(self, error: NonFiniteError) -> Retreat | None:
        """A number is not finite: the run has failed, or goes back to where it was due to be saved before that."""
        retreats, every = self.engine.retreats, self.run.every
        if self.run.on_nonfinite != "rollback" or len(retreats) >= MOST_RETREATS:
            enough = f"; it went back {len(retreats)} times already" if retreats else ""
            self._tell(Report(self.engine.t, outcome="failed", error=f"{error}{enough}"))
            return None
        step = max(n * (error.step // n) for n in (every.evaluate, every.checkpoint))
        self.saver.committer.wait()
        if self.place.rank == 0:
            self.saver.checkpoints.drop_after(step)
        notice = f"{error}; back to step {step}, and on with learning rates x {RETREAT_FACTOR ** (len(retreats) + 1):g}"
        return Retreat(step, (*retreats, step), notice)

    def _due(self, interval: int, t: int) -> bool:
        return t % interval == 0 or t == self.run.steps

    def _tell(self, report: Report) -> bool:
        """Report from rank 0; every worker learns whether to go on."""
        go_on = True
        self._beat(report.step, WAITING)
        if self.place.rank == 0:
            notices, self.saver.notices = tuple(self.saver.notices), []
            failures = (*report.failures, *self.saver.committer.take_failures())
            go_on = self._report(replace(report, notices=notices, failures=failures))
        agreed = bool(self.engine.tree.agree(float(go_on)))
        self._beat(report.step, "training")
        return agreed

    def _evaluate(self) -> dict[str, float]:
        """Score the validation samples; rank 0 draws the picture."""
        started = time.monotonic()
        t = self.engine.t
        self._beat(t, "evaluating")
        self.evaluation, stages = evaluate(self.engine, self.samples, self.how)
        if self.place.rank == 0:
            title = f"{self.run.system}, trial {self.run.trial}, step {t}"
            self.saver.add_picture(self.paths.grid(self.run.trial, t), draw_grid(stages, title, self.license))
        spent = time.monotonic() - started
        self.meter.leave_out(spent)
        return {**self.evaluation, "time/evaluate_seconds": spent}


def of_stage(doing: str, stage: str) -> str:
    """What a stage's training is doing, in its run's words."""
    return doing if doing == WAITING else f"{doing} (stage {stage})"


def _load_judge(run: Run, engine: Engine) -> TaskNetwork | None:
    """The run's task network on the engine's device, where it can judge what is made."""
    domains = engine.system.reads.domains
    if run.task is None or (run.task.domain if run.task.domain in domains else domains[0]) != JUDGED:
        return None
    network = load_task(run)
    assert network is not None
    return cast(TaskNetwork, network.to(engine.device))
