"""The systems and what each declares, for `i2i-cluster systems`: read from the declarations, repeated nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from orchestrator.errors import Refusal, nearest, show
from orchestrator.systems.costs import costs_of, costs_table
from orchestrator.systems.existence import condition
from orchestrator.systems.paper import read_paper
from orchestrator.tables import facts, print_parts, table
from trainers.scores import available, everything
from trainers.settings import Preset, Reads, aliases, fields_of
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


def with_costs(system: Mapping[str, Any]) -> dict[str, Any]:
    """The same with what a step takes by the size of its pictures, which needs a second or two to count."""
    return {**system, "costs": costs_of(SYSTEMS[system["name"]])}


def print_systems(console: Console) -> None:
    """Print a line for each system."""
    rows = [
        {
            "system": system["name"],
            "reads": system["reads"],
            "weights": [term["term"] for term in system["terms"]],
            "presets": [preset["preset"] for preset in system["presets"]],
            "citation": system["citation"],
        }
        for system in describe_systems()
    ]
    console.print(table("Systems", rows))


def print_system(system: dict[str, Any], console: Console) -> None:
    """Print one system, given as `with_costs` does: its objective, its losses and their names, its settings, its costs."""
    about = facts(
        {
            "system": system["name"],
            "title": system["title"],
            "citation": system["citation"],
            "reads": system["reads"],
            "scores": ", ".join(system["scores"]),
            "objective": system["objective"],
        }
    )
    keys = {"weights.*": "terms", "preset": "presets", "hyper.*": "hyper", "balance.*": "balance"}
    parts = [table(title, system[key]) for title, key in keys.items() if system[key]]
    print_parts(console, about, *parts, table("a step, with the default settings", costs_table(system["costs"])))


def _describe(system: type[System]) -> dict[str, Any]:
    names, paper = aliases(system.terms), read_paper(system)
    return {
        "name": system.name,
        "title": system.title,
        "citation": system.citation,
        "domains": list(system.reads.domains),
        "paired": system.reads.paired,
        "labelled": list(system.reads.labelled),
        "reads": _reads(system.reads),
        "scores": [score.metric for score in available(system, everything(system))],
        "objective": paper.objective,
        "notes": paper.notes,
        "terms": [
            {
                "term": term.name,
                "group": term.group,
                "also": [name for name, terms in names.items() if term.name in terms and name != term.name],
                "symbol": term.symbol,
                "default": term.weight,
                "times": term.times,
                "search": list(term.search or ()),
                "exists": condition(term.exists, system.Hyper()),
                "meaning": term.meaning,
            }
            for term in system.terms
        ],
        "presets": [
            {"preset": name, "meaning": preset.meaning, "changes": changes(preset)}
            for name, preset in system.presets.items()
        ],
        "hyper": _settings(system.Hyper()),
        "balance": _settings(system.balance),
    }


def changes(preset: Preset) -> dict[str, Any]:
    """Dotted key -> value for each setting in which a preset differs from the system's defaults."""
    parts: Mapping[str, Mapping[str, Any]] = {
        "weights": preset.weights,
        "hyper": preset.hyper,
        "balance": preset.balance,
    }
    return {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}


def _reads(reads: Reads) -> str:
    """What a draw gives, in words."""
    domains = " and ".join(reads.domains)
    labelled = f", with the classes of {' and '.join(reads.labelled)}" if reads.labelled else ""
    labelled += f", with the texts of {' and '.join(reads.captioned)}" if reads.captioned else ""
    alone = "".join(f", of {domain} a single one" for domain in reads.alone)
    kind = "pairs of" if reads.paired else "pictures of" if len(reads.domains) == 1 else "unpaired pictures of"
    return f"{kind} {domains}{labelled}{alone}"


def _settings(declared: Any) -> list[dict[str, Any]]:
    """A row for each field of a dataclass of settings, with the values of `declared` as defaults."""
    return [
        {
            "setting": field.name,
            "default": getattr(declared, field.name),
            "choices": list(field.metadata["choices"] or ()),
            "min": field.metadata["min"],
            "max": field.metadata["max"],
            "meaning": field.metadata["doc"],
        }
        for field in fields_of(type(declared))
    ]
