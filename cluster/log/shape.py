"""What a record of a sweep's log looks like, field by field. A log that was written or mended by hand is told where it is wrong, in
one line, and not by whoever trips over it first.

Kinds and fields that are not named here are passed over, as a later version of the same format may have them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST = 10**15  # of a count: far beyond any training, and exact as a float
SHOWN = 40  # characters of a wrong value that are repeated


@dataclass(frozen=True)
class Shape:
    """What a value is to be, in words, and what is wrong in it: (path below it, value, what it should be) for each."""

    wanted: str
    wrong: Callable[[Any], Iterator[tuple[str, Any, str]]]


def problem(record: Mapping[str, Any]) -> str:
    """What is wrong with a record, such as "about.steps is 'x', not a whole number"; empty if nothing is."""
    shape = KINDS.get(record["kind"]) if isinstance(record.get("kind"), str) else None
    found = next((shape or _UNKNOWN).wrong(record), None)
    if found is None:
        return ""
    path, value, wanted = found
    text = "missing" if value is MISSING else repr(value)
    text = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
    return f"{path} is {text}, not {wanted}" if value is not MISSING else f"{path} is missing"


MISSING = object()


def _plain(wanted: str, holds: Callable[[Any], bool]) -> Shape:
    def wrong(value: Any) -> Iterator[tuple[str, Any, str]]:
        if not holds(value):
            yield "", value, wanted

    return Shape(wanted, wrong)


def _within(part: str, found: Iterator[tuple[str, Any, str]]) -> Iterator[tuple[str, Any, str]]:
    for path, value, wanted in found:
        yield f"{part}.{path}" if path else part, value, wanted


def _fields(required: Mapping[str, Shape], optional: Mapping[str, Shape] = {}) -> Shape:
    """A mapping with these fields; those that are optional may be missing."""

    def wrong(value: Any) -> Iterator[tuple[str, Any, str]]:
        if not isinstance(value, dict):
            yield "", value, "a mapping"
            return
        for name, shape in {**required, **optional}.items():
            if name in value:
                yield from _within(name, shape.wrong(value[name]))
            elif name in required:
                yield name, MISSING, shape.wanted

    return Shape("a mapping", wrong)


def _maps(shape: Shape) -> Shape:
    """A mapping of names to values of one shape."""

    def wrong(value: Any) -> Iterator[tuple[str, Any, str]]:
        if not isinstance(value, dict):
            yield "", value, "a mapping"
            return
        for name, part in value.items():
            yield from _within(name, shape.wrong(part))

    return Shape("a mapping", wrong)


def _lists(shape: Shape) -> Shape:
    """A list of values of one shape."""

    def wrong(value: Any) -> Iterator[tuple[str, Any, str]]:
        if not isinstance(value, list):
            yield "", value, "a list"
            return
        for index, part in enumerate(value):
            yield from _within(str(index), shape.wrong(part))

    return Shape("a list", wrong)


def _or_null(shape: Shape) -> Shape:
    def wrong(value: Any) -> Iterator[tuple[str, Any, str]]:
        if value is not None:
            yield from shape.wrong(value)

    return Shape(shape.wanted, wrong)


def _one_of(*names: str) -> Shape:
    return _plain(f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names)


def _is_number(value: Any) -> bool:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and abs(value) <= MOST and not math.isnan(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**63


TEXT = _plain("a text", lambda value: isinstance(value, str))
FLAG = _plain("true or false", lambda value: isinstance(value, bool))
NUMBER = _plain("a number", _is_number)
SEED = _plain("a whole number", _is_whole)
COUNT = _plain("a whole number of at least 0", lambda value: _is_whole(value) and 0 <= value <= MOST)
SIZE = _plain("a whole number of at least 1", lambda value: _is_whole(value) and 1 <= value <= MOST)
ANYTHING = _plain("", lambda value: True)
SETTING = _plain(
    "a single value",
    lambda value: (
        value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))
    ),
)
PARAMS = _maps(SETTING)
METRICS = _plain(
    "a mapping", lambda value: isinstance(value, dict)
)  # whoever folds them in reads each number, and asks less
GOAL = _fields({"metric": TEXT, "mode": _one_of("min", "max")})
SIZES = ("data.batch", "data.replicas", "every.report", "every.evaluate", "every.checkpoint")
AUTOS = _fields({}, {**dict.fromkeys(SIZES, SIZE), "precision": TEXT, "resources.gpus_per_worker": NUMBER})
ABOUT = _fields(
    {},
    {
        "file": TEXT,
        "system": TEXT,
        "data": _fields({}, {"name": TEXT, "license": TEXT}),
        "identity": _maps(ANYTHING),
        "autos": AUTOS,
        "objective": GOAL,
        "objectives": _lists(GOAL),
        "constraints": _lists(TEXT),
        "seeds": COUNT,
        "finalists": _fields({}, {"settings": COUNT, "seeds": COUNT}),
        "trials": COUNT,
        "steps": COUNT,
        "axes": _maps(TEXT),
        "searched": _lists(TEXT),
        "preset": PARAMS,
        "gan": _or_null(TEXT),
        "gpus": NUMBER,
        "cpus": NUMBER,
        "price": _or_null(NUMBER),
        "workers": SIZE,
        "limits": _maps(_or_null(NUMBER)),
        "metrics": _or_null(TEXT),
        "written": _or_null(_maps(ANYTHING)),
        "warm": _lists(_lists(ANYTHING)),
    },
)
DECISION = _fields(
    {"trial": COUNT, "action": _one_of("continue", "stop", "pause", "clone")},
    {"why": TEXT, "donor": _or_null(COUNT), "params": PARAMS},
)
TRIAL: Mapping[str, Shape] = {"trial": COUNT}
FAILED = _fields({**TRIAL, "error": TEXT, "count": COUNT}, {"what": TEXT})
TOLD = _fields({**TRIAL, "step": COUNT, "text": TEXT})
KINDS: Mapping[str, Shape] = {
    "opened": _fields({"id": TEXT, "name": TEXT, "attempt": COUNT, "about": ABOUT}),
    "closed": _fields({"state": _one_of("done", "failed", "stopped", "interrupted")}, {"reason": _or_null(TEXT)}),
    "suggested": _fields({**TRIAL, "params": PARAMS}, {"setting": COUNT, "seed": _or_null(SEED), "finalist": FLAG}),
    "started": _fields(TRIAL),
    "reported": _fields({**TRIAL, "step": COUNT, "metrics": METRICS, "evaluated": FLAG}),
    "decided": _fields({**TRIAL, "step": COUNT, "value": ANYTHING, "action": TEXT}),
    "settled": _fields({"step": COUNT, "by": TEXT, "decisions": _lists(DECISION)}),
    "given": _fields(TRIAL),
    "noticed": TOLD,
    "waits": TOLD,
    "placed": _fields(TRIAL),
    "preempted": _fields({**TRIAL, "step": COUNT}),
    "retried": _fields(TRIAL),
    "ended": _fields(
        {**TRIAL, "state": _one_of("done", "stopped", "failed")},
        {"error": _or_null(TEXT), "by": _or_null(TEXT), "why": TEXT, "nonfinite": FLAG},
    ),
    "failed": FAILED,
    "stumbled": FAILED,
}
_UNKNOWN = _fields({"kind": TEXT})
