"""Into how many parts a trial's replicas take their batches since a step of it had no room, kept beside its checkpoints."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cluster.layout import SweepPaths
from cluster.run import Run
from data_shards.errors import DataError
from data_shards.store import Store, open_store


@dataclass(frozen=True)
class MicroBatches:
    """Those of a run. Every attempt goes by them, wherever it runs; an exact run has none."""

    run: Run
    store: Store
    path: str

    @staticmethod
    def of(run: Run) -> MicroBatches:
        """Where they are kept."""
        return MicroBatches(run, open_store(run.storage), SweepPaths(run.sweep).micro_batches(run.trial))

    def read(self) -> tuple[int, str]:
        """How many parts, 1 where nothing was ever too large, and why. Raises DataError where the file is damaged, or of a run with
        other batches."""
        if self.run.exact or not self.store.exists(self.path):
            return 1, ""
        place = f"{self.store.uri}/{self.path}"
        try:
            told = json.loads(self.store.read(self.path))
            parts, why = told["parts"], str(told["why"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{place} is damaged: delete it, and the trial begins with whole batches again") from error
        each = self.run.data.batch // self.run.data.replicas
        if type(parts) is not int or parts < 1 or parts & (parts - 1) or each % parts:
            mend = "delete it, and the trial begins with whole batches again"
            raise DataError(f"{place} asks for {parts!r} parts of {each} samples, which there are not: {mend}")
        return parts, why

    def write(self, parts: int, why: str) -> None:
        """From the next attempt on."""
        self.store.write(self.path, json.dumps({"parts": parts, "why": why}).encode())
