"""A sweep checked against its system, its data and this machine: every number settled, every setting known.

Making a plan trains nothing and writes nothing, and every trial's setting is a function of the plan and the
trial's number: a plan made again after a crash proposes what the first one proposed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cluster.run import Data, Evaluation, Every, Features, Keep, Run
from data_shards.address import join
from orchestrator.errors import asked, refuse
from orchestrator.planning.checks import Checked, check
from orchestrator.planning.data import DataFacts
from orchestrator.planning.features import notes_on_rank, widths_of
from orchestrator.planning.identity import sweep_id
from orchestrator.planning.idle import idle_losses, idle_parts
from orchestrator.planning.objective import Objective
from orchestrator.planning.settings import Setting, Settings
from orchestrator.planning.sizes import Auto, Machine, Sizes, this_machine
from orchestrator.planning.stages import check_made, notes_on_stages
from orchestrator.search.reach import reached, search_notes
from orchestrator.search.space import Axis, sample, settings_of
from orchestrator.search.trials import preset_values
from orchestrator.storage import canonical
from orchestrator.sweep_file.draft import Draft
from orchestrator.sweep_file.sweep import Sweep
from orchestrator.systems.own_code import check_own
from orchestrator.task.task import TaskNetwork, notes_on
from trainers.system import System


@dataclass(frozen=True)
class Plan:
    """A sweep that can run.

    Attributes:
        id: 12 hex digits of the hash over `identity`.
        identity: dotted key -> value, for everything the id depends on.
        file: the sweep file as the user named it.
        preset: the settings of trial 0: the paper's, with the sweep's fixed values.
        axes: canonical axis name -> distribution, in the order written, of those that the fixed settings leave in force.
        points: the settings of trials 1, 2, ... of a grid; empty for a random search.
        objectives: what judges the trials, the first before all; of a single trial, what is shown for it.
        trials: how many trainings, trial 0 included.
        task: the trained task network that judges the trials, where the sweep names one.
        features: another network that judges them, tried.
        notes: what the user should know, a line each.
        written: the sweep file's mapping as it is.
    """

    id: str
    identity: Mapping[str, Any]
    file: str
    sweep: Sweep
    system: type[System]
    data: DataFacts
    sizes: Sizes
    preset: Settings
    axes: Mapping[str, Axis]
    points: tuple[Mapping[str, Setting], ...]
    objectives: Sequence[Objective]
    trials: int
    task: TaskNetwork | None
    features: Features | None
    notes: tuple[str, ...]
    written: Mapping[str, Any] = field(default_factory=dict)

    @property
    def objective(self) -> Objective:
        """What judges the trials before all."""
        return self.objectives[0]

    @property
    def searched(self) -> list[str]:
        """The settings that trials may differ in, by their names in `params`."""
        return [name for key, axis in self.axes.items() for name in settings_of(key, axis)]

    @property
    def storage(self) -> str:
        """The absolute folder or s3:// address of all sweeps."""
        return canonical(self.sweep.storage)

    @property
    def folder(self) -> str:
        """This sweep's own folder or address."""
        return join(self.storage, self.id)

    def params(self, index: int) -> dict[str, Setting]:
        """Searched setting -> value for trial `index` where nobody knows of the others: a pure function. Trial 0 is the preset.

        A group that holds different values in the preset is left out of trial 0.
        """
        if index == 0:
            return dict(preset_values(self.system, self.preset, self.axes))
        if self.points:
            return dict(self.points[index - 1])
        return dict(sample(self.axes, self.sweep.seed, index))

    def settings(self, params: Mapping[str, Setting]) -> Settings:
        """The complete settings of a trial with these values."""
        return self.preset.with_values(self.system, params)

    def run(self, index: int, params: Mapping[str, Setting]) -> Run:
        """Trial `index` with these values, complete."""
        sweep, sizes, settings = self.sweep, self.sizes, self.settings(params)
        augment, reads = sweep.data.augment, self.system.reading(self.system.Hyper(**settings.hyper))
        return Run(
            sweep=self.id,
            trial=index,
            seed=sweep.seed,
            system=sweep.system,
            code=sweep.code or "",
            hyper=dict(settings.hyper),
            weights=dict(settings.weights),
            balance=dict(settings.balance),
            data=Data(
                uri=self.data.uri,
                manifest=self.data.sha256,
                image=sweep.data.image,
                batch=sizes.batch,
                replicas=sizes.replicas,
                flip=augment.flip,
                jitter=augment.jitter,
                limit=dict(sweep.data.limit),
                balance=sweep.data.balanced,
                bad_samples=sweep.data.bad_samples,
                memory_bytes=sweep.data.cache.memory,
                cache_folder=sweep.data.cache.folder,
                cache_bytes=sweep.data.cache.limit,
                mode=sweep.data.mode,
                domains=dict(sweep.data.domains),
                classes=self.data.classes if reads.labelled or reads.label_map else (),
            ),
            steps=sweep.steps,
            every=Every(sizes.report, sizes.evaluate, sizes.checkpoint),
            workers=sweep.resources.most_workers,
            threads=sweep.resources.threads,
            precision=sizes.precision,
            layout=sweep.layout,
            compile=sweep.compile,
            graphs=sweep.graphs,
            recompute=sweep.recompute,
            exact=sweep.exact,
            on_nonfinite=sweep.on_nonfinite,
            storage=self.storage,
            least_workers=sweep.resources.least_workers,
            evaluation=Evaluation(sweep.evaluation.samples, sweep.evaluation.draws),
            keep=Keep(sweep.keep.last, sweep.keep.best, self.objective.metric, self.objective.mode),
            stall=sweep.budget.stall,
            cpu_capability=sweep.resources.cpu_capability,
            task=self.task.part if self.task else None,
            features=self.features,
        )


def make_plan(
    sweep: Sweep | Draft, file: str, *, kept: Mapping[str, Auto] | None = None, machine: Machine | None = None
) -> Plan:
    """Check `sweep`, read from `file`, against its system, its data and `machine` (default: this one).

    `kept` is `plan.sizes.autos` of the first submit of the same sweep, where there was one.

    Raises:
        Refusal: one line for each mistake, those that a draft brings along among them, in the order of the file.
    """
    draft = sweep if isinstance(sweep, Draft) else Draft(sweep)
    right = check(draft, file, machine or this_machine(), kept or {})
    image, task = right.sweep.data.image, right.task
    plan = Plan(
        id=sweep_id(right.identity),
        identity=right.identity,
        file=file,
        sweep=right.sweep,
        system=right.system,
        data=right.data,
        sizes=right.sizes,
        preset=right.preset,
        axes=right.axes,
        points=right.trials.points,
        objectives=right.objectives,
        trials=right.trials.count,
        task=task,
        features=right.features,
        notes=(*right.trials.notes, *_notes(right), *(notes_on(task, image) if task else [])),
        written=draft.written,
    )
    first = plan.run(0, plan.params(0))
    if right.sweep.code:
        refuse(asked(partial(check_own, first, plan.data.shapes(image))), file)
    if right.system.stages:
        refuse(asked(partial(check_made, first)), file)
    return plan


def _notes(right: Checked) -> list[str]:
    """What the user should know of a sweep in which nothing is wrong, a line each."""
    sweep, data, sizes = right.sweep, right.data, right.sizes
    hyper = right.system.Hyper(**right.preset.hyper)
    notes = [*data.notes, *search_notes(right.system, right.axes, hyper)]
    notes += notes_on_stages(right.system, right.preset, right.axes)
    asked_for = [*(objective.metric for objective in right.objectives), *(one.metric for one in sweep.constraints)]
    notes += notes_on_rank(asked_for, sweep.evaluation.samples, widths_of(right.features, right.task))
    notes += idle_losses(right.system, right.preset, right.axes)
    notes += idle_parts(sweep, right.trials.count, right.objectives, sizes, reached(right.axes, right.preset, "gan"))
    for domain, (_, height, width) in data.stored.items():
        if sweep.data.image > max(height, width):
            notes.append(f"domain {domain} is stored at {width} x {height} and enlarged to {sweep.data.image}")
    samples, there = (
        sweep.evaluation.samples,
        {name: count for name, count in data.validation.items() if count is not None},
    )
    if "samples" in sweep.evaluation.model_fields_set and there and samples > max(there.values()):
        counts = ", ".join(f"{name} {count}" for name, count in there.items())
        notes.append(
            f"evaluation.samples {samples} is more than there are to validate ({counts}): all of them are looked at"
        )
    return notes
