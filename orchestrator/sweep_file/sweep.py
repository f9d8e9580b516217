"""The sweep file's keys, and nothing else: their types, defaults, units and one line each on what they mean.

A Sweep is what the user wrote, checked as far as it can be without a system or data; `plan.py` does the
rest. The same models print the JSON Schema for editors, so a description here is what a user reads while
typing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from orchestrator.errors import refuse
from orchestrator.storage import DEFAULT_STORAGE
from orchestrator.sweep_file.cluster import Cluster, ClusterPart
from orchestrator.sweep_file.data import DataPart, Part
from orchestrator.sweep_file.features import Evaluation
from orchestrator.sweep_file.fields import fields_schema
from orchestrator.sweep_file.metrics import Metrics
from orchestrator.sweep_file.search import Budget, ConstraintText, Finalists, Objective, Scheduler, SchedulerPart
from orchestrator.sweep_file.stop import STOP, Stop
from orchestrator.sweep_file.values import (
    CountOrAuto,
    Cpus,
    GpusOrAuto,
    Interface,
    SearchAxis,
    Seed,
    Setting,
    Shown,
    Steps,
    Storage,
    Threads,
    Trials,
    Tries,
    Weight,
    Workers,
)
from trainers.settings import Balance

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
DEFAULT_PRESET = "default"
Settings = Annotated[dict[str, Setting], Shown(fields_schema(Balance))]


class Every(Part):
    """Intervals, in steps."""

    report: CountOrAuto = Field(
        default="auto", description="Steps between reports of the losses; auto: 100, or a tenth of few steps."
    )
    evaluate: CountOrAuto = Field(default="auto", description="Steps between evaluations; auto: a tenth of steps.")
    checkpoint: CountOrAuto = Field(default="auto", description="Steps between checkpoints; auto: a tenth of steps.")


class Keep(Part):
    """Which checkpoints of a trial stay."""

    last: Trials = Field(default=2, description="This many of the last ones: the newest may turn out damaged.")
    best: Tries = Field(default=1, description="Beside them this many of the best ones by the objective's metric.")


class Resources(Part):
    """What one trial runs on."""

    workers: Workers = Field(
        default=(1, 1),
        description="Processes of a trial, a power of two that divides `data.replicas`; [least, most]: as many as there is "
        "room for, and a single trial goes on with fewer or more as machines go and come.",
    )
    cpus_per_worker: Cpus = Field(default=1.0, description="CPUs of a worker, at least 0.001; fractions share one CPU.")
    gpus_per_worker: GpusOrAuto = Field(
        default="auto", description="GPUs of a worker; auto: 1 where the machine has enough, or 0."
    )
    threads: Threads = Field(
        default=1, description="Torch threads of a worker; part of what makes results the same to the bit."
    )
    cpu_capability: Literal["auto", "default", "avx2", "avx512"] = Field(
        default="auto",
        description="Instruction set of CPU arithmetic. auto: the newest that the processor has; avx2 leaves AVX-512 unused, "
        "so that machines with and without it compute alike; default uses neither.",
    )
    placement: Literal["pack", "spread"] = Field(
        default="pack",
        description="Workers of one trial: pack, on as few nodes as there is room on, so that gradients stay on NVLink where "
        "they can; spread, on as many. Either is a wish: where it cannot be had, the trial runs all the same.",
    )
    interface: Interface | None = Field(
        default=None,
        description="Network interface by which the workers of a trial talk to each other, such as ib0, on every node; the "
        "libraries' own choice where it is not named.",
    )

    @property
    def least_workers(self) -> int:
        """The fewest workers that a trial runs on."""
        return self.workers[0]

    @property
    def most_workers(self) -> int:
        """The most workers that a trial runs on."""
        return self.workers[1]


class Sweep(Part):
    """One sweep: a system, its data, the settings to search and how to run it."""

    name: Name = Field(
        default="sweep", description="For people: letters, digits, dots, dashes; may change at any time."
    )
    system: str = Field(
        description="The method to train; `i2i-cluster systems` lists them. FILE.py:CLASS: one of your own, in a file beside this."
    )
    preset: str = Field(
        default=DEFAULT_PRESET,
        description="Which published configuration to start from; `i2i-cluster systems NAME` lists them.",
    )
    data: DataPart = Field(description="What is read.")
    steps: Steps = Field(description="Length of a training in steps, such as 20_000 or 20k; at most 10**9.")
    seed: Seed = Field(default=0, description="Decides initial weights, order of samples, augmentation and search.")
    weights: dict[str, Weight] = Field(
        default={}, description="Loss weights by term, group or the paper's symbol; others keep the preset."
    )
    hyper: dict[str, Setting] = Field(default={}, description="Settings of the system; others stay preset.")
    balance: Settings = Field(default={}, description="How hard the critics play.")
    search: dict[str, SearchAxis] = Field(
        default={}, description="What to search: weights.X, hyper.X or balance.X with a distribution."
    )
    trials: Trials = Field(
        default=1, description="Trainings, the preset included, at most 100,000; a grid has its own number."
    )
    searcher: Literal["grid", "random", "optuna"] = Field(
        default="random",
        description="How settings are proposed: all of them, at random, or by what the trials before came to (Optuna: TPE, or "
        "NSGA-II for several objectives).",
    )
    scheduler: SchedulerPart = Field(
        default=Scheduler(),
        description="Which trials run to their end: none (all of them), asha, halving, median or pbt.",
    )
    stop: Annotated[Stop, STOP] = Field(
        default=Stop(), description="By which rules a trial is given up: none, default, or each by its name."
    )
    task: str | None = Field(
        default=None,
        description="A trained task network that judges the pictures, and that some losses ask: name, id or address of the "
        "sweep of an `i2i-cluster task train`.",
    )
    objective: Objective | None = Field(
        default=None, description="What makes one trial better than another; needed for a search."
    )
    constraints: list[ConstraintText] = Field(
        default=[], description="What a trial must keep to be named, such as eval/l1 <= 0.3."
    )
    seeds: Trials = Field(
        default=1, description="Trainings of each setting, with seeds from `seed` on; they are judged by their mean."
    )
    finalists: Finalists = Field(
        default=Finalists(), description="Who is trained again before a winner is named, with fresh seeds."
    )
    warm_start: str | None = Field(
        default=None,
        description="An earlier sweep over the same settings that the searcher learns from: its name, id or address.",
    )
    budget: Budget = Field(default=Budget(), description="What the sweep may cost.")
    every: Every = Field(default=Every(), description="Intervals, in steps.")
    evaluation: Evaluation = Field(default=Evaluation(), description="What an evaluation looks at.")
    keep: Keep = Field(default=Keep(), description="Which checkpoints stay.")
    on_nonfinite: Literal["stop", "skip", "rollback"] = Field(
        default="stop",
        description="When a loss is NaN or infinite: end the trial, skip the update, or go back to the last checkpoint that "
        "was due and on with half the learning rates.",
    )
    resources: Resources = Field(default=Resources(), description="What one trial runs on.")
    precision: Literal["auto", "fp32", "tf32", "bf16"] = Field(
        default="auto", description="Arithmetic; auto: what the device is good at."
    )
    layout: Literal["contiguous", "channels_last"] = Field(default="contiguous", description="Memory order of images.")
    compile: bool = Field(
        default=False,
        description="Compile the networks with torch: a minute at the start, once for all trials of a machine.",
    )
    graphs: bool = Field(
        default=False,
        description="Have a GPU launch a compiled network's kernels together, as CUDA graphs; asks for compile: true.",
    )
    recompute: bool = Field(
        default=False,
        description="Compute what networks made again on the way back instead of keeping it: large pictures in less memory, each "
        "step a third to a half longer, not a bit changed. No part of a sweep's identity.",
    )
    exact: bool = Field(
        default=True,
        description="Deterministic arithmetic on GPUs: a resumed run is the same to the bit. false: sums in any order, and a step "
        "that has no room in memory is taken in smaller parts.",
    )
    storage: Storage = Field(
        default=DEFAULT_STORAGE,
        description="Where logs, checkpoints and results go: a folder or s3://bucket/prefix?endpoint=...",
    )
    cluster: ClusterPart = Field(
        default=Cluster(),
        description="Where to run: local (this machine, on a Ray of its own or on the one that RAY_ADDRESS names), "
        "http://HEAD:8265 (a Ray cluster), or kubernetes: {...}.",
    )
    metrics: Metrics = Field(default=Metrics(), description="Where a Prometheus finds the sweep's metrics.")
    code: str | None = Field(
        default=None,
        description="The text of the file that `system` names; submit reads it from there, a sweep file has none.",
    )


def load_sweep(path: Path) -> Sweep:
    """Read and check the sweep file at `path`.

    Raises:
        Refusal: the file cannot be read as YAML, or its keys are not a sweep's; one line for each mistake.
    """
    from orchestrator.sweep_file.draft import load_draft  # which is made of this

    draft = load_draft(path)
    refuse(draft.found, str(path))
    return draft.sweep


def read_sweep(values: dict[str, Any], file: str) -> Sweep:
    """The sweep that `values` describe, `file` in refusals. Raises Refusal like `load_sweep`."""
    from orchestrator.sweep_file.draft import read_draft

    draft = read_draft(values)
    refuse(draft.found, file)
    return draft.sweep
