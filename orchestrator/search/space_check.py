"""A search as a whole: whether its axes fit together, and which of them a sweep's fixed settings leave in force.

All functions take the axes by the canonical names of the settings: `renamed` gives them those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from orchestrator.errors import Refusal, nearest, nearest_dotted, show
from orchestrator.search.conditions import When, is_same, parents_first
from orchestrator.search.space import Axis, Choice, Scalar, settings_of
from orchestrator.search.sums import Sum, members


def renamed(axes: Mapping[str, Axis], canonical: Callable[[str], str]) -> dict[str, Axis]:
    """The axes with each setting by its `canonical` name, sums in the order of the alphabet: two files that mean the same
    search get the same."""
    found = {}
    for key, axis in axes.items():
        names = [canonical(name) for name in members(key)]
        when = tuple((canonical(parent), options) for parent, options in axis.when)
        found[" + ".join(sorted(names))] = replace(axis, when=when) if when else axis
    return found


def check_space(axes: Mapping[str, Axis], held: Mapping[str, Scalar | None]) -> list[Refusal]:
    """Everything wrong with the sums and the conditions of a search.

    held: every setting that the system has -> its value in the preset, with the sweep's own fixed values.
    """
    setters: dict[str, str] = {}
    found = []
    for key, axis in axes.items():
        found += list(_sum_problems(key, axis, setters)) + list(_when_problems(key, axis.when, axes, held))
        setters = dict.fromkeys(settings_of(key, axis), key) | setters
    return found or list(_circles(axes))


def settle(axes: Mapping[str, Axis], held: Mapping[str, Scalar | None]) -> tuple[dict[str, Axis], list[str]]:
    """The axes that a trial can have at all, and a line on each other one; conditions on fixed settings are decided by `held`.

    The axes must have been checked. An axis that is left out keeps the value that `held` has for it in all trials.
    """
    left: dict[str, Axis] = {}
    notes = []
    for key in parents_first(axes):
        axis = axes[key]
        fixed = {parent: options for parent, options in axis.when if parent not in axes}
        against = [f"{p} is {show(held[p])}" for p, some in fixed.items() if not any(is_same(held[p], v) for v in some)]
        against += [f"{parent} is not searched" for parent, _ in axis.when if parent in axes and parent not in left]
        if against:
            notes.append(f"{key} is not searched: {' and '.join(against)}")
        else:
            left[key] = replace(axis, when=tuple((p, some) for p, some in axis.when if p in axes))
    return {key: left[key] for key in axes if key in left}, notes


def _sum_problems(key: str, axis: Axis, setters: Mapping[str, str]) -> Iterator[Refusal]:
    """What is wrong with the settings that an axis names; setters: setting -> the earlier axis that sets it."""
    path, names = f"search.{key}", members(key)
    if not isinstance(axis, Sum):
        if len(names) > 1:
            yield Refusal(f"several settings share a sum, such as {{sum: 10}}, not {axis}", path=path)
        elif key in setters:
            yield Refusal(f"sets {key}, which search.{setters[key]} sets already; keep one of the two", path=path)
        return
    if len(names) < 2 or not all(names):
        yield Refusal("a sum is shared by two settings or more, such as weights.a + weights.b", path=path)
        return
    for name in names:
        if not name.startswith("weights."):
            yield Refusal(f"only weights share a sum, not {show(name)}", path=path, value=name)
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield Refusal(f"names {name} twice", path=path, value=name)
        elif name in setters:
            yield Refusal(f"sets {name}, which search.{setters[name]} sets already; keep one of the two", path=path)


def _when_problems(
    key: str, when: When, axes: Mapping[str, Axis], held: Mapping[str, Scalar | None]
) -> Iterator[Refusal]:
    path = f"search.{key}.when"
    sums = {name: other for other, axis in axes.items() if isinstance(axis, Sum) for name in members(other)}
    for parent, options in when:
        axis = axes.get(parent)
        if isinstance(axis, Choice):
            has = [option if isinstance(option, str) else show(option) for option in axis.options]
            for value in options:
                if not any(is_same(value, option) for option in axis.options):
                    near = nearest(value, has) if isinstance(value, str) else None
                    yield Refusal(f"{parent} is never {show(value)}", path=path, value=value, nearest=near, has=has)
        elif axis is not None:
            yield Refusal(f"{parent} is searched as {axis}; only a choice or a fixed setting decides", path=path)
        elif parent in sums:
            yield Refusal(f"{parent} is part of {sums[parent]}; only a choice or a fixed setting decides", path=path)
        elif parent not in held:
            near = nearest_dotted(parent, list(held))
            yield Refusal(f"unknown setting {show(parent)}", path=path, value=parent, nearest=near)


def _circles(axes: Mapping[str, Axis]) -> Iterator[Refusal]:
    """A refusal for each circle of axes that wait for one another."""
    told: set[str] = set()
    for start in axes:
        chain = _chain(start, axes)
        if chain and not told.intersection(chain):
            told.update(chain)
            line = " waits for ".join((*chain, start))
            yield Refusal(f"goes round in a circle: {line}", path=f"search.{start}.when")


def _chain(start: str, axes: Mapping[str, Axis]) -> tuple[str, ...]:
    """The shortest way from an axis along its conditions back to itself; () where there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for parent, _ in axes[way[-1]].when:
            if parent == start:
                return way
            if parent in axes and parent not in seen:
                seen.add(parent)
                ways.append((*way, parent))
    return ()
