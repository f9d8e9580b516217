"""Sweeps that join a running Ray: it starts once for all of them, and each is compared with what it comes to without any Ray."""

from collections.abc import Iterable
from pathlib import Path

from cluster.layout import SweepPaths
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import load_sweep
from tests.beds import Raylets
from tests.chaos.calm import Calm, calm
from tests.chaos.sweeps import Sweep
from tests.integration.spec import SPEC

END_S = 300.0  # of any of these sweeps: 10 to 40 where the machine is idle
CPUS = 2.0
USUAL = {"steps": 40, "trials": 2, "evaluate": 20}


class Joined(Sweep):
    """A small sweep on a Ray that others may use as well. `template` with `values` and the `more` keys is its file; its storage is
    `runs` in its folder, unless it is another."""

    def __init__(
        self,
        bed: Raylets,
        folder: Path,
        shards: object,
        more: str = "",
        *,
        storage: str = "",
        template: str = SPEC,
        **values: int,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, dict(bed.env), storage or str(folder / "runs"))
        self._text = f'{template.format(shards=shards, **USUAL | values)}storage: "{self.storage}"\n'
        self.write_more(more)

    def write_more(self, more: str) -> None:
        """The sweep file, anew, with other keys beside those of the template."""
        (self.folder / "sweep.yaml").write_text(self._text + more)

    def run(self, *command: object) -> int:
        """A command that drives the sweep, to its end; the exit code."""
        self.start(*command)
        return self.end(END_S)

    def alone(self) -> Calm:
        """What it comes to by itself, without Ray."""
        return calm((self.folder / "sweep.yaml").read_text(), self.folder / "alone")

    def all_trained(self) -> dict[int, str]:
        """The digest of each trial's training state."""
        return {index: self.trained(index) for index in self.state().trials}

    def put_in_the_way(self, trials: Iterable[int]) -> dict[int, Path]:
        """A file for each of these trials where the folder of its checkpoints has to be: trial -> that file."""
        plan = make_plan(load_sweep(self.folder / "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=CPUS, gpus=0))
        places = {trial: Path(self.storage, SweepPaths(plan.id).checkpoints(trial)) for trial in trials}
        for place in places.values():
            place.parent.mkdir(parents=True)
            place.write_text("not a folder")
        return places
