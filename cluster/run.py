"""A run: one training, complete and frozen. It is the only thing that crosses a process boundary, so it is plain JSON.

A run says nothing about where it runs except its number of workers, and its result does not depend on that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Data:
    """What a run reads: the data set, its manifest's hash (checked when opened), image side in pixels, samples a step."""

    uri: str
    manifest: str
    image: int
    batch: int
    replicas: int
    flip: bool
    jitter: float
    cache_bytes: int


@dataclass(frozen=True)
class Every:
    """Intervals in steps."""

    report: int
    evaluate: int
    checkpoint: int


@dataclass(frozen=True)
class Run:
    """One training. `weights` holds every term of the system by its canonical name; `hyper` and `balance` are complete too."""

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

    def to_json(self) -> dict[str, Any]:
        """The run as JSON-able values; `from_json` gives it back."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Run:
        """Rebuild a run from `to_json`."""
        fields = dict(values)
        fields["data"] = Data(**fields["data"])
        fields["every"] = Every(**fields["every"])
        return Run(**fields)
