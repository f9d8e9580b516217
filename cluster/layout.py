"""Every path of a sweep, built in one place. Paths are relative to the storage, so that any store can hold a sweep."""

from __future__ import annotations

from dataclasses import dataclass

LOG = "log.jsonl"
DRIVERS = "drivers"  # beside the sweeps, so that one short listing finds them all in a remote storage
JOB = "job.json"
STAGES = "stages"  # beside the sweeps, which share them


@dataclass(frozen=True)
class SweepPaths:
    """The paths of the sweep `id` inside its storage."""

    id: str

    @property
    def log(self) -> str:
        """The sweep's append-only log in a folder: the truth about it."""
        return f"{self.id}/{LOG}"

    @property
    def segments(self) -> str:
        """Holds the log in a remote store, where nothing can be appended to."""
        return f"{self.id}/log"

    @property
    def lock(self) -> str:
        """Held by the one driver that may write the log in a folder."""
        return f"{self.id}/driver.lock"

    @property
    def claims(self) -> str:
        """Holds the claims of the drivers to a sweep in a remote store; the highest one counts."""
        return f"{DRIVERS}/{self.id}"

    @property
    def submission(self) -> str:
        """What was handed to a target last: it is there before the log is."""
        return f"{DRIVERS}/{self.id}/{JOB}"

    @property
    def stop_request(self) -> str:
        """Exists while the running trials are asked to save and end."""
        return f"{self.id}/stop-request"

    @property
    def scratch(self) -> str:
        """Tune's own files while it runs; nobody reads them again."""
        return f"{self.id}/scratch"

    @property
    def results(self) -> str:
        """One row per trial, for other tools."""
        return f"{self.id}/results.parquet"

    @property
    def best(self) -> str:
        """The best trial's networks, ready to translate."""
        return f"{self.id}/best"

    def checkpoints(self, trial: int) -> str:
        """The folder of a trial's checkpoints."""
        return f"{self.id}/trials/{trial:04d}/checkpoints"

    def micro_batches(self, trial: int) -> str:
        """Exists where a trial takes smaller batches at a time than its file says, for want of memory."""
        return f"{self.id}/trials/{trial:04d}/micro-batches.json"

    def stalls(self, trial: int) -> str:
        """The folder of what watchdogs wrote about a trial's stalled steps."""
        return f"{self.id}/trials/{trial:04d}/stalls"

    def output(self, trial: int) -> str:
        """The folder of what a trial's worker processes printed."""
        return f"{self.id}/trials/{trial:04d}/logs"

    def grid(self, trial: int, step: int) -> str:
        """The picture of an evaluation."""
        return f"{self.id}/trials/{trial:04d}/grids/step-{step:08d}.png"


def stage_paths(stage: str) -> SweepPaths:
    """The paths of a stage with this id: those of a sweep of one trial."""
    return SweepPaths(f"{STAGES}/{stage}")
