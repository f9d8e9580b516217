"""A sweep file as far as it can be understood: what is right in it, what is wrong, and which values nobody knows for that.

A mistake must not hide the next one. So what is refused is taken out, and what is left is read again until it is a sweep; its own
values are then no more than stand-ins. The surprise is a misspelt key: it is taken for the key that it is nearest to, where that is
missing. Otherwise all that hangs on it would seem to be missing, too.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.errors import Refusal, in_order, places_of, refuse
from orchestrator.sweep_file.errors import refusals
from orchestrator.sweep_file.fields import check_fields
from orchestrator.sweep_file.sweep import Sweep
from orchestrator.sweep_file.yaml_file import written_in
from orchestrator.systems.own_code import with_code
from trainers.settings import Balance

Loc = tuple[int | str, ...]  # where pydantic found something
UNKNOWN, MISSING = "extra_forbidden", "missing"  # pydantic's names of mistakes
# For what every sweep must have: no reader of a sweep asks for them where they are not known.
STAND_INS: dict[Loc, Any] = {
    ("system",): "",
    ("data",): {"uri": "", "image": 1},
    ("data", "uri"): "",
    ("data", "image"): 1,
    ("steps",): 1,
}


@dataclass(frozen=True)
class Draft:
    """`sweep`: what is right, with defaults and stand-ins for what is not. `found`: the mistakes, in the order of the file.

    unknown: dotted keys whose values are not known. places: dotted key -> its place in the file. written: the file as it is.
    options: key -> the option of the command line that put another value in its place.
    """

    sweep: Sweep
    found: tuple[Refusal, ...] = ()
    unknown: frozenset[str] = frozenset()
    places: Mapping[str, int] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


def load_draft(path: Path, instead: Mapping[str, Any] | None = None) -> Draft:
    """What can be understood of the sweep file at `path`; `instead`: keys with values that count in place of the file's.

    Raises Refusal where it cannot be read, or holds no mapping.
    """
    written = written_in(path)
    changed = instead or {}
    found = [refusal for refusal in written.found if refusal.path.partition(".")[0] not in changed]
    values = {**written.values, **changed}
    if "code" in written.values:  # a file of values must not be one that runs
        found.append(Refusal("it is read from the file that `system` names; leave it out", path="code"))
        del values["code"]
    draft = read_draft(with_code(values, path.parent), found)
    return replace(draft, options={key: f"--{key}" for key in changed})


def read_draft(values: Mapping[str, Any], found: Sequence[Refusal] = ()) -> Draft:
    """What can be understood of the sweep that `values` describe; `found`: what is known to be wrong with them."""
    mending = _Mending(values, found)
    sweep = mending.sweep()
    wrong = check_fields(Balance, sweep.balance, "balance")
    mending.tell(wrong)
    refused = {refusal.path.partition(".")[2] for refusal in wrong}
    balance = {name: value for name, value in sweep.balance.items() if name not in refused}
    kept = sweep.model_copy(update={"balance": balance}) if wrong else sweep
    told = tuple(in_order(mending.found, mending.places))
    return Draft(kept, told, frozenset(mending.unknown), mending.places, dict(values))


def touch(one: str, other: str) -> bool:
    """Whether two dotted keys are the same, or one is a part of the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


class _Mending:
    """Takes out of the values of a file what is wrong, until they are a sweep's."""

    def __init__(self, values: Mapping[str, Any], found: Sequence[Refusal]) -> None:
        self._values = copy.deepcopy(dict(values))
        self._guessed: set[str] = set()  # keys that a misspelt one is taken for
        self.places = places_of(values)
        self.found = list(found)
        self.unknown = {refusal.path for refusal in found if refusal.path}

    def sweep(self) -> Sweep:
        """The sweep, once nothing more is wrong. Raises Refusal where it is wrong as a whole."""
        while True:
            try:
                return Sweep.model_validate(self._values)
            except ValidationError as error:
                self.tell(refusals(error, Sweep))
                wrong = [(one["loc"], one["type"]) for one in error.errors(include_url=False)]
                wrong.sort(key=lambda one: one[1] != UNKNOWN)
                if not [loc for loc, kind in wrong if self._mend(loc, kind)]:
                    refuse(self.found)

    def tell(self, refusals: Sequence[Refusal]) -> None:
        """Note mistakes; not those that follow from an earlier one: of a value taken out, or in a key that was guessed."""
        known = {*(one.path for one in self.found), *self.unknown, *self._guessed}
        self.found += [one for one in refusals if not any(_within(path, one.path) for path in known)]

    def _mend(self, loc: Loc, kind: str) -> bool:
        """Take out what is wrong at `loc`: whether there was anything."""
        holder = self._mapping(loc[:-1])
        if kind == UNKNOWN and holder is not None and loc[-1] in holder:
            self._rename(holder, loc)
            return True
        if kind == MISSING and holder is not None and loc[-1] in holder:
            return True  # by now: it was misspelt
        whole = kind == MISSING and loc not in STAND_INS  # what lacks a part is nothing without it
        return self._dropped(loc[:-1] if whole else loc)

    def _rename(self, holder: dict[Any, Any], loc: Loc) -> None:
        """Take an unknown key for the one that it is nearest to, and out where that is there already."""
        value, path = holder.pop(loc[-1]), _path(loc)
        near = next((one.nearest for one in self.found if one.path == path and one.nearest), None)
        if near is not None and near not in holder:
            holder[near] = value
            guess = _path((*loc[:-1], near))
            self._guessed.add(guess)
            self.places |= {guess + key.removeprefix(path): at for key, at in self.places.items() if _within(key, path)}

    def _dropped(self, loc: Loc) -> bool:
        """Whether there was something at `loc`, or around it where it could have been several things; its value is now unknown."""
        for end in range(len(loc), 0, -1):
            place, holder = loc[:end], self._mapping(loc[: end - 1])
            if holder is not None and (place[-1] in holder or place in STAND_INS):
                self.unknown.add(_path(place))
                holder.pop(place[-1], None)
                holder |= {place[-1]: copy.deepcopy(STAND_INS[place])} if place in STAND_INS else {}
                return True
        return False

    def _mapping(self, loc: Loc) -> dict[Any, Any] | None:
        inside: Any = self._values
        for part in loc:
            inside = inside.get(part) if isinstance(inside, dict) else None
        return inside if isinstance(inside, dict) else None


def _path(loc: Loc) -> str:
    return ".".join(map(str, loc))


def _within(path: str, key: str) -> bool:
    """Whether what is known to be wrong at `path` is at `key` or inside it."""
    return path == key or path.startswith(f"{key}.")
