"""The numbers of a report: terms, weights, balance, data and time, by the names that the log and every reader use."""

from __future__ import annotations

import time

from data_shards.counters import COUNTS, since
from trainers.engine import Engine


class Meter:
    """Names an engine's numbers, and keeps the run's time. `seconds` of training were spent in earlier attempts."""

    def __init__(self, engine: Engine, batch: int, seconds: float = 0.0) -> None:
        self._batch, self._seconds = batch, seconds
        self._since = time.monotonic()
        self._window = (engine.t, self._since)  # step and time of the last report, for the rate
        self._counted = COUNTS.snapshot()  # a process may have trained another run before
        self._waited = 0.0  # seconds for data up to the last report

    def read(self, engine: Engine) -> dict[str, float]:
        """Every number at the engine's step. Waits for the device; the rates are those since the last call."""
        now = time.monotonic()
        named = _numbers(engine)
        then_step, then = self._window
        if engine.t > then_step:
            named["time/images_per_second"] = (engine.t - then_step) * self._batch / max(now - then, 1e-9)
        named |= self._data(now - then)
        self._window = (engine.t, now)
        named["time/images_seen"] = float(engine.t * self._batch)
        named["time/train_seconds"] = self._seconds + now - self._since
        named["resources/workers"] = float(engine.tree.workers)
        return named

    def leave_out(self, seconds: float) -> None:
        """Take `seconds` out of the window that the rate is of: an evaluation is no training."""
        self._window = (self._window[0], self._window[1] + seconds)

    def _data(self, seconds: float) -> dict[str, float]:
        """What reading has cost this worker in this attempt; the share of the last `seconds` spent waiting for it."""
        counted = since(self._counted)
        waited = counted.get("wait_seconds", 0.0)
        share = (waited - self._waited) / max(seconds, 1e-9)
        self._waited = waited
        return {f"data/{name}": value for name, value in counted.items()} | {"time/data_wait_share": share}


def _numbers(engine: Engine) -> dict[str, float]:
    """What the last step was: a pure function of the training, so the same for any number of workers."""
    means = engine.ledger.means()
    named = {f"loss/{term}": means[term] for term in engine.ledger.terms}
    named |= {f"weight/{term}": weight for term, weight in engine.system.weights.items()}
    judged = {t: means[f"accuracy {t}"] for t in engine.ledger.terms if t in engine.ledger.carrier}
    named |= {f"balance/accuracy_{term}": seen for term, seen in judged.items()}
    named |= {f"balance/gradient_{player}": float(norm) for player, norm in engine.ledger.norms.items()}
    named |= {f"balance/moves_{player}": float(count) for player, count in engine.moves.items()}
    return named
