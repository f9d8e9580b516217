"""What a sweep comes to that nobody disturbs: its own conductor and its own trainings, one after another, in this process.

There is no Ray in it, no other process and no clock: what a real sweep comes to as well, on however many workers, in whatever
storage and in whatever company, depends on none of them.
"""

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cluster.checkpoints.cloning import clone
from cluster.checkpoints.folder import Checkpoints
from cluster.conductor import Conductor
from cluster.layout import SweepPaths
from cluster.log.driver import driving
from cluster.log.records import STOP, SweepState, TrialState, read_records
from cluster.log.store import open_log, read_log
from cluster.report import Place, Report
from cluster.stop import StopRequest
from cluster.training import train
from data_shards.store import open_store
from orchestrator.job import make_job
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import load_sweep
from trainers.state import digest


@dataclass(frozen=True)
class Calm:
    """How such a sweep ended: by its log, of so many records, and the digest of each trial's last checkpoint."""

    state: SweepState
    records: int
    digests: dict[int, str]


def calm(text: str, folder: Path) -> Calm:
    """Run the sweep file `text` to its end, whatever storage it names; `folder` is made for it."""
    folder.mkdir(parents=True)
    file = folder / "sweep.yaml"
    kept = [line for line in text.splitlines() if not line.startswith(("storage:", "resources:"))]
    file.write_text("\n".join([*kept, f'storage: "{folder}/runs"\n']))
    plan = make_plan(load_sweep(file), "sweep.yaml", machine=Machine(cpus=64, gpus=0))
    job, store, paths = make_job(plan), open_store(plan.storage), SweepPaths(plan.id)
    with driving(store, paths) as driver, closing(open_log(store, paths, driver)) as log:
        stop = StopRequest(store, paths.stop_request)
        conductor = Conductor(job, log, lambda state: None, stop, partial(clone, store, paths))
        while (found := conductor.next_trial()) is not None:
            trial = conductor.state.trials[found[0]]
            train(job.run(trial), Place(attempt=trial.starts), partial(_tell, conductor, trial), lambda: None)
        assert conductor.close() == "done"
    newest = {index: Checkpoints(store, paths.checkpoints(index)).newest() for index in conductor.state.trials}
    records = len(list(read_records(read_log(store, paths))))
    return Calm(conductor.state, records, {index: digest(one.state) for index, one in newest.items() if one})


def _tell(conductor: Conductor, trial: TrialState, report: Report) -> bool:
    if report.metrics and conductor.reported(trial.index, report.step, report.metrics, report.evaluated) == STOP:
        return False
    if report.outcome:
        conductor.ended(trial.index, report.outcome, report.error)
    return True


def scores(trial: TrialState) -> list[tuple[int, dict[str, float]]]:
    """What a trial was evaluated as, step by step: all that does not tell the time, or where it ran."""
    return [
        (step, {name: one for name, one in found.items() if name.startswith(("eval/", "loss/", "weight/"))})
        for step, found in trial.history
    ]


def came_to(state: SweepState) -> dict[int, object]:
    """All that each trial came to: its values, where it ended and why, its scores, and whose checkpoints it took over."""
    return {
        index: (t.params, t.seed, t.setting, t.state, t.by, t.step, t.lineage, scores(t))
        for index, t in state.trials.items()
    }
