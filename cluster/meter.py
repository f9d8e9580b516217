"""The numbers of a report: terms, weights, balance, data and time, by the names that the log and every reader use."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from data_shards.counters import COUNTS, since
from trainers.compiling import seconds_spent
from trainers.engine import Engine

OF_THE_ATTEMPT = ("data/", "checkpoint/")  # how the numbers begin that count from 0 in each attempt
WAITED = "wait_seconds"


@dataclass
class Tally:
    """What an attempt counts on from, also where the run goes back and its engine is made anew.

    data: the process's counters when it began: it may have trained another run before. checkpoints: of the last committer.
    """

    data: Mapping[str, float] = field(default_factory=COUNTS.snapshot)
    checkpoints: Mapping[str, float] = field(default_factory=dict)


def of_the_run(metrics: Mapping[str, float]) -> dict[str, float]:
    """A report's numbers without those of the attempt that made it: they mean nothing in another one."""
    return {name: value for name, value in metrics.items() if not name.startswith(OF_THE_ATTEMPT)}


class Meter:
    """Names an engine's numbers, and keeps the run's time. `seconds` of training were spent in earlier attempts."""

    def __init__(self, engine: Engine, batch: int, counted: Mapping[str, float], seconds: float = 0.0) -> None:
        self._batch, self._counted, self._seconds = batch, counted, seconds
        self._since = time.monotonic()
        self._window = (engine.t, self._since)  # step and time of the last report, for the rate
        self._waited = since(counted).get(WAITED, 0.0)  # seconds for data up to the last report
        self._before, self._compiled = seconds_spent(), 0.0  # of compiling: in this process, and of it in this attempt

    def read(self, engine: Engine) -> dict[str, float]:
        """Every number at the engine's step, on rank 0; to be called on every rank. Waits for the device; the rates are those since
        the last call. Raises PeerLost."""
        now = time.monotonic()
        named = _numbers(engine) | self._compiling(engine)
        then_step, then = self._window
        if engine.t > then_step:
            named["time/images_per_second"] = (engine.t - then_step) * self._batch / max(now - then, 1e-9)
        named |= self._data(engine, now - then)
        self._window = (engine.t, now)
        named["time/images_seen"] = float(engine.t * self._batch)
        named["time/train_seconds"] = self._seconds + now - self._since
        named["resources/workers"] = float(engine.tree.workers)
        return named

    def leave_out(self, seconds: float) -> None:
        """Take `seconds` out of the window that the rate is of: an evaluation is no training."""
        self._window = (self._window[0], self._window[1] + seconds)

    def _compiling(self, engine: Engine) -> dict[str, float]:
        """How long this attempt compiled, which is left out of the rate."""
        if not engine.options.compiled:
            return {}
        spent = seconds_spent() - self._before
        self.leave_out(spent - self._compiled)
        self._compiled = spent
        return {"time/compile_seconds": spent}

    def _data(self, engine: Engine, seconds: float) -> dict[str, float]:
        """What reading has cost all workers in this attempt; how long this one waited for it, and the share of the last `seconds`
        that it did."""
        counted = since(self._counted)
        waited = counted.get(WAITED, 0.0)
        share = (waited - self._waited) / max(seconds, 1e-9)
        self._waited = waited
        workers = [json.loads(told) for told in engine.tree.gather(json.dumps(counted).encode()) or ()]
        names = dict.fromkeys(name for worker in workers for name in worker)
        total = {f"data/{name}": sum(worker.get(name, 0.0) for worker in workers) for name in names}
        total |= {f"data/{WAITED}": waited} if waited else {}
        return total | {"time/data_wait_share": share}


def _numbers(engine: Engine) -> dict[str, float]:
    """What the last step was: a pure function of the training, so the same for any number of workers."""
    means, observed, outputs = engine.ledger.means(), engine.ledger.observed(), engine.ledger.outputs()
    # A loss that is NaN is one; a term that the step did not look at has none.
    named = {f"loss/{term}": means[term] for term in engine.ledger.terms if term in observed}
    named |= {f"weight/{term}": weight for term, weight in engine.system.weights.items()}
    judged = {t: means[f"accuracy {t}"] for t in engine.ledger.terms if t in engine.ledger.carrier}
    named |= {f"balance/accuracy_{term}": seen for term, seen in judged.items()}
    named |= {f"balance/{side}_{term}": mean for (side, term), mean in outputs.items()}
    named |= {f"balance/gradient_{player}": float(norm) for player, norm in engine.ledger.norms.items()}
    named |= {f"balance/moves_{player}": float(count) for player, count in engine.moves.items()}
    if engine.options.on_nonfinite == "skip":
        named |= {f"nonfinite/skipped_{player}": float(count) for player, count in engine.skipped.items()}
    if engine.options.on_nonfinite == "rollback":
        named["nonfinite/retreats"] = float(len(engine.retreats))
    return named
