"""A folder with a sweep file, in which commands are given, and a fake target."""

import json

from cluster.layout import SweepPaths
from cluster.log.driver import driving
from cluster.log.store import open_log
from cluster.submission import read_submission
from cluster.targets.target import JobState
from data_shards.store import open_store
from orchestrator.job import about
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.draft import read_draft

PLACE = "http://127.0.0.1:8265"


class Desk:
    def __init__(self, folder, shards, monkeypatch, fake, run):
        monkeypatch.chdir(folder)
        monkeypatch.setattr("time.sleep", self._wait)
        self.values = {
            "name": "toy",
            "system": "cyclegan",
            "data": {"uri": str(shards), "image": 64},
            "steps": 10,
            "storage": str(folder / "runs"),
            "cluster": PLACE,
            "resources": {"cpus_per_worker": 0.5},
        }
        self.fake, self.run, self.file = fake, run, folder / "sweep.yaml"
        fake.place = PLACE
        self.coming = []
        self.write()

    def write(self, **more):
        self.values |= more
        self.file.write_text(json.dumps(self.values))

    def then(self, *happens):
        """What happens while a command waits, one at each wait."""
        self.coming += happens

    def _wait(self, seconds):
        assert self.coming, "it waits, and nothing is to come"
        self.coming.pop(0)()

    @property
    def plan(self):
        return make_plan(read_draft(self.values), "sweep.yaml", machine=Machine(4, 0))

    @property
    def store(self):
        return open_store(self.plan.storage)

    @property
    def record(self):
        return read_submission(self.store, SweepPaths(self.plan.id))

    def submit(self, *options):
        return self.run("submit", "sweep.yaml", *options)

    def drive(self, state="done"):
        """What a driver does: it takes up the sweep, runs its trial, and lets go."""
        plan, paths = self.plan, SweepPaths(self.plan.id)
        with driving(self.store, paths) as driver:
            log = open_log(self.store, paths, driver)
            log.append("opened", id=plan.id, name="toy", attempt=log.state.attempt + 1, about=about(plan))
            if not log.state.trials:
                log.append("suggested", trial=0, params={})
            log.append("started", trial=0, attempt=log.state.trials[0].starts + 1)
            if state == "done":
                log.append("ended", trial=0, state="done", error=None)
            log.append("closed", state=state)
            log.close()
        self.fake.become(JobState.done)
