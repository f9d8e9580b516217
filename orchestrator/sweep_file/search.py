"""The parts of a sweep file that say how settings are searched: objective, scheduler, finalists, budget."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, model_validator

from orchestrator.errors import show
from orchestrator.sweep_file.data import Part
from orchestrator.sweep_file.quantities import single_problem
from orchestrator.sweep_file.values import (
    Amount,
    CountOrAuto,
    Factor,
    Half,
    PartShare,
    Reduction,
    Seconds,
    Share,
    Stall,
    Trials,
    Tries,
)

CONSTRAINT = re.compile(
    r"\s*(?P<metric>\S.*?)\s*(?P<sign><=|>=)\s*(?P<bound>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
)


class Constraint(NamedTuple):
    """What a trial must keep to be named: `metric` at most (`<=`) or at least (`>=`) `bound`."""

    metric: str
    sign: str
    bound: float

    def violation(self, value: float) -> float:
        """How far `value` is on the wrong side; 0 or less where it is kept, infinite where there is no value."""
        if math.isnan(value):
            return math.inf
        return value - self.bound if self.sign == "<=" else self.bound - value

    def __str__(self) -> str:
        short = f"{self.bound:g}"
        return f"{self.metric} {self.sign} {short if float(short) == self.bound else repr(self.bound)}"


def read_constraint(value: object) -> Constraint:
    """The constraint that a sweep file or a log spells; `str` gives it back. ValueError, one clause, for anything else."""
    match = CONSTRAINT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be a score, <= or >=, and a number, such as eval/l1 <= 0.3, not {show(value)}")
    if problem := single_problem(float(match["bound"])):
        raise ValueError(f"the bound {problem}, not {match['bound']}")
    return Constraint(match["metric"], match["sign"], float(match["bound"]))


ConstraintText = Annotated[
    Constraint, PlainValidator(read_constraint, json_schema_input_type=str), PlainSerializer(str, return_type=str)
]


class Objective(Part):
    """What makes one trial better than another."""

    metric: str = Field(description="An evaluation score (eval/...), or loss/<term> that no searched weight acts on.")
    mode: Literal["auto", "min", "max"] = Field(
        default="auto", description="Whether less or more is better; auto: as the score says."
    )
    also: list[str] = Field(
        default=[],
        description="Further scores to be good at: the sweep then ends with a Pareto front instead of one winner.",
    )

    @model_validator(mode="before")
    @classmethod
    def _is_mapping(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(f"must be a mapping, such as {{metric: {value or 'eval/l1'}}}, not {show(value)}")
        return value


class Asha(Part):
    """Stop the worse trials early (asynchronous successive halving)."""

    grace: Share = Field(default=0.15, description="Share of `steps`, above 0 and at most 1, that every trial may run.")
    reduction: Reduction = Field(
        default=3.0, description="About one trial in this many goes on at each decision; at least 1.1."
    )


class Halving(Part):
    """The same in step: trials wait for one another, so that the result does not depend on who was faster."""

    grace: Share = Field(default=0.15, description="Share of `steps`, above 0 and at most 1, that every trial may run.")
    reduction: Reduction = Field(default=3.0, description="One trial in this many goes on at each rung; at least 1.1.")
    bracket: CountOrAuto = Field(
        default="auto",
        description="Trials that are compared with one another; auto: all of them, or 6 for a searcher that learns from one "
        "bracket for the next.",
    )


class Median(Part):
    """Stop what is worse than the median of the others at the same step."""

    grace: Share = Field(default=0.15, description="Share of `steps`, above 0 and at most 1, that every trial may run.")
    least: Trials = Field(default=3, description="Others that must have come as far before anything is stopped.")


class PBT(Part):
    """Population based training: the worst go on from the checkpoints of the best, with their values perturbed."""

    every: Share = Field(default=0.1, description="Share of `steps` between two exchanges.")
    quantile: Half = Field(
        default=0.25, description="Share of the trials that are replaced, at most 0.5; at least one."
    )
    factor: Factor = Field(default=1.2, description="A value is multiplied or divided by this; above 1, at most 10.")
    resample: PartShare = Field(default=0.25, description="Probability that a value is drawn anew instead.")


class Scheduler(Part):
    """Which trials run to their end; one of these."""

    asha: Asha | None = Field(default=None, description="Stop the worse trials early, without waiting for anybody.")
    halving: Halving | None = Field(
        default=None, description="Stop the worse trials early, in step: the same every time."
    )
    median: Median | None = Field(default=None, description="Stop what is worse than the median.")
    pbt: PBT | None = Field(default=None, description="Stop nobody: replace the worst by the best.")


SCHEDULERS = ("none", *Scheduler.model_fields)


def _scheduler(value: object) -> object:
    """`none`, `asha` and the others by their bare names, for the mapping they stand for."""
    if value == "none":
        return {}
    if isinstance(value, str) and value in Scheduler.model_fields:
        return {value: {}}
    if not isinstance(value, dict) or not value:
        names = ", ".join(SCHEDULERS)
        raise ValueError(
            f"must be one of {names}, or such as {{asha: {{grace: 0.15, reduction: 3}}}}, not {show(value)}"
        )
    if len(value) > 1:
        raise ValueError(f"must be one scheduler, not {' and '.join(map(str, value))}")
    return {name: {} if part is None else part for name, part in value.items()}  # `asha:` with nothing behind it


SchedulerPart = Annotated[
    Scheduler,
    BeforeValidator(_scheduler, json_schema_input_type=Scheduler | Literal["none", "asha", "halving", "median", "pbt"]),
]


class Finalists(Part):
    """Who is trained again before a winner is named, with seeds that the search has not seen."""

    settings: Tries = Field(default=0, description="This many of the best settings, and the preset; 0: nobody.")
    seeds: Trials = Field(default=3, description="Seeds of each.")


class Budget(Part):
    """What the sweep may cost. Where one is spent the running trials save and end; a raised one goes on."""

    failures: Tries = Field(
        default=3,
        description="Failures of all kinds that a trial may have and go on: a worker or node that died, a stalled step, a "
        "checkpoint that could not be written. A machine that was announced to go (preemption) is none.",
    )
    stall: Stall = Field(
        default=600.0,
        description="A step that takes longer, such as 10m, is given up, told with its stack, and tried again.",
    )
    wall: Seconds | None = Field(
        default=None, description="Time for one submit, such as 6h or 1h30m; then trials save and end. Empty: no limit."
    )
    gpu_hours: Amount | None = Field(default=None, description="GPUs times hours over all submits. Empty: no limit.")
    cpu_hours: Amount | None = Field(default=None, description="The same of CPUs.")
    cost: Amount | None = Field(
        default=None, description="Money over all submits, by `price_per_gpu_hour`. Empty: no limit."
    )
    price_per_gpu_hour: Amount | None = Field(default=None, description="What one GPU costs for an hour.")


def named(scheduler: Scheduler) -> str:
    """The name of the one that is set, or none."""
    chosen: dict[str, Any] = {name: getattr(scheduler, name) for name in Scheduler.model_fields}
    return next((name for name, part in chosen.items() if part is not None), "none")
