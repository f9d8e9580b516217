"""`train(run, place, report)`: the one way a run is trained, on one worker or on many, in a Tune actor or a Train group.

The order at a due step is: evaluate, commit the checkpoint (which holds the evaluation), then report. So whatever was
reported can be found again, and a report lost with the driver is given once more by the resumed run.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cluster.checkpoints import Checkpoints
from cluster.conditions import check_conditions, conditions, history
from cluster.data import Batches, Indexed, Plain, open_data
from cluster.layout import SweepPaths
from cluster.provenance import provenance
from cluster.run import Run
from data_shards.counters import COUNTS, since
from data_shards.store import open_store
from trainers import randomness
from trainers.engine import Engine, Options
from trainers.errors import NonFiniteError
from trainers.evaluation import evaluate
from trainers.grid import draw_grid
from trainers.settings import Balance, effective
from trainers.state import load_state, named_state
from trainers.system import Shapes, System
from trainers.systems.catalog import SYSTEMS
from trainers.tree import Tree

EVALUATED_SAMPLES = 128  # validation pictures a domain, the same ones in every evaluation


@dataclass(frozen=True)
class Place:
    """Where this process stands in its run: its rank among the workers, and its device."""

    rank: int = 0
    workers: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class Report:
    """What a run tells at a step. `outcome` is set on the last one: done, interrupted,
    failed, or halted (by data or a store that do not serve: the sweep ends, and may go on once they do)."""

    step: int
    metrics: Mapping[str, float]
    evaluated: bool = False
    outcome: str | None = None
    error: str | None = None


Tell = Callable[[Report], bool]  # returns whether to go on


def train(run: Run, place: Place, report: Tell, stop_asked: Callable[[], bool]) -> None:
    """Train `run` from its newest checkpoint to its end, or until `report` says no, or a stop is asked for.

    Called by every worker; only rank 0 reports, evaluates to pictures and commits. Raises OSError where storage fails.
    """
    with _process_settings(run):
        data = open_data(run)
        with data.stream(place.rank, place.workers) as stream:
            engine = build_engine(run, data.shapes(), stream, place)
            _Training(run, place, report, stop_asked, engine, data, stream).go()


def build_system(run: Run, shapes: Shapes) -> System:
    """The run's system with its initial weights, drawn on the CPU from the run's seed."""
    kind = SYSTEMS[run.system]
    hyper = kind.Hyper(**run.hyper)
    weights = effective([term for term in kind.terms if term.exists(hyper)], run.weights)
    torch.default_generator.manual_seed(randomness.key(run.seed, "weights"))
    return kind.build(hyper, shapes, weights, run.steps)


def build_engine(run: Run, shapes: Shapes, stream: Batches, place: Place) -> Engine:
    """The engine at step 0."""
    tree = Tree(run.data.replicas, place.rank, place.workers, run.exact)
    device = torch.device(place.device)
    return Engine(build_system(run, shapes), stream.read, shapes, tree, engine_options(run), device)


def engine_options(run: Run) -> Options:
    """How the run computes."""
    ema = float(run.hyper.get("ema", 0.0))
    return Options(run.seed, run.precision, run.layout, run.on_nonfinite, ema, Balance(**run.balance))


class _Training:
    """The loop and what it remembers between steps; nothing here outlives the process except through checkpoints."""

    def __init__(
        self,
        run: Run,
        place: Place,
        report: Tell,
        stop_asked: Callable[[], bool],
        engine: Engine,
        data: Indexed | Plain,
        stream: Batches,
    ) -> None:
        self.run, self.place, self.engine, self.stream = run, place, engine, stream
        self._report, self._stop_asked = report, stop_asked
        self.store = open_store(run.storage)
        self.paths = SweepPaths(run.sweep)
        self.checkpoints = Checkpoints(self.store, self.paths.checkpoints(run.trial))
        self.samples = data.samples(EVALUATED_SAMPLES)
        self.license = data.license  # pictures made from the data carry its attribution
        self.evaluation: dict[str, float] = {}
        self.seconds = 0.0  # of training, over all attempts
        self._since = time.monotonic()
        self._window = (0, self._since)  # step and time of the last report, for the rate
        self._counted = COUNTS.snapshot()  # a process may have trained another run before
        self._waited = 0.0  # seconds for data up to the last report
        self._conditions = conditions(run, place.device)
        self._history: list[dict[str, Any]] = []  # the attempts so far, this one included

    def go(self) -> None:
        """Resume, train to the end, report."""
        if not self._resume():
            return
        self._window = (self.engine.t, time.monotonic())
        every = self.run.every
        while self.engine.t < self.run.steps:
            due = self.engine.t + 1
            try:
                looked_at = any(self._due(n, due) for n in (every.report, every.evaluate, every.checkpoint))
                self.engine.step(report=looked_at)
                if looked_at:
                    self.engine.settle()
                if not self._after_step():
                    return
            except NonFiniteError as error:
                self._tell(Report(self.engine.t, {}, outcome="failed", error=str(error)))
                return

    def _resume(self) -> bool:
        """Take over the newest checkpoint. Says whether there is anything left to do."""
        found = self.checkpoints.newest()
        workers, host = self.place.workers, platform.node()
        if found is None:
            self._history = history([], 0, workers, host, [])
            return True
        others = check_conditions(
            found.about.get("conditions", {}), self._conditions, found.step, self.run.allow_inexact
        )
        self._history = history(found.about.get("history", []), found.step, workers, host, others)
        load_state(self.engine, found.state)
        self.stream.restore(found.about.get("stream", []))
        self.seconds = float(found.about["train_seconds"])
        self.evaluation = dict(found.about["evaluation"])
        finished = self.engine.t >= self.run.steps
        if found.about["evaluated_at"] == self.engine.t:
            # The driver may have died before it logged this evaluation: say it again.
            again = Report(self.engine.t, found.about["metrics"], True, "done" if finished else None)
            return self._tell(again) and not finished
        return not finished

    def _after_step(self) -> bool:
        """Evaluate, commit and report what is due after a step. Says whether to go on."""
        t, every = self.engine.t, self.run.every
        last = t == self.run.steps
        stopping = self._asked_to_stop(t)
        evaluating = self._due(every.evaluate, t)
        if not (evaluating or stopping or self._due(every.checkpoint, t) or self._due(every.report, t)):
            return True
        metrics = self._metrics()
        if evaluating:
            metrics |= self._evaluate()
        if evaluating or stopping or self._due(every.checkpoint, t):
            self._commit(metrics, evaluating)
        outcome = "done" if last else "interrupted" if stopping else None
        return self._tell(Report(t, metrics, evaluating, outcome)) and not (last or stopping)

    def _due(self, interval: int, t: int) -> bool:
        return t % interval == 0 or t == self.run.steps

    def _asked_to_stop(self, t: int) -> bool:
        """Whether to save and end here; all workers come to the same answer, so those of a group look only now and then."""
        if self.place.workers == 1:
            return self._stop_asked()
        if not self._due(self.run.every.report, t):
            return False
        return bool(self.engine.tree.agree(float(self.place.rank == 0 and self._stop_asked())))

    def _tell(self, report: Report) -> bool:
        """Report from rank 0; every worker learns whether to go on."""
        go_on = self._report(report) if self.place.rank == 0 else True
        return bool(self.engine.tree.agree(float(go_on)))

    def _metrics(self) -> dict[str, float]:
        """Terms, weights, balance and time at this step."""
        engine, now = self.engine, time.monotonic()
        means = engine.ledger.means()
        named = {f"loss/{term}": means[term] for term in engine.ledger.terms}
        named |= {f"weight/{term}": weight for term, weight in engine.system.weights.items()}
        judged = {t: means[f"accuracy {t}"] for t in engine.ledger.terms if t in engine.ledger.carrier}
        named |= {f"balance/accuracy_{term}": seen for term, seen in judged.items()}
        named |= {f"balance/gradient_{player}": float(norm) for player, norm in engine.ledger.norms.items()}
        named |= {f"balance/moves_{player}": float(count) for player, count in engine.moves.items()}
        then_step, then = self._window
        if engine.t > then_step:
            named["time/images_per_second"] = (engine.t - then_step) * self.run.data.batch / max(now - then, 1e-9)
        named |= self._data_metrics(now - then)
        self._window = (engine.t, now)
        named["time/images_seen"] = float(engine.t * self.run.data.batch)
        named["time/train_seconds"] = self.seconds + now - self._since
        return named

    def _data_metrics(self, seconds: float) -> dict[str, float]:
        """What reading has cost this worker in this attempt; the share of the last `seconds` spent waiting for it."""
        counted = since(self._counted)
        waited = counted.get("wait_seconds", 0.0)
        share = (waited - self._waited) / max(seconds, 1e-9)
        self._waited = waited
        return {f"data/{name}": value for name, value in counted.items()} | {"time/data_wait_share": share}

    def _evaluate(self) -> dict[str, float]:
        """Score the validation samples; rank 0 writes the picture."""
        started = time.monotonic()
        self.evaluation, stages = evaluate(self.engine, self.samples)
        t = self.engine.t
        if self.place.rank == 0:
            title = f"{self.run.system}, trial {self.run.trial}, step {t}"
            self.store.write(self.paths.grid(self.run.trial, t), draw_grid(stages, title, self.license))
        spent = time.monotonic() - started
        self._window = (self._window[0], self._window[1] + spent)  # an evaluation is no training
        return {**self.evaluation, "time/evaluate_seconds": spent}

    def _commit(self, metrics: Mapping[str, float], evaluated: bool) -> None:
        bad = [name for name, p in self.engine.system.named_parameters() if not torch.isfinite(p).all()]
        if bad:  # the step's own flags are a step late
            raise NonFiniteError(self.engine.t, [f"weights of {name}" for name in bad])
        streams = self.engine.tree.gather(json.dumps(self.stream.state()).encode())
        state = named_state(self.engine)
        if state is None or streams is None:
            return
        about: dict[str, Any] = {
            "run": self.run.to_json(),
            "train_seconds": metrics["time/train_seconds"],
            "evaluation": self.evaluation,
            "evaluated_at": self.engine.t if evaluated else None,
            "metrics": {name: value for name, value in metrics.items() if np.isfinite(value)},
            "stream": [json.loads(one) for one in streams],
            "conditions": self._conditions,
            "history": self._history,
            "provenance": provenance(),
            "shapes": {domain: list(shape) for domain, shape in self.engine.shapes.items()},
        }
        self.checkpoints.save(state, self.engine.t, about)


@contextmanager
def _process_settings(run: Run) -> Iterator[None]:
    """Threads and determinism for this run; a reused actor must not inherit the last trial's."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with a fixed workspace
    threads = torch.get_num_threads()
    torch.set_num_threads(run.threads)
    torch.use_deterministic_algorithms(run.exact)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a help in debugging that costs 3 % of a step
    torch.backends.cuda.matmul.allow_tf32 = run.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = run.precision == "tf32"
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)
