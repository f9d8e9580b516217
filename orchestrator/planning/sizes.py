"""How a training is cut up (batch, replicas, workers, intervals) and how many of them fit on this machine.

`auto` becomes a number here and nowhere else. What it became is part of the result's definition, so a sweep
that was submitted before brings its values along in `kept` and gets them back, whatever this machine would
say today.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.processor import lacking
from cluster.schedulers.halving import rungs
from cluster.targets.target import Node
from orchestrator.errors import Refusal
from orchestrator.sweep_file.search import named
from orchestrator.sweep_file.sweep import Sweep
from trainers.system import System

Auto = int | float | str
LEARNING_BRACKET = 6  # settings of a bracket where the searcher learns from one for the next
USUAL_REPORT = 100  # steps between reports, where a training is long enough


@dataclass(frozen=True)
class Machine:
    """What this machine, or a cluster, offers: CPUs (fractional in a container) and GPUs. name: for people.

    nodes: what each node has; of one machine, or where nobody knows, none. lacks: "bf16" or "compile" -> what its CPUs have none
    of, in words; nothing where nobody knows.
    """

    cpus: float
    gpus: int
    name: str = "this machine"
    nodes: tuple[Node, ...] = ()
    lacks: Mapping[str, str] = field(default_factory=dict)

    def places(self, cpus: float, gpus: float) -> int:
        """How many workers that take so much run at a time. One is never split between nodes."""
        held = self.nodes or (Node(self.cpus, self.gpus),)
        return sum(_places(node, cpus, gpus) for node in held)


def _places(node: Node, cpus: float, gpus: float) -> int:
    room = node.cpus / cpus
    if gpus:
        room = min(room, node.gpus / gpus)
    return math.floor(room + 1e-9)  # 2 CPUs hold 20 trials of 0.1


BOUNDLESS = Machine(1e9, 10**9)  # where nobody knows, and nothing hangs on it


@dataclass(frozen=True)
class Sizes:
    """Every size of a training as a number, and `concurrency`: how many trials run at a time.

    `autos` holds what `auto` became, by its dotted key.
    """

    batch: int
    replicas: int
    report: int
    evaluate: int
    checkpoint: int
    precision: str
    gpus_per_worker: float
    concurrency: int
    autos: Mapping[str, Auto]


def this_machine() -> Machine:
    """The CPUs that this process may use, and the GPUs that its container was given."""
    cpus = float(len(os.sched_getaffinity(0)))
    limit = Path("/sys/fs/cgroup/cpu.max")
    if limit.exists():
        quota, period = limit.read_text().split()
        if quota != "max":
            cpus = min(cpus, int(quota) / int(period))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = list(Path("/dev").glob("nvidia[0-9]*"))
    chosen = len([name for name in visible.split(",") if name.strip()]) if visible is not None else len(devices)
    return Machine(cpus, min(chosen, len(devices)), lacks=lacking())


def find_sizes(
    sweep: Sweep, system: type[System] | None, machine: Machine, kept: Mapping[str, Auto]
) -> tuple[Sizes, list[Refusal]]:
    """The sizes of the sweep's trainings, and everything wrong with them; system: None where nobody knows which.

    `kept`: dotted key -> what `auto` became when the sweep was first submitted.
    """
    autos: dict[str, Auto] = {}

    def settle(key: str, written: Any, default: Auto) -> Any:
        if written == "auto":
            autos[key] = kept.get(key, default)
        return autos.get(key, written)

    workers, every, tenth = sweep.resources.most_workers, sweep.every, max(1, sweep.steps // 10)
    replicas = settle("data.replicas", sweep.data.replicas, workers)
    gpus = sweep.resources.gpus_per_worker
    if gpus == "auto":  # not kept: a resume takes what its machine has
        gpus = autos["resources.gpus_per_worker"] = float(machine.gpus >= workers)
    sizes = Sizes(
        batch=settle("data.batch", sweep.data.batch, replicas * (system.fewest() if system else 1)),
        replicas=replicas,
        report=settle("every.report", every.report, min(USUAL_REPORT, tenth)),
        evaluate=settle("every.evaluate", every.evaluate, tenth),
        checkpoint=settle("every.checkpoint", every.checkpoint, tenth),
        precision=settle("precision", sweep.precision, "tf32" if gpus else "fp32"),
        gpus_per_worker=gpus,
        concurrency=_concurrency(sweep, machine, gpus),
        autos=autos,
    )
    found = [
        *_check_split(sweep, system, sizes),
        *_check_intervals(sweep, sizes),
        *_check_room(sweep, machine, sizes),
    ]
    found += _check_compile(sweep, machine, gpus)
    return sizes, [*found, *([] if gpus else _check_precision(sweep, machine))]


def pauses(sweep: Sweep) -> tuple[int, ...]:
    """The steps at which trials wait for one another, and are evaluated."""
    steps = sweep.steps
    if halving := sweep.scheduler.halving:
        return rungs(math.ceil(halving.grace * steps), halving.reduction, steps)
    if pbt := sweep.scheduler.pbt:
        every = math.ceil(pbt.every * steps)
        return tuple(range(every, steps, every))
    return ()


def bracket(sweep: Sweep, trials: int) -> int:
    """How many settings halving compares with one another; 0 without it. trials: of them all."""
    halving = sweep.scheduler.halving
    if halving is None:
        return 0
    usual = min(LEARNING_BRACKET, trials) if sweep.searcher == "optuna" else trials
    return usual if halving.bracket == "auto" else halving.bracket


def _check_split(sweep: Sweep, system: type[System] | None, sizes: Sizes) -> list[Refusal]:
    workers, replicas, batch = sweep.resources.most_workers, sizes.replicas, sizes.batch
    if replicas % workers:  # both are powers of two: more workers than replicas
        problem = f"{workers} workers cannot share {replicas} replicas; at most {replicas}, or data.replicas: {workers}"
        return [Refusal(problem, path="resources.workers", value=workers, rests=["data.replicas"])]
    problem = bad_batch(batch, replicas, system)
    rests = ["data.replicas", *(["resources.workers"] if sweep.data.replicas == "auto" else [])]
    return [Refusal(problem, path="data.batch", value=batch, rests=rests)] if problem else []


def bad_batch(batch: int, replicas: int, system: type[System] | None) -> str:
    """Why the replicas cannot share a batch; empty if they can."""
    if batch % replicas:
        below = batch - batch % replicas
        near = f"{below} or {below + replicas}" if below else str(replicas)
        return f"a batch of {batch} cannot be shared by {replicas} replicas; nearest: {near}"
    if system and system.even and batch // replicas % 2:
        problem = f"{system.name} splits each of {replicas} replicas in two halves, so the batch is a multiple of"
        return f"{problem} {2 * replicas}, not {batch}"
    if system and batch // replicas < system.fewest():
        least = system.fewest()
        problem = f"{system.name} needs {least} samples in each of {replicas} replicas, so at least {least * replicas}"
        return f"{problem}, not {batch}"
    return ""


def _check_intervals(sweep: Sweep, sizes: Sizes) -> list[Refusal]:
    intervals = {"report": sizes.report, "evaluate": sizes.evaluate, "checkpoint": sizes.checkpoint}
    found = []
    for key, every in intervals.items():
        if every > sweep.steps:
            problem = f"{every} is more than the {sweep.steps} steps of a training"
            found.append(Refusal(problem, path=f"every.{key}", value=every, rests=["steps"]))
    scheduler = sweep.scheduler.asha or sweep.scheduler.median
    if scheduler and not found:
        first = math.ceil(scheduler.grace * sweep.steps / sizes.evaluate) * sizes.evaluate
        if first >= sweep.steps:
            who = named(sweep.scheduler)
            problem = f"{who} decides at evaluations from step {math.ceil(scheduler.grace * sweep.steps)} on; every"
            problem += f" {sizes.evaluate} of {sweep.steps} steps leaves none before the end"
            rests = ["steps", "scheduler"]
            found.append(Refusal(problem, path="every.evaluate", value=sizes.evaluate, rests=rests))
    return found


def _check_precision(sweep: Sweep, machine: Machine) -> list[Refusal]:
    """What CPUs have no arithmetic for."""
    wanted, rests = sweep.precision, ["resources"]
    if wanted == "tf32":
        return [Refusal("tf32 needs a GPU, and the workers have none", path="precision", value=wanted, rests=rests)]
    if wanted != "bf16":
        return []
    if "bf16" in machine.lacks:
        problem = f"bf16 needs a GPU or a CPU that multiplies in it, and {machine.name} has {machine.lacks[wanted]}"
        problem += "; nearest: fp32"
        return [Refusal(problem, path="precision", value=wanted, rests=rests)]
    if (capability := sweep.resources.cpu_capability) != "auto":
        problem = f"bf16 needs resources.cpu_capability: auto; {capability} leaves the CPU's bf16 units out"
        return [Refusal(problem, path="precision", value=wanted, rests=rests)]
    return []


def _check_compile(sweep: Sweep, machine: Machine, gpus: float) -> list[Refusal]:
    """What nobody can make kernels with, or launch them."""
    if sweep.graphs and not sweep.compile:
        return [Refusal("CUDA graphs are of compiled networks; add compile: true", path="graphs", value=True)]
    if sweep.graphs and not gpus:
        problem = "CUDA graphs need a GPU, and the workers have none"
        return [Refusal(problem, path="graphs", value=True, rests=["resources"])]
    if sweep.compile and sweep.recompute:
        problem = (
            "compiled networks decide themselves what they keep and what they compute again; leave one of the two out"
        )
        return [Refusal(problem, path="recompute", value=True, rests=["compile"])]
    if not sweep.compile or "compile" not in machine.lacks:
        return []
    problem = f"torch compiles with a C++ compiler, and {machine.name} has {machine.lacks['compile']}"
    return [Refusal(problem, path="compile", value=True, rests=["resources"])]


def _check_room(sweep: Sweep, machine: Machine, sizes: Sizes) -> list[Refusal]:
    """A trial that never fits would wait for ever."""
    wanted, workers, rests = sweep.resources, sweep.resources.least_workers, ["resources.workers"]
    cpus, gpus = workers * wanted.cpus_per_worker, workers * sizes.gpus_per_worker
    if cpus > machine.cpus:
        problem = f"{workers} x {wanted.cpus_per_worker:g} CPUs are more than {machine.name}'s {machine.cpus:g}"
        fit = math.floor(1000 * machine.cpus / workers) / 1000
        problem += f"; lower resources.workers, or cpus_per_worker to {fit:g}"
        return [Refusal(problem, path="resources.cpus_per_worker", value=wanted.cpus_per_worker, rests=rests)]
    if gpus > machine.gpus:
        problem = f"{workers} x {sizes.gpus_per_worker:g} GPUs are more than {machine.name}'s {machine.gpus}"
        return [Refusal(problem, path="resources.gpus_per_worker", value=sizes.gpus_per_worker, rests=rests)]
    if machine.places(wanted.cpus_per_worker, sizes.gpus_per_worker) < workers:
        return [_no_node(machine, workers, wanted.cpus_per_worker, sizes.gpus_per_worker, rests)]
    return []


def _held(cpus: float, gpus: float) -> str:
    """Such as "1 CPU", or "8 CPUs and 2 GPUs"."""
    counts = [(cpus, "CPU"), *([(gpus, "GPU")] if gpus else [])]
    return " and ".join(f"{count:g} {kind}{'' if count == 1 else 's'}" for count, kind in counts)


def _no_node(machine: Machine, workers: int, cpus: float, gpus: float, rests: list[str]) -> Refusal:
    """Why a trial has no place where all nodes together would have enough."""
    if not machine.places(cpus, 0.0):
        gpus = 0.0  # not what it lacks
    path, value = ("resources.gpus_per_worker", gpus) if gpus else ("resources.cpus_per_worker", cpus)
    each = _held(cpus, gpus)
    there = machine.places(cpus, gpus)
    if there:
        problem = f"{workers} workers of {each} find places for {there} on the nodes of {machine.name}; lower"
        return Refusal(f"{problem} resources.workers", path=path, value=value, rests=rests)
    largest = max(machine.nodes, key=lambda node: (node.gpus, node.cpus) if gpus else (node.cpus, 0.0))
    has = _held(largest.cpus, largest.gpus if gpus else 0.0)
    problem = f"no node of {machine.name} holds a worker of {each}: the largest has {has}; a worker is never split"
    return Refusal(f"{problem}, several workers are", path=path, value=value, rests=rests)


def _concurrency(sweep: Sweep, machine: Machine, gpus_per_worker: float) -> int:
    return machine.places(sweep.resources.cpus_per_worker, gpus_per_worker) // sweep.resources.least_workers
