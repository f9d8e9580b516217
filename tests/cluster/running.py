"""A driver that lives and dies: it runs what a conductor hands out, on nothing, and is killed after any record."""

import hashlib
import json
import os

from cluster.conductor import Conductor
from tests.cluster.conducting import STEPS

EVERY = 2


def value(trial, step):
    """What a trial scores: by its values and its seed alone."""
    text = json.dumps([trial.params, trial.seed, step]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") / 2**32


class Disk:
    """A disk that takes no time: of each file it has what was in it when it was last synced."""

    def __init__(self, monkeypatch):
        self.sizes, self.syncs, self.full = {}, 0, False
        monkeypatch.setattr("os.fsync", self._sync)

    def _sync(self, handle):
        if self.full:
            raise OSError("input/output error")
        stat = os.fstat(handle)
        self.sizes[stat.st_ino] = stat.st_size
        self.syncs += 1

    def holds(self, path):
        """The bytes of a file that a power cut would leave."""
        return path.read_bytes()[: self.sizes.get(path.stat().st_ino, 0)]


class Runner:
    """Runs what a conductor hands out, two at a time, and dies after its `dies_at`-th record.

    between: whether a trial also reports, and saves, between its evaluations.
    """

    conductor: Conductor

    def __init__(self, sweep, dies_at=None, between=False, **job):
        self.sweep, self.job, self.between = sweep, job, between
        self.steps = {}  # trial -> where its checkpoint is
        self.attempt(dies_at)

    def attempt(self, dies_at=None):
        """A driver's life."""
        self.left, self.seen = dies_at, set()
        try:
            self.conductor = self.sweep.attempt(clone=self._clone, observe=self._observe, **self.job)
            self._run()
            self.conductor.close()
        except InterruptedError:
            return False
        return True

    def _observe(self, state):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise InterruptedError

    def _clone(self, donor, trial, step, attempt):
        assert self.steps[donor] == step, "a donor stands still until its checkpoint is given"
        assert attempt == self.sweep.logged().trials[trial].starts + 1
        self.steps[trial] = step

    def _run(self):
        running: list[int] = []
        while True:
            while len(running) < 2 and (found := self.conductor.next_trial()) is not None:
                assert not out(self.conductor.state.trials, found[0]), "its setting is out: it is not worth a start"
                running.append(found[0])
                self.seen.discard(found[0])
            if not running:
                assert self.conductor.is_finished(), "nothing runs and nothing is handed out: a deadlock"
                return
            running = [index for index in running if self._advance(index)]

    def _advance(self, index):
        """A trial trains on to its next report; says whether it still runs."""
        trial, step = self.conductor.state.trials[index], self.steps.get(index, 0)
        says_again = index not in self.seen and step and not step % EVERY  # that was started again: its last evaluation
        self.seen.add(index)
        if not says_again:
            step += 1 if self.between else EVERY
        self.steps[index] = step
        assert trial.state == "running" or self.job.get("seeds", 1) > 1, "only another seed of it ends who runs"
        evaluated = not step % EVERY
        verdict = self.conductor.reported(index, step, {"eval/l1": value(trial, step)} if evaluated else {}, evaluated)
        if verdict == "continue" and step == STEPS:
            self.conductor.ended(index, "done", None)
        return verdict == "continue" and step < STEPS


def out(trials, index):
    """The other seeds of a trial's setting because of which it is not to run: those that a scheduler stopped, and before it was
    started once also those that a rule did."""
    own = trials[index]
    stopped = [trial for trial in trials.values() if trial.state == "stopped" and trial.finalist == own.finalist]
    return [one for one in stopped if one.setting == own.setting and (one.by == "asha" or own.starts == 1)]


def outcome(sweep):
    """What became of each trial."""
    state = sweep.logged()
    return {
        i: (t.params, t.seed, t.setting, t.state, t.step, t.metrics, t.lineage, t.by, t.finalist)
        for i, t in state.trials.items()
    }


def halve(params, number, trial):
    return {"weights.cyc": params["weights.cyc"] / 2 + number + trial}
