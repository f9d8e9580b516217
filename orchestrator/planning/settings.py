"""What a sweep sets and searches, checked against its system's terms, hyper-parameters and balance.

A weight has several names (term, group, the paper's symbol). From here on there is one: `weights.cyc` where
the group is meant, `weights.cyc_a` where the term is, so that two files that mean the same search draw the
same values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestrator.errors import Refusal, nearest, nearest_dotted, show
from orchestrator.planning.data import DataFacts
from orchestrator.planning.degrees import DEGREES, as_setting
from orchestrator.search.space import Axis, LogUniform, Scalar, Uniform
from orchestrator.search.space_check import renamed
from orchestrator.search.sums import Sum, members
from orchestrator.sweep_file.fields import check_fields, coerce_field, field_problem, is_fixed
from orchestrator.sweep_file.quantities import single_problem
from orchestrator.sweep_file.sweep import DEFAULT_PRESET, Sweep
from orchestrator.systems.existence import absence
from trainers.settings import Balance, Reads, Term, aliases
from trainers.system import System

Setting = Scalar | None
# The settings that a system has where it must know how many classes the data have, and what the sweep's task network is.
CLASSES, TASK_WIDTH, TASK_KIND, TASK_CLASSES = "classes", "task_width", "task_kind", "task_classes"


@dataclass(frozen=True)
class Settings:
    """One complete setting: a weight for each term, and every field of hyper and balance."""

    weights: Mapping[str, float]
    hyper: Mapping[str, Setting]
    balance: Mapping[str, Setting]

    def with_values(self, system: type[System], values: Mapping[str, Setting]) -> Settings:
        """These settings with `values` (axis name -> value): `weights.cyc` sets each term of the group."""
        parts: dict[str, dict[str, Any]] = {
            "weights": dict(self.weights),
            "hyper": dict(self.hyper),
            "balance": dict(self.balance),
        }
        names = aliases(system.terms)
        for key, value in values.items():
            part, _, name = key.partition(".")
            if part == "weights":
                assert isinstance(value, int | float)
                parts[part].update(dict.fromkeys(names[name], float(value)))
            else:
                parts[part][name] = coerce_field(system.Hyper if part == "hyper" else Balance, name, value)
        return Settings(**parts)

    def with_classes(self, names: Sequence[str]) -> Settings:
        """These settings with `hyper.classes` and `hyper.degrees`, where they are left to the data, as these have them."""
        return self._filled(CLASSES, len(names))._filled(DEGREES, as_setting(names))

    def with_task(self, has: Mapping[str, Setting]) -> Settings:
        """These settings with those of `hyper` that are left to the sweep's task network, as that has them."""
        settings = self
        for name, value in has.items():
            settings = settings._filled(name, value)
        return settings

    def _filled(self, name: str, value: Setting) -> Settings:
        if self.hyper.get(name, "unknown") is not None:
            return self
        return Settings(self.weights, {**self.hyper, name: value}, self.balance)

    def value(self, system: type[System], axis: str) -> Setting:
        """What these settings hold on an axis; None also where the terms of a group differ."""
        part, _, name = axis.partition(".")
        if part == "weights":
            values = {self.weights[term] for term in aliases(system.terms)[name]}
            return values.pop() if len(values) == 1 else None
        return (self.hyper if part == "hyper" else self.balance)[name]


def preset(system: type[System], sweep: Sweep) -> Settings:
    """The settings of the preset that the sweep names, with the sweep's own fixed values. The names must have been checked."""
    settings = Settings(
        {term.name: term.weight for term in system.terms},
        dataclasses.asdict(system.Hyper()),
        dataclasses.asdict(system.balance),
    )
    if sweep.preset != DEFAULT_PRESET:
        chosen = system.presets[sweep.preset]
        settings = settings.with_values(system, _dotted(chosen.weights, chosen.hyper, chosen.balance))
    return settings.with_values(system, _dotted(sweep.weights, sweep.hyper, sweep.balance))


def _dotted(
    weights: Mapping[str, float], hyper: Mapping[str, Setting], balance: Mapping[str, Setting]
) -> dict[str, Setting]:
    parts: dict[str, Mapping[str, Setting]] = {"weights": weights, "hyper": hyper, "balance": balance}
    return {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}


def from_preset(system: type[System], sweep: Sweep) -> list[str]:
    """The settings of `hyper` that are as the sweep's preset has them."""
    chosen = system.presets.get(sweep.preset)
    return [name for name in chosen.hyper if name not in sweep.hyper] if chosen else []


def check_names(system: type[System], sweep: Sweep) -> list[Refusal]:
    """Everything wrong with the names and values in `preset`, `weights`, `hyper` and `search`, each by itself."""
    found, has = [], (DEFAULT_PRESET, *system.presets)
    if sweep.preset not in has:
        problem, near = f"unknown preset {show(sweep.preset)} of {system.name}", nearest(sweep.preset, has)
        found.append(Refusal(problem, path="preset", value=sweep.preset, nearest=near, has=has))
    found += [_unknown_weight(system, name, f"weights.{name}") for name in sweep.weights if _is_unknown(system, name)]
    found += check_fields(system.Hyper, sweep.hyper, "hyper", system.name)
    for key, axis in sweep.search.items():
        names = members(key)
        if len(names) == 1 or (isinstance(axis, Sum) and all(name.startswith("weights.") for name in names)):
            wrong = [refusal for name in names for refusal in _check_axis(system, name, axis, f"search.{key}")]
            found += {str(refusal): refusal for refusal in wrong}.values()  # of a sum's total it is the same for each
        found += _check_conditions(system, key, axis)
    return found


def _check_conditions(system: type[System], key: str, axis: Axis) -> list[Refusal]:
    """Values that a setting which decides about an axis can never have."""
    found = []
    for parent, options in axis.when:
        part, _, name = parent.partition(".")
        declared = {"hyper": system.Hyper, "balance": Balance}.get(part)
        if declared and any(field.name == name for field in dataclasses.fields(declared)):
            problems = [field_problem(declared, name, value, system.name) for value in options]
            for problem in filter(None, problems):
                problem.path = f"search.{key}.when"
                found.append(problem)
    return found


def check_classes(settings: Settings, reads: Reads, data: DataFacts) -> None:
    """Refusal where the number of classes or attributes was written down and is not that of the data that are read."""
    written, counted = settings.hyper.get(CLASSES), len(data.label_names)
    if (reads.labelled or reads.attributed or reads.label_map) and written is not None and written != counted:
        kind = "attributes" if reads.attributed else "classes"
        problem = f"{data.name} has {counted} {kind}, not {written}; leave it out"
        raise Refusal(problem, path=f"hyper.{CLASSES}", value=written)


def canonical_axes(system: type[System], sweep: Sweep) -> dict[str, Axis]:
    """The searched axes by their canonical names, in the order written. The names must have been checked."""
    return renamed(sweep.search, partial(canonical, system))


def held(system: type[System], settings: Settings) -> dict[str, Setting]:
    """Every setting that the system has by its dotted name -> its value; None where the terms of a group differ."""
    names = [f"weights.{name}" for name in (*(term.name for term in system.terms), *groups(system))]
    names += [f"hyper.{name}" for name in settings.hyper] + [f"balance.{name}" for name in settings.balance]
    return {name: settings.value(system, name) for name in names}


def canonical(system: type[System], key: str) -> str:
    """The one name of a searched setting: the term's or the group's for a symbol that means exactly that. What the system does
    not have keeps its name."""
    part, _, name = key.partition(".")
    names = aliases(system.terms)
    if part != "weights" or name not in names:
        return key
    plain = [*(term.name for term in system.terms), *groups(system)]
    same = [other for other in plain if names[other] == names[name]]
    return f"weights.{same[0] if name not in plain and same else name}"


def groups(system: type[System]) -> list[str]:
    """The names of the system's groups of terms, in order."""
    return list(dict.fromkeys(term.group for term in system.terms if term.group))


def searched_terms(system: type[System], axes: Mapping[str, Axis]) -> dict[str, str]:
    """Term -> the axis that changes its effective weight: its own, or that of the term it is a multiple of."""
    names = aliases(system.terms)
    direct = {
        term: name
        for key in axes
        for name in members(key)
        if name.startswith("weights.")
        for term in names[name.partition(".")[2]]
    }
    through = {term.name: direct[term.times] for term in system.terms if term.times in direct}
    return through | direct


def _is_unknown(system: type[System], name: str) -> bool:
    return name not in aliases(system.terms)


def _unknown_weight(system: type[System], name: str, path: str) -> Refusal:
    has = [*(term.name for term in system.terms), *groups(system)]
    near = nearest(name, [*has, *aliases(system.terms)])
    return Refusal(f"unknown weight {show(name)} for {system.name}", path=path, value=name, nearest=near, has=has)


def _weight_problem(value: Scalar) -> str:
    if isinstance(value, bool | str) or value < 0:
        return "must be a number of at least 0"
    return single_problem(value)


def _check_axis(system: type[System], key: str, axis: Axis, path: str) -> list[Refusal]:
    part, _, name = key.partition(".")
    if part == "weights" and name:
        if _is_unknown(system, name):
            return [_unknown_weight(system, name, path)]
        told = ((value, _weight_problem(value)) for value in axis.extremes())
        wrong = [Refusal(f"a weight {problem}, not {show(v)}", path=path, value=v) for v, problem in told if problem]
        return wrong[:1]
    if part in ("hyper", "balance") and name:
        declared, owner = (system.Hyper, system.name) if part == "hyper" else (Balance, "")
        problems = [field_problem(declared, name, value, owner) for value in axis.extremes()]
        first = next(filter(None, problems), None)
        if not first and is_fixed(declared, name):
            problem = f"{key} is the same in all trials and cannot be searched; make a sweep for each value"
            first = Refusal(problem, value=key)
        if first and first.problem.startswith("must be a whole number") and isinstance(axis, Uniform | LogUniform):
            first = Refusal(f"takes whole numbers, so the search is int_uniform or choice, not {axis}")
        if first:
            first.path = path
        return [first] if first else []
    known = [f"weights.{other}" for other in aliases(system.terms)]
    known += [f"hyper.{field.name}" for field in dataclasses.fields(system.Hyper)]
    known += [f"balance.{field.name}" for field in dataclasses.fields(Balance)]
    problem = f"cannot search {show(key)}: a searched key is weights.X, hyper.X or balance.X"
    return [Refusal(problem, path=path, value=key, nearest=nearest_dotted(key, known))]


def check_twice(system: type[System], sweep: Sweep) -> list[Refusal]:
    """Two names for one setting: an alias beside the name, or a value that is both fixed and searched. The names must have been
    checked."""
    names = aliases(system.terms)
    written = [(f"weights.{name}", f"weights.{name}") for name in sweep.weights]
    written += [(f"hyper.{name}", f"hyper.{name}") for name in sweep.hyper]
    written += [(f"balance.{name}", f"balance.{name}") for name in sweep.balance]
    written += [(name, f"search.{key}") for key in sweep.search for name in dict.fromkeys(members(key))]
    setters: dict[str, str] = {}
    found = []
    for key, path in written:
        part, _, name = key.partition(".")
        targets = [f"weights.{term}" for term in names[name]] if part == "weights" else [key]
        taken = [target for target in targets if target in setters]
        if taken:
            problem = f"sets {', '.join(taken)}, which {setters[taken[0]]} sets already; keep one of the two"
            found.append(Refusal(problem, path=path))
        setters |= {target: path for target in targets if target not in setters}
    return found


def check_in_force(system: type[System], sweep: Sweep, meant: Sequence[Settings]) -> list[Refusal]:
    """Weights of terms that the hyper-parameters leave out, in every setting that the search can reach.

    meant: the settings of trial 0, or all those that they could be. The names must have been checked.
    """
    axes = {key: axis for key, axis in sweep.search.items() if key.startswith("hyper.") and len(members(key)) == 1}
    reachable = [*meant]
    reachable += [
        base.with_values(system, {k: v}) for base in meant for k, axis in axes.items() for v in axis.extremes()
    ]
    hypers = [system.Hyper(**settings.hyper) for settings in reachable]
    in_force = {term.name for term in system.terms if any(term.exists(hyper) for hyper in hypers)}
    names = aliases(system.terms)
    written = {f"weights.{name}": name for name in sweep.weights}
    searched = [(f"search.{key}", name) for key in sweep.search for name in members(key)]
    found = []
    for path, name in [
        *written.items(),
        *((path, name.partition(".")[2]) for path, name in searched if name.startswith("weights.")),
    ]:
        if not in_force.intersection(names[name]):
            terms = [term for term in system.terms if term.name in names[name]]
            why = absence(partial(_any_exists, terms), hypers[0], sweep.preset, from_preset(system, sweep))
            found.append(Refusal(f"the term {show(name)} does not exist {why}", path=path, has=sorted(in_force)))
    return found


def _any_exists(terms: Sequence[Term], hyper: Any) -> bool:
    return any(term.exists(hyper) for term in terms)
