"""The systems and what each declares, for `i2i-cluster systems`: read from the declarations, repeated nowhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

from rich.console import Console

from orchestrator.errors import Refusal, nearest, show
from orchestrator.fields import field_types
from orchestrator.paper import read_paper
from orchestrator.tables import facts, table, words
from trainers.scores import available, everything
from trainers.settings import Preset, Reads, Term, aliases, fields_of
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
            "reads": system["reads"],
            "weights": [term["term"] for term in system["terms"]],
            "presets": [preset["preset"] for preset in system["presets"]],
            "citation": system["citation"],
        }
        for system in describe_systems()
    ]
    console.print(table("Systems", rows))


def print_system(system: dict[str, Any], console: Console) -> None:
    """Print one system, given as `find_system` does: its objective, its losses and their names, its settings."""
    console.print(
        facts(
            {
                "system": system["name"],
                "title": system["title"],
                "citation": system["citation"],
                "reads": system["reads"],
                "scores": ", ".join(system["scores"]),
                "objective": system["objective"],
            }
        )
    )
    for title, key in (("weights.*", "terms"), ("preset", "presets"), ("hyper.*", "hyper"), ("balance.*", "balance")):
        if system[key]:
            console.print(table(title, system[key]))


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
                "exists": condition(system, term),
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


def condition(system: type[System], term: Term) -> str:
    """Which settings decide whether a term exists, in words; empty for a term that always does."""
    if term.when is None:
        return ""
    usual = system.Hyper()
    if term.exists(usual):
        return f"unless {_spelled(_deciding(term, usual))}"
    found = _deciding(term, usual)
    if not found:
        return "under several settings at once"
    name, values = next(iter(found.items()))
    back = _deciding(term, dataclasses.replace(usual, **{name: values[0]}))
    back.pop(name, None)
    return f"with {_spelled(found)}" + (f", unless {_spelled(back)}" if back else "")


def _deciding(term: Term, hyper: Any) -> dict[str, list[Any]]:
    """Setting -> its values that alone, the others being as in `hyper`, make the term come or go."""
    found = {}
    for field in fields_of(type(hyper)):
        tried = [dataclasses.replace(hyper, **{field.name: value}) for value in _others(hyper, field)]
        values = [getattr(other, field.name) for other in tried if term.exists(other) != term.exists(hyper)]
        if values:
            found[field.name] = values
    return found


def _spelled(settings: Mapping[str, Sequence[Any]]) -> str:
    return " or ".join(f"hyper.{name} {' or '.join(words(v) or 'empty' for v in vs)}" for name, vs in settings.items())


def _others(hyper: Any, field: dataclasses.Field[Any]) -> list[Any]:
    """Values that a field may hold instead of the one in `hyper`: all of a list, or the ends of a range."""
    kinds, about, held = field_types(type(hyper))[field.name], field.metadata, getattr(hyper, field.name)
    ends = [end for end in (about["min"], about["max"]) if end is not None]
    values = (False, True) if bool in kinds else about["choices"] or [*ends, *([None] if NoneType in kinds else [])]
    return [value for value in values if value != held]


def _reads(reads: Reads) -> str:
    """What a draw gives, in words."""
    domains = " and ".join(reads.domains)
    labelled = f", with the classes of {' and '.join(reads.labelled)}" if reads.labelled else ""
    kind = "pairs of" if reads.paired else "pictures of" if len(reads.domains) == 1 else "unpaired pictures of"
    return f"{kind} {domains}{labelled}"


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
