"""A sweep checked against its system, its data and this machine: every number settled, every setting known.

Making a plan trains nothing and writes nothing, and every trial's setting is a function of the plan and the
trial's number: a plan made again after a crash proposes what the first one proposed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.run import Data, Evaluation, Every, Keep, Run
from data_shards.address import join
from orchestrator.data import DataFacts, check_cache, check_counts, check_shapes, read_data
from orchestrator.errors import Refusal, nearest, refuse, show
from orchestrator.identity import identity_of, sweep_id
from orchestrator.objective import Objective, find_objective
from orchestrator.plain_data import check_mode, read_plain
from orchestrator.settings import Setting, Settings, canonical_axes, check_classes, check_settings, preset
from orchestrator.sizes import Auto, Machine, Sizes, find_sizes, this_machine
from orchestrator.space import Axis, Choice, grid, sample
from orchestrator.storage import canonical, check_storage
from orchestrator.sweep import Sweep
from orchestrator.task import TaskNetwork, check_needs, check_task, find_task, judged, notes_on
from trainers.settings import Reads
from trainers.system import System
from trainers.systems.catalog import SYSTEMS

MOST_CHECKED = 1_000  # of the search's hyper settings: enough to meet every choice, quick for any number of trials


@dataclass(frozen=True)
class Plan:
    """A sweep that can run.

    Attributes:
        id: 12 hex digits of the hash over `identity`.
        identity: dotted key -> value, for everything the id depends on.
        file: the sweep file as the user named it.
        preset: the settings of trial 0: the paper's, with the sweep's fixed values.
        axes: canonical axis name -> distribution, in the order written.
        points: the settings of trials 1, 2, ... of a grid; empty for a random search.
        objective: what judges the trials; of a single trial, what is shown for it.
        trials: how many trainings, trial 0 included.
        task: the trained task network that judges the trials, where the sweep names one.
        notes: what the user should know, a line each.
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
    objective: Objective
    trials: int
    task: TaskNetwork | None
    notes: tuple[str, ...]

    @property
    def storage(self) -> str:
        """The absolute folder or s3:// address of all sweeps."""
        return canonical(self.sweep.storage)

    @property
    def folder(self) -> str:
        """This sweep's own folder or address."""
        return join(self.storage, self.id)

    def params(self, index: int) -> dict[str, Setting]:
        """Axis name -> value for trial `index`: a pure function. Trial 0 is the preset, named on each axis.

        An axis whose group holds different values in the preset is left out of trial 0.
        """
        if index == 0:
            values = {axis: self.preset.value(self.system, axis) for axis in self.axes}
            return {axis: value for axis, value in values.items() if value is not None}
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
            system=self.system.name,
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
                classes=self.data.classes if reads.labelled else (),
            ),
            steps=sweep.steps,
            every=Every(sizes.report, sizes.evaluate, sizes.checkpoint),
            workers=sweep.resources.most_workers,
            threads=sweep.resources.threads,
            precision=sizes.precision,
            layout=sweep.layout,
            exact=sweep.exact,
            on_nonfinite=sweep.on_nonfinite,
            storage=self.storage,
            least_workers=sweep.resources.least_workers,
            evaluation=Evaluation(sweep.evaluation.samples, sweep.evaluation.draws),
            keep=Keep(sweep.keep.last, sweep.keep.best, self.objective.metric, self.objective.mode),
            stall=sweep.budget.stall,
            cpu_capability=sweep.resources.cpu_capability,
            task=self.task.part if self.task else None,
        )


def make_plan(
    sweep: Sweep, file: str, *, kept: Mapping[str, Auto] | None = None, machine: Machine | None = None
) -> Plan:
    """Check `sweep`, read from `file`, against its system, its data and `machine` (default: this one).

    `kept` is `plan.sizes.autos` of the first submit of the same sweep, where there was one.

    Raises:
        Refusal: one line for each mistake.
    """
    if sweep.system not in SYSTEMS:
        near = nearest(sweep.system, SYSTEMS)
        problem = f"unknown system {show(sweep.system)}"
        raise Refusal(problem, file=file, path="system", value=sweep.system, nearest=near, has=SYSTEMS)
    system = SYSTEMS[sweep.system]
    found = check_settings(system, sweep)
    reads = system.reads if found else system.reading(system.Hyper(**preset(system, sweep).hyper))
    sizes, misfits = find_sizes(sweep, system, machine or this_machine(), kept or {})
    found += [*misfits, *check_mode(sweep.data)]
    data, task = None, None
    try:
        data = _read(sweep, system, reads)
    except Refusal as refusal:
        found.append(refusal)
    try:
        task = find_task(sweep.task, sweep.storage) if sweep.task is not None else None
    except Refusal as refusal:
        found.append(refusal)
    refuse(found, file)
    assert data is not None
    try:
        return _checked_plan(sweep, file, system, data, task, sizes)
    except Refusal as refusal:
        refusal.file = file
        raise


def _read(sweep: Sweep, system: type[System], reads: Reads) -> DataFacts:
    data = sweep.data
    if data.mode == "stream":
        return read_plain(data, system, reads)
    return read_data(data.uri, system, data.limit, reads=reads, balanced=data.balanced)


def _checked_plan(
    sweep: Sweep, file: str, system: type[System], data: DataFacts, task: TaskNetwork | None, sizes: Sizes
) -> Plan:
    """The plan of a sweep whose names, data and sizes are right alone; Refusal where they do not fit together."""
    base, axes = preset(system, sweep).with_classes(len(data.classes)), canonical_axes(system, sweep)
    if task is not None:
        base = base.with_task(task.width)
        check_task(task, data, base.hyper)
    hyper = system.Hyper(**base.hyper)
    reads, shapes = system.reading(hyper), data.shapes(sweep.data.image)
    check_classes(base, reads, data)
    check_cache(data, sweep.data.cache.limit)
    check_counts(data, reads, sweep.data.limit, sizes.batch)
    check_shapes(system, shapes, hyper, searched=False)
    check_needs(system, hyper, task)
    objective = find_objective(system, sweep, axes, data, hyper, judged(task, data) if task else "")
    points, trials, notes = _trials(sweep, system, base, axes)
    identity = identity_of(sweep, data.sha256, task.sha256 if task else "")
    check_storage(sweep.storage, sweep_id(identity))
    plan = Plan(
        id=sweep_id(identity),
        identity=identity,
        file=file,
        sweep=sweep,
        system=system,
        data=data,
        sizes=sizes,
        preset=base,
        axes=axes,
        points=points,
        objective=objective,
        trials=trials,
        task=task,
        notes=(*notes, *_notes(sweep, data, sizes), *(notes_on(task, sweep.data.image) if task else [])),
    )
    for params in _hyper_params(plan):  # a choice may fit alone and not beside another one
        hyper = system.Hyper(**plan.settings(params).hyper)
        check_shapes(system, shapes, hyper, searched=True)
        check_needs(system, hyper, task)
    return plan


def _hyper_params(plan: Plan) -> list[dict[str, Setting]]:
    """The first MOST_CHECKED different values that the trials have on the searched axes of `hyper`."""
    axes = {name: axis for name, axis in plan.axes.items() if name.startswith("hyper.")}
    different: dict[str, dict[str, Setting]] = {}
    most = min(
        MOST_CHECKED, math.prod(len(a.options) if isinstance(a, Choice) else MOST_CHECKED for a in axes.values())
    )
    if not axes:
        return []
    for index in range(1, plan.trials):
        # Drawn for these axes alone: a draw depends on its own axis, and every other one would only cost time.
        point = plan.points[index - 1] if plan.points else sample(axes, plan.sweep.seed, index)
        params = {name: point[name] for name in axes}
        different.setdefault(repr(params), params)
        if len(different) == most:
            break
    return list(different.values())


def _trials(
    sweep: Sweep, system: type[System], base: Settings, axes: Mapping[str, Axis]
) -> tuple[tuple[Mapping[str, Setting], ...], int, list[str]]:
    """A grid's points, the number of trials, and notes. Raises Refusal where the search makes no sense."""
    if not axes:
        if sweep.trials > 1:
            problem = f"{sweep.trials} trials without a search would be the same training {sweep.trials} times"
            raise Refusal(problem + "; add a search, or leave trials out", path="trials", value=sweep.trials)
        return (), 1, []
    if sweep.searcher == "random":
        if sweep.trials < 2:
            raise Refusal(
                "a search needs at least 2 trials: the first is the preset", path="trials", value=sweep.trials
            )
        settings = math.prod(len(a.options) if isinstance(a, Choice) else math.inf for a in axes.values())
        repeats = settings < sweep.trials - 1
        note = f"there are only {settings} settings to draw from, so some trials repeat others; a grid does not"
        return (), sweep.trials, [note] if repeats else []
    choices = {}
    for (key, axis), name in zip(sweep.search.items(), axes, strict=True):
        if not isinstance(axis, Choice):
            problem = f"a grid takes choices, not {axis}; list the values with choice, or use searcher: random"
            raise Refusal(problem, path=f"search.{key}")
        choices[name] = axis
    try:
        combinations = grid(choices)
    except ValueError as error:
        raise Refusal(str(error), path="search") from error
    held = {name: base.value(system, name) for name in choices}  # None, so no point's, where a group's terms differ
    points = tuple(point for point in combinations if point != held)
    notes = [] if len(points) == len(combinations) else ["the grid's point that equals the preset is trial 0"]
    if "trials" in sweep.model_fields_set and sweep.trials != len(points) + 1:
        notes.append(f"a grid ignores trials: {sweep.trials}; it has {len(points) + 1} with the preset")
    return points, len(points) + 1, notes


def _notes(sweep: Sweep, data: DataFacts, sizes: Sizes) -> list[str]:
    notes = list(data.notes)
    for domain, (_, height, width) in data.stored.items():
        if sweep.data.image > max(height, width):
            notes.append(f"domain {domain} is stored at {width} x {height} and enlarged to {sweep.data.image}")
    if sweep.scheduler.asha and not sweep.search:
        notes.append("the scheduler has nothing to stop: trial 0 always runs to its end")
    if sizes.precision == "bf16" and not sizes.gpus_per_worker:
        notes.append("bf16 on a CPU without bf16 units is many times slower than fp32")
    return notes
