"""A run's way to its checkpoints: what it goes on from, and what is written of it while it trains on.

Every rank takes part, since image pools and quarantine lists lie with the workers that host them; rank 0 writes.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from cluster.checkpoints.committer import Committer
from cluster.checkpoints.folder import MICRO_BATCHES, Checkpoints
from cluster.conditions import check_conditions, conditions, history
from cluster.data import Batches
from cluster.provenance import provenance
from cluster.report import Place, Report, Tell
from cluster.run import Run
from trainers.checkpoint import Unpacked
from trainers.engine import Engine
from trainers.errors import NonFiniteError
from trainers.microbatches import redealt
from trainers.state import load_state, named_state

FIRST_PAUSE_S = 1.0  # before the last checkpoint is tried again


class NothingGiven(RuntimeError):
    """The run was to go on from another trial's checkpoint, and it is not there: to begin anew would be another training."""


class Saver:
    """The checkpoints of one attempt. `notices` gathers what is to be told with the next report. before: as of `Committer`.
    parts: into how many a replica's batch is dealt."""

    def __init__(
        self,
        run: Run,
        place: Place,
        engine: Engine,
        stream: Batches,
        checkpoints: Checkpoints,
        before: Mapping[str, float] | None = None,
        parts: int = 1,
    ) -> None:
        self.run, self.place, self.engine, self.stream = run, place, engine, stream
        self.parts = parts
        self.checkpoints, self.committer = checkpoints, Committer(checkpoints, before)
        self.notices: list[str] = []
        self._conditions = conditions(run, place.device)
        self._history: list[dict[str, Any]] = []  # the attempts so far, this one included
        self._pictures: dict[str, bytes] = {}  # path -> what goes with the next checkpoint

    def resume(self, upto: int | None) -> Unpacked | None:
        """Take over the newest good checkpoint, of step `upto` at most; None where the run is at its beginning."""
        found = self._find(upto)
        workers, host = self.place.workers, platform.node()
        if (found.step if found else 0) < self.run.given:
            problem = f"the checkpoint that it was given at step {self.run.given} is gone or damaged"
            raise NothingGiven(f"trial {self.run.trial} cannot go on: {problem}; run `i2i-cluster checkpoints verify`")
        if found is None:
            self._history = history([], 0, workers, host, [])
            return None
        others = check_conditions(
            found.about.get("conditions", {}), self._conditions, found.step, self.run.allow_inexact
        )
        before = found.about.get(MICRO_BATCHES, 1)
        if before != self.parts:
            others = [*others, f"{MICRO_BATCHES} {before}, now {self.parts}"]
        self._history = history(found.about.get("history", []), found.step, workers, host, others)
        load_state(self.engine, redealt(found.state, before, self.parts, self.engine.pools))
        self.stream.restore(found.about.get("stream", []))
        return found

    def commit(self, metrics: Mapping[str, float], evaluation: Mapping[str, float], evaluated: bool) -> None:
        """Hand the state after this step to be written, unless the last one still is: nobody holds two of them.

        Raises NonFiniteError where a weight is not finite.
        """
        bad = [name for name, p in self.engine.system.named_parameters() if not torch.isfinite(p).all()]
        if bad:  # the losses and gradients of the step may all have been finite
            raise NonFiniteError(self.engine.t - 1, [f"weights of {name}" for name in bad])
        if self.engine.tree.agree(float(self.committer.busy)):
            self.committer.leave_out()
            return
        streams = self.engine.tree.gather(json.dumps(self.stream.state()).encode())
        state = named_state(self.engine)
        if state is None or streams is None:
            return
        about: dict[str, Any] = {
            "run": self.run.to_json(),
            "train_seconds": metrics["time/train_seconds"],
            "evaluation": dict(evaluation),
            "evaluated_at": self.engine.t if evaluated else None,
            "metrics": {name: value for name, value in metrics.items() if np.isfinite(value)},
            "stream": [json.loads(one) for one in streams],
            "conditions": self._conditions,
            "history": self._history,
            "provenance": provenance(),
            **({MICRO_BATCHES: self.parts} if self.parts > 1 else {}),
            "shapes": {domain: list(shape) for domain, shape in self.engine.shapes.items()},
        }
        score = metrics.get(self.run.keep.metric) if evaluated else None
        if self.committer.commit(state, self.engine.t, about, score, self._pictures):
            self._pictures = {}

    def add_picture(self, path: str, picture: bytes) -> None:
        """A picture of an evaluation, to be written with the next checkpoint."""
        self._pictures[path] = picture

    def commit_last(
        self, metrics: Mapping[str, float], evaluation: Mapping[str, float], evaluated: bool, tell: Tell
    ) -> bool:
        """Save the run as it ends or waits for others, and wait until it is on its place. Says whether it is: a finished or
        waiting run tries until it is or until `tell` (on every rank) says that its failures are enough; an interrupted one has
        its earlier checkpoints.
        """
        pause, finished = FIRST_PAUSE_S, self.engine.t == self.run.steps or self.engine.t in self.run.pauses
        self.committer.wait()
        while True:
            self.commit(metrics, evaluation, evaluated)
            self.committer.wait()
            failures = self.committer.take_failures()
            if not self.engine.tree.agree(float(bool(failures))):
                return True
            if not tell(Report(self.engine.t, failures=failures)):
                return False
            if not finished:
                return True
            time.sleep(pause)
            pause = min(2 * pause, 30.0)

    def _find(self, upto: int | None) -> Unpacked | None:
        """Rank 0 chooses: workers that looked each for themselves might see different ones."""
        tree = self.engine.tree
        if self.place.rank == 0:
            begun = self.checkpoints.begin(upto)
            self.notices += [f"damaged checkpoint passed over: {text}" for text in begun.damaged]
            found = begun.unpacked
            tree.agree(float(found.step if found else -1))
            tree.agree(float(begun.attempt))
            return found
        step, attempt = int(tree.agree(0.0)), int(tree.agree(0.0))
        return None if step < 0 else self.checkpoints.load(step, attempt)
