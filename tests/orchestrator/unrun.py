"""Sweeps that nobody ran: their logs, trial by trial, for tests of what readers make of them."""

import json

from cluster.layout import SweepPaths
from cluster.log.records import VERSION, SweepState
from data_shards.store import FolderStore
from orchestrator.finding import FoundSweep

ID, STEPS = "0123456789ab", 400
L1 = {"metric": "eval/l1", "mode": "min"}
SSIM = {"metric": "eval/ssim", "mode": "max"}


class Log:
    """Of a sweep over `weights.cyc`; `about` replaces what it says of itself."""

    def __init__(self, sweep=ID, **about):
        base = {"objective": L1, "steps": STEPS, "trials": 1, "axes": {"weights.cyc": "log-uniform from 1 to 30"}}
        self.records = [{"kind": "opened", "id": sweep, "name": "toy", "attempt": 1, "about": {**base, **about}}]

    def trial(self, values, state="done", **more):
        """A training with these evaluations: step -> eval/l1 or all metrics; of a list every 100 steps.

        more: params, setting, seed, finalist as suggested; by, why, error of its end.
        """
        index = sum(record["kind"] == "suggested" for record in self.records)
        told = {key: more.pop(key) for key in ("setting", "seed", "finalist") if key in more}
        params = more.pop("params", {"weights.cyc": 10.0 + told.get("setting", index)})
        self._add("suggested", trial=index, params=params, **told)
        if state != "pending":
            self._add("started", trial=index, attempt=1)
        steps = values if isinstance(values, dict) else {100 * n: value for n, value in enumerate(values, 1)}
        for step, value in steps.items():
            metrics = {**(value if isinstance(value, dict) else {"eval/l1": value}), "time/train_seconds": step / 10}
            self._add("reported", trial=index, step=step, metrics=metrics, evaluated=True)
        if state in ("done", "stopped", "failed"):
            self._add("ended", trial=index, state=state, error=more.pop("error", None), **more)
        return self

    def seeds(self, setting, values, state="done", first=0, **more):
        """Trainings of one setting with seeds from `first` on, each evaluated at the last step alone."""
        for number, value in enumerate(values):
            self.trial({STEPS: value}, state, setting=setting, seed=first + number, **more)
        return self

    def clone(self, trial, donor, step, **params):
        """A trial goes on from another's checkpoint."""
        decision = {"trial": trial, "action": "clone", "donor": donor, "params": params}
        self._add("settled", step=step, by="pbt", decisions=[decision])
        self._add("started", trial=trial, attempt=1)
        return self

    def evaluated(self, trial, step, value, state=None):
        """One evaluation more of a trial that ran already, and its end."""
        self._add("reported", trial=trial, step=step, metrics={"eval/l1": value}, evaluated=True)
        if state:
            self._add("ended", trial=trial, state=state, error=None)
        return self

    def closed(self, state="done", reason=None):
        self._add("closed", state=state, reason=reason)
        return self

    def _add(self, kind, **fields):
        self.records.append({"kind": kind, **fields})

    @property
    def state(self):
        found = SweepState()
        for record in self.records:
            found.apply(record)
        return found

    def found(self, folder):
        """The sweep in a storage, without its log."""
        return FoundSweep(FolderStore(folder), self.state)

    def store(self, folder):
        """Put the log into a folder; returns the storage."""
        lines = [json.dumps({"v": VERSION, "at": 1000.0 + n, **record}) for n, record in enumerate(self.records)]
        store = FolderStore(folder)
        store.write(SweepPaths(self.records[0]["id"]).log, ("\n".join(lines) + "\n").encode())
        return store
