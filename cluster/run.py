"""A run: one training, complete and frozen. It is the only thing that crosses a process boundary, so it is plain JSON.

A run says nothing about where it runs except its numbers of workers, and its result does not depend on those.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Data:
    """What a run reads: the data set, its manifest's hash (checked when opened), image side in pixels, samples a step.

    limit: domain -> most training samples. balance: whether classes come equally often. bad_samples: the share of a
    source that may be unreadable. memory_bytes: for decoded images in each worker. cache_folder, cache_bytes: where a
    node keeps shards of a remote store, and how much of them. mode: "indexed", or "stream" for shards without a
    manifest: then `manifest` is the hash of their listing, and `domains` says which pictures are of which domain.
    classes: the names of the samples' classes, where the run reads them.
    """

    uri: str
    manifest: str
    image: int
    batch: int
    replicas: int
    flip: bool
    jitter: float
    limit: Mapping[str, int] = field(default_factory=dict)
    balance: bool = False
    bad_samples: float = 0.001
    memory_bytes: int = 256_000_000
    cache_folder: str = ""
    cache_bytes: int = 0
    mode: str = "indexed"
    domains: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Every:
    """Intervals in steps."""

    report: int
    evaluate: int
    checkpoint: int


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation looks at: `samples` validation pictures of a domain, `draws` translations of each that vary."""

    samples: int = 128
    draws: int = 8


@dataclass(frozen=True)
class Keep:
    """Which checkpoints of a run stay: the `last` ones, and the `best` ones by `metric`, of which more or less is better."""

    last: int = 2
    best: int = 0
    metric: str = ""
    mode: str = "min"


@dataclass(frozen=True)
class Task:
    """A trained task network: the address of its folder, the sha256 of its weights (checked when they are read), its kind
    (the system that trained it), the domain whose pictures it knows, their channels, its classes and its width. label_map: of a
    segmenter, the domain of the label maps that it is held against. degrees: of a regressor, the angle of each class.
    """

    uri: str
    sha256: str
    kind: str
    domain: str
    channels: int
    classes: int
    width: int
    label_map: str = ""
    degrees: tuple[float, ...] = ()


@dataclass(frozen=True)
class Features:
    """A module whose features scores are taken in, by the `name` that they are called by: the address of its file, its sha256
    (checked when it is read), how it wants its pictures (`image` pixels a side, 0: as they are; values from `low` to `high`;
    `channels`), and what it gives: output -> columns of its rows, of maps the number of layers.
    """

    name: str
    uri: str
    sha256: str
    image: int
    low: float
    high: float
    channels: int
    gives: Mapping[str, int]


@dataclass(frozen=True)
class Run:
    """One training. `weights` holds every term of the system by its canonical name; `hyper` and `balance` are complete too.

    workers, least_workers: it runs on at most and at least so many. stall: seconds that a step may take before its worker
    is given up. cpu_capability: the instruction set of its arithmetic, "auto" for what torch finds. task: what judges its
    pictures, or one of its losses asks. features: another network that judges them. pauses: steps at which it may
    have to wait for others, and is saved for it. given: the step of the last checkpoint that another trial gave it; it must not
    begin before that. stage: which stage of the system it is, where it is one (see `cluster.stages`). code: the text of the file
    that `system` names, where it is the user's own. compile: whether torch compiles the networks, and graphs: whether a GPU
    plays them as CUDA graphs. recompute: whether their passes are computed again on the way back, which changes no bits.
    """

    sweep: str
    trial: int
    seed: int
    system: str
    hyper: Mapping[str, Any]
    weights: Mapping[str, float]
    balance: Mapping[str, Any]
    data: Data
    steps: int
    every: Every
    workers: int
    threads: int
    precision: str
    layout: str
    exact: bool
    on_nonfinite: str
    storage: str
    allow_inexact: bool = False  # whether to go on from a checkpoint that was made under other conditions
    least_workers: int = 1
    keep: Keep = field(default_factory=Keep)
    stall: float = 600.0
    cpu_capability: str = "auto"
    task: Task | None = None
    features: Features | None = None
    evaluation: Evaluation = field(default_factory=Evaluation)
    pauses: tuple[int, ...] = ()
    given: int = 0
    stage: str = ""
    code: str = ""
    compile: bool = False
    recompute: bool = False
    graphs: bool = False

    def to_json(self) -> dict[str, Any]:
        """The run as JSON-able values; `from_json` gives it back."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Run:
        """Rebuild a run from `to_json`."""
        fields = dict(values)
        data = fields["data"]
        fields["data"] = Data(**{**data, "classes": tuple(data.get("classes", ()))})
        fields["every"] = Every(**fields["every"])
        if "keep" in fields:  # checkpoints made before it was a choice do not have it
            fields["keep"] = Keep(**fields["keep"])
        if "evaluation" in fields:  # the same
            fields["evaluation"] = Evaluation(**fields["evaluation"])
        if fields.get("task") is not None:
            task = fields["task"]
            fields["task"] = Task(**{**task, "degrees": tuple(task.get("degrees", ()))})
        if fields.get("features") is not None:
            fields["features"] = Features(**fields["features"])
        fields["pauses"] = tuple(fields.get("pauses", ()))
        return Run(**fields)
