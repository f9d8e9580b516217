"""What a sweep would take in all: time, CPU-hours or GPU-hours, and money, from what one step takes.

That is, the first of these that is known: what the user says, what trainings of the same sweep took, or what a step takes here.
Where trials need GPUs and this machine has none, nobody knows here, and nothing is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cluster.estimate import Estimate, measure, measure_on_gpu, weighed
from cluster.log.records import SweepState
from cluster.memory import free_memory
from orchestrator.planning.plan import Plan
from orchestrator.planning.stages import stages_of
from orchestrator.search.view import trainings
from orchestrator.sweep_file.quantities import duration_text, size_text

MOST_PIXELS = 5 * 10**8  # of a batch in one domain; beyond this not even one step could be waited for
HOUR = 3600.0

Measured = Estimate | str | None  # what a step costs, or why nobody knows, or None for a question not asked


def estimate_of(plan: Plan, before: SweepState | None = None, step_seconds: float | None = None) -> Measured:
    """What a step of the preset costs; a note instead where a step is too large for this machine.

    before: the sweep's state, where it was submitted before. step_seconds: what the user says that a step of a trial takes.
    """
    side, sizes = plan.sweep.data.image, plan.sizes
    if side**2 * sizes.batch > MOST_PIXELS:
        return f"no estimate: a step on {sizes.batch} pictures of {side} x {side} pixels is too much to try here"
    run, shapes = plan.run(0, plan.params(0)), plan.data.shapes(side)
    try:
        if (known := _known(before, step_seconds)) is not None:
            seconds, basis = known
            workers = plan.sweep.resources.most_workers
            return replace(weighed(run, shapes), seconds_per_step=seconds * workers, basis=basis)
        if sizes.gpus_per_worker:
            return measure_on_gpu(run, shapes)
        return measure(run, shapes, free_memory() // 2)
    except (MemoryError, RuntimeError) as error:  # torch says RuntimeError for memory it cannot have
        reason = str(error).strip() or "not enough memory"
        return f"no estimate: a step could not be taken here: {reason.splitlines()[0]}"


def describe_estimate(plan: Plan, found: Estimate) -> dict[str, Any]:
    """What the whole sweep takes if no trial is stopped early, as JSON-able values; None for what is not known here.

    `seconds_per_step`: of a trial, with all its workers. `memory_bytes`: what a worker's step takes, about. `stages`: name ->
    steps of what comes before a training, which is not in any of this.
    """
    hyper = plan.system.Hyper(**plan.preset.hyper)
    told: dict[str, Any] = dict.fromkeys(("seconds_per_step", "seconds", "cpu_hours", "gpu_hours", "cost"))
    if found.seconds_per_step is not None:
        resources, sizes = plan.sweep.resources, plan.sizes
        workers, concurrency = resources.most_workers, max(1, sizes.concurrency)
        training = plan.sweep.steps * found.seconds_per_step / workers
        hours = trainings(plan) * training * workers / HOUR
        price = plan.sweep.budget.price_per_gpu_hour
        told |= {
            "seconds_per_step": found.seconds_per_step / workers,
            "seconds": -(-trainings(plan) // concurrency) * training,
            "cpu_hours": hours * resources.cpus_per_worker,
            "gpu_hours": hours * sizes.gpus_per_worker,
            "cost": None if price is None else hours * sizes.gpus_per_worker * price,
        }
    return told | {
        "parameters": found.parameters,
        "checkpoint_bytes": found.state_bytes,
        "memory_bytes": found.memory_bytes,
        "basis": found.basis,
        "stages": {stage.name: stage.steps(hyper) for stage in stages_of(plan.system, plan.preset)},
    }


def estimate_text(told: Mapping[str, Any] | None) -> str:
    """The same in a line; empty where nothing is known."""
    if told is None:
        return ""
    weight = f"{told['parameters'] / 1e6:.3g} M parameters, {size_text(told['checkpoint_bytes'])} a checkpoint"
    if told["seconds"] is None:
        return f"of time, hours and money: not known from here; {weight}"
    whole = duration_text(max(1.0, round(told["seconds"])))
    step = f"{told['seconds_per_step']:.3g} s a step ({told['basis']})"
    before = "".join(f", without the {steps} steps of stage {name}" for name, steps in told["stages"].items())
    return f"about {whole} of training if no trial is stopped, at {step}{before}; {weight}"


def hours_text(told: Mapping[str, Any] | None) -> str:
    """Hours and money, such as "12.5 GPU-hours, 25 by budget.price_per_gpu_hour"; empty where nobody knows."""
    if told is None or told["cpu_hours"] is None:
        return ""
    kind = "gpu_hours" if told["gpu_hours"] else "cpu_hours"
    parts = [f"about {told[kind]:.3g} {'GPU' if kind == 'gpu_hours' else 'CPU'}-hours"]
    if told["cost"]:  # of GPUs alone
        parts.append(f"{told['cost']:.3g} by budget.price_per_gpu_hour")
    return ", ".join(parts)


def _known(before: SweepState | None, step_seconds: float | None) -> tuple[float, str] | None:
    """Seconds of a trial's step, and how that is known without trying; None where it is not."""
    if step_seconds is not None:
        return step_seconds, "by --step-seconds"
    ended = [trial for trial in before.trials.values() if trial.step and trial.seconds] if before else []
    steps = sum(trial.step for trial in ended)
    if not steps:
        return None
    return sum(trial.seconds for trial in ended) / steps, f"as {len(ended)} of its trainings took where they ran"
