"""What a step of a system takes, by the size of its pictures: counted of the published networks, nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

from cluster.conformance import Subject
from cluster.weigh import weigh
from trainers.errors import SettingError
from trainers.system import Shapes, System

IMAGES = (64, 128, 256)  # pixels a side
# What data or a task network would decide: as of ten kinds of things, the digits for one.
DECIDED: Mapping[str, Any] = {
    "classes": 10,
    "vocabulary": 1000,
    "degrees": "0,90,180,270",
    "task_classes": 10,
    "task_width": 32,
}


@cache  # of a system nothing about it changes, and it takes a second
def costs_of(system: type[System]) -> list[dict[str, Any]]:
    """A row for each size that the system takes: samples at a time, and parameters, bytes and operations of their step."""
    return [row for image in IMAGES if (row := _cost(system, image)) is not None]


def _cost(system: type[System], image: int) -> dict[str, Any] | None:
    named = {field.name for field in fields(system.Hyper)}
    run = Subject(system.name, "", image, {key: value for key, value in DECIDED.items() if key in named}).runs()[0]
    least = system.fewest()
    run = replace(run, data=replace(run.data, batch=least, replicas=1))
    hyper = system.Hyper(**run.hyper)
    try:
        shapes = _shapes(system, hyper, image)
        system.check(shapes, hyper)
    except SettingError:
        return None
    weight = weigh(run, shapes)
    if weight is None:
        return None
    return {
        "image": image,
        "samples": least,
        "parameters": weight.parameters,
        "memory_bytes": weight.memory,
        "flops": weight.flops,
    }


def _shapes(system: type[System], hyper: object, image: int) -> Shapes:
    reads = system.reading(hyper)
    return {domain: (1 if domain == reads.label_map else 3, image, image) for domain in reads.domains}


def costs_table(costs: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The rows for people."""
    return [
        {
            "image": f"{row['image']} px",
            "samples at a time": str(row["samples"]),
            "parameters": f"{row['parameters'] / 1e6:.3g} M",
            "memory, about": f"{row['memory_bytes'] / 1e9:.2g} GB",
            "TFLOP a step": f"{row['flops'] / 1e12:.2g}",
        }
        for row in costs
    ]
