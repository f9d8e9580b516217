"""The keys of a file in examples/tables: their types, and one line each on what they mean. table.py makes a table of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, PlainValidator, ValidationError

from orchestrator.errors import Refusal, nearest, show
from orchestrator.sweep_file.data import Part
from orchestrator.sweep_file.errors import refusals
from trainers.score_list import SCORES

COMMANDS = (("shards", "build"), ("task", "train"))  # what prepares: each answers at once where it was done before
OURS = ("name", "storage", "trials", "seeds", "objective")  # keys of a row's sweep that the table itself decides
DECIDED = "the table decides it: the row's name, --storage, `seeds`, `scores`; leave it out"
P = TypeVar("P", bound=BaseModel)


def _words(value: object) -> list[str]:
    """A command as a list of words; numbers are words, too."""
    if not isinstance(value, list) or not all(isinstance(one, str | int | float) for one in value):
        raise ValueError(f"must be a command as a list of words, such as [shards, build, ...], not {show(value)}")
    words = [str(one) for one in value]
    if tuple(words[:2]) not in COMMANDS:
        known = " or ".join(f"`{' '.join(command)}`" for command in COMMANDS)
        raise ValueError(f"must be {known}, not {show(' '.join(words[:2]))}")
    return words


Command = Annotated[list[str], PlainValidator(_words)]
Mode = Literal["max", "min"]


class Source(Part):
    """Where the published values stand."""

    paper: str = Field(description="Authors, title, year.")
    table: str = Field(description="Its number there, and what is not as printed.")
    measured: str = Field(description="What was measured, of what, on which pictures.")


class Score(Part):
    """A column: what is measured here, and what was published in its place."""

    metric: str = Field(description="Metric of an evaluation, such as eval/l1.")
    mode: Mode = Field(description="Whether more or less of it is better.")
    published_as: str = Field(description="What the paper calls its own.")
    published_mode: Mode | None = Field(default=None, description="The same of the published values, where it differs.")


class Row(Part):
    """A row: how its sweep differs, and what was published of it."""

    title: str = Field(default="", description="What the paper calls it; empty: its name.")
    change: dict[str, Any] = Field(default={}, description="Dotted key or mapping -> value; null takes a key out.")
    full: dict[str, Any] = Field(default={}, description="The same, beside `change`, at the paper's size.")
    published: dict[str, float] = Field(default={}, description="Score -> value.")


class Full(Part):
    """What is different at the paper's size."""

    prepare: list[Command] = Field(
        default=[], description="Commands in place of the table's own, where they are others."
    )
    change: dict[str, Any] = Field(default={}, description="As a row's, for all rows.")
    takes: str = Field(default="", description="How long about, on what.")


class File(Part):
    """The keys of a file; rows and scores are read one by one, since their names are the file's own."""

    title: str = Field(description="What is compared, in a line.")
    source: Source = Field(description="Where the published values stand.")
    sized: str = Field(description="What is smaller here than in the paper, in words.")
    minutes: float = Field(description="How long about for all rows and seeds, on 2 CPUs.")
    seeds: int = Field(default=2, description="Trainings of each row.")
    prepare: list[Command] = Field(default=[], description="The commands that make data sets and task networks.")
    sweep: dict[str, Any] = Field(description="What all rows share, as in a sweep file.")
    scores: dict[str, dict[str, Any]] = Field(description="Name -> score; the first one before all.")
    rows: dict[str, dict[str, Any]] = Field(description="Name -> row.")
    full: Full = Field(default=Full(), description="The paper's size.")


def read_part(model: type[P], values: Mapping[str, Any], prefix: str, found: list[Refusal]) -> P | None:
    """A part of a file at `prefix`; None, and what is wrong with it in `found`, where it is none."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for refusal in refusals(error, model):
            refusal.path = prefix + refusal.path
            found.append(refusal)
    return None


def read_parts(model: type[P], values: Mapping[str, Mapping[str, Any]], at: str, found: list[Refusal]) -> dict[str, P]:
    """Name -> part, of those under the key `at` in which nothing is wrong."""
    read = {name: read_part(model, said, f"{at}.{name}.", found) for name, said in values.items()}
    return {name: part for name, part in read.items() if part is not None}


def beyond(file: File, scores: Mapping[str, Score], rows: Mapping[str, Row]) -> Iterator[Refusal]:
    """What no model says: that there is something to show, and that the names fit one another."""
    for name, one in scores.items():
        known = SCORES.get(one.metric)
        if known is not None and known.mode != one.mode:
            better = "lower" if known.mode == "min" else "higher"
            problem = f"{one.metric} is better when {better}: write {known.mode}, not {one.mode}"
            yield Refusal(problem, path=f"scores.{name}.mode", value=one.mode)
    for key, number, least in (("seeds", file.seeds, 1), ("minutes", file.minutes, 0)):
        if not least <= number < math.inf:
            yield Refusal(f"must be at least {least}, not {show(number)}", path=key, value=number)
    for key, some in (("scores", file.scores), ("rows", file.rows)):
        if not some:
            yield Refusal("a table has at least one", path=key)
    changes = {"sweep": file.sweep, "full.change": file.full.change}
    for name, row in rows.items():
        changes |= {f"rows.{name}.change": row.change, f"rows.{name}.full": row.full}
        for score, value in row.published.items():
            if not math.isfinite(value):
                problem = f"must be a finite number, not {show(value)}; leave out what was not published"
                yield Refusal(problem, path=f"rows.{name}.published.{score}", value=value)
            if score not in file.scores:
                near = nearest(score, file.scores)
                problem = f"unknown score {show(score)}"
                yield Refusal(problem, path=f"rows.{name}.published.{score}", nearest=near, has=file.scores)
    for place, change in changes.items():
        for key in change:
            if key.partition(".")[0] in OURS:
                yield Refusal(DECIDED, path=f"{place}.{key}")


def keys(change: Mapping[str, Any]) -> Iterator[str]:
    """The dotted keys that a change names."""
    for key, value in change.items():
        if isinstance(value, Mapping) and value:
            yield from (f"{key}.{inner}" for inner in keys(value))
        else:
            yield key


def changed(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with a change: a dotted key is a path, mappings are joined, null takes a key out."""
    made = dict(values)
    for key, value in change.items():
        head, _, rest = key.partition(".")
        below = made.get(head) if isinstance(made.get(head), Mapping) else {}
        if rest:
            made[head] = changed(below or {}, {rest: value})
        elif value is None:
            made.pop(head, None)
        elif isinstance(value, Mapping):
            made[head] = changed(below or {}, value)
        else:
            made[head] = value
    return made
