"""The systems and what each declares, for `i2i-cluster systems`: read from the declarations, repeated nowhere."""

from __future__ import annotations

import dataclasses
from typing import Any

from rich.console import Console

from orchestrator.errors import Refusal, nearest, show
from orchestrator.tables import facts, table
from trainers.settings import SCORES, Balance, aliases
from trainers.system import System
from trainers.systems.catalog import SYSTEMS


def describe_systems() -> list[dict[str, Any]]:
    """Every system in full, as JSON-able values."""
    return [_describe(system) for system in SYSTEMS.values()]


def find_system(name: str) -> dict[str, Any]:
    """One system in full, as JSON-able values. Raises Refusal for an unknown name."""
    if name not in SYSTEMS:
        raise Refusal(f"unknown system {show(name)}", value=name, nearest=nearest(name, SYSTEMS), has=SYSTEMS)
    return _describe(SYSTEMS[name])


def print_systems(console: Console) -> None:
    """Print a line for each system."""
    rows = [
        {
            "system": system["name"],
            "data": "pairs" if system["paired"] else "unpaired",
            "weights": [term["term"] for term in system["terms"]],
            "citation": system["citation"],
        }
        for system in describe_systems()
    ]
    console.print(table("Systems", rows))


def print_system(system: dict[str, Any], console: Console) -> None:
    """Print one system, given as `find_system` does: its losses, their names, its settings."""
    pairs = "pairs of" if system["paired"] else "unpaired pictures of"
    console.print(
        facts(
            {
                "system": system["name"],
                "title": system["title"],
                "citation": system["citation"],
                "reads": f"{pairs} {' and '.join(system['domains'])}",
                "scores": ", ".join(system["scores"]),
            }
        )
    )
    for title, key in (("weights.*", "terms"), ("hyper.*", "hyper"), ("balance.*", "balance")):
        console.print(table(title, system[key]))


def _describe(system: type[System]) -> dict[str, Any]:
    names = aliases(system.terms)
    return {
        "name": system.name,
        "title": system.title,
        "citation": system.citation,
        "domains": list(system.reads.domains),
        "paired": system.reads.paired,
        "scores": [score.metric for score in SCORES.values() if score.of in system.shows],
        "terms": [
            {
                "term": term.name,
                "also": [name for name, terms in names.items() if term.name in terms and name != term.name],
                "symbol": term.symbol,
                "default": term.weight,
                "times": term.times,
                "meaning": term.meaning,
            }
            for term in system.terms
        ],
        "hyper": _settings(system.Hyper),
        "balance": _settings(Balance),
    }


def _settings(declared: type[Any]) -> list[dict[str, Any]]:
    return [
        {
            "setting": field.name,
            "default": field.default,
            "choices": list(field.metadata["choices"] or ()),
            "min": field.metadata["min"],
            "max": field.metadata["max"],
            "meaning": field.metadata["doc"],
        }
        for field in dataclasses.fields(declared)
    ]
