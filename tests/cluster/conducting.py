"""A sweep on nothing: a job that nobody runs, its folder, and attempts that a test drives by hand and kills."""

import copy
from dataclasses import replace

from cluster.conductor import Conductor
from cluster.job import Job
from cluster.layout import SweepPaths
from cluster.log.records import fold
from cluster.log.store import open_log, read_log
from cluster.stop import StopRequest
from data_shards.store import FolderStore

STEPS = 8
PATHS = SweepPaths("a1")


class RemoteStore(FolderStore):
    """A folder that passes for a store over the network."""

    remote = True


def make_job(**changes):
    """A search over one number on nothing: nobody runs what is handed out but the test."""

    def run(trial):
        raise AssertionError("the conductor runs nothing")

    job = Job(
        id="a1",
        name="toy",
        storage="/nowhere",
        about={},
        trials=4,
        suggest=lambda index, trials: {"weights.cyc": index / 2},
        run=run,
        metric="eval/l1",
        mode="min",
        steps=STEPS,
        schedule=None,
        workers=1,
        least_workers=1,
        cpus_per_worker=1.0,
        gpus_per_worker=0.0,
        failures=0,
        wall=None,
        pause=0.0,
    )
    return replace(job, **changes)


class Sweep:
    """A sweep's storage and the attempts at it."""

    def __init__(self, store):
        self.store = store
        self.seen = []
        self.cloned = []
        self.stop = StopRequest(FolderStore(store.root), PATHS.stop_request)
        self._log = None

    def attempt(self, clone=None, observe=None, **changes):
        """A new conductor, as after a crash of the one before."""
        self.crash()
        self._log = open_log(self.store, PATHS, driver=1)
        return Conductor(make_job(**changes), self._log, observe or self._observe, self.stop, clone or self._clone)

    def crash(self, lose_last=False):
        """The driver dies; `lose_last`: before its last record was written."""
        if self._log:
            self._log.close()
        if lose_last and self.store.remote:
            self.store.delete(self.store.list(f"{PATHS.segments}/")[-1])
        elif lose_last:
            lines = self.store.read(PATHS.log).splitlines(keepends=True)
            self.store.write(PATHS.log, b"".join(lines[:-1]))

    def logged(self):
        """What the log adds up to."""
        return fold(read_log(self.store, PATHS))

    def forget(self):
        """The log is gone."""
        for path in [*self.store.list(f"{PATHS.segments}/"), PATHS.log]:
            self.store.delete(path)

    def _clone(self, donor, trial, step, attempt):
        self.cloned.append((donor, trial, step, attempt))

    def _observe(self, state):
        assert state == self.logged(), "it is in the log before anybody hears of it"
        self.seen.append(copy.deepcopy(state))


def started(conductor):
    """Everything that is handed out now."""
    return [index for index, _ in iter(conductor.next_trial, None)]


def evaluated(conductor, index, step, value):
    return conductor.reported(index, step, {"eval/l1": value}, evaluated=True)


def crash(conductor, index, error):
    """The process of a trial's last start dies."""
    conductor.crashed(index, conductor.state.trials[index].starts, error)
