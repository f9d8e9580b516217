"""The kinds of value a sweep file may hold: how each is read, refused, and shown in an editor's schema.

pydantic's own readers are replaced by plain functions throughout: a union of `int` and `"auto"` would answer
one slip with two errors, neither of which says what to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator

from data_shards.address import is_remote, parse
from data_shards.store import local_folder
from orchestrator.errors import show
from orchestrator.search.space import KINDS, Axis, Scalar, read_axis
from orchestrator.sweep_file import quantities

INTERFACE = re.compile(r"[A-Za-z0-9._:@-]{1,15}\Z")  # as long as Linux lets them be
FEATURES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
LEAST_STALL = 10.0  # seconds
LARGEST_SEED = 2**63 - 1  # what the libraries below accept
Read = Callable[[object], Any]


class Shown:
    """What an editor's schema says of a value. pydantic's own class for it would bring in half of pydantic at once."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema

    def __get_pydantic_json_schema__(self, core: object, handler: object) -> dict[str, Any]:
        return dict(self._schema)


def _power_of_two(value: object) -> int:
    number = quantities.read_count(value)
    if number & (number - 1):
        below = 1 << (number.bit_length() - 1)
        raise ValueError(f"must be a power of two, not {number}; nearest: {below} or {2 * below}")
    return number


def _workers(value: object) -> tuple[int, int]:
    """A number of workers, or the least and the most of them; always as the latter."""
    if not isinstance(value, list | tuple):
        number = _power_of_two(value)
        return number, number
    if len(value) != 2:
        raise ValueError(f"must be a number or [least, most], not {show(value)}")
    least, most = (_power_of_two(one) for one in value)
    if least > most:
        raise ValueError(f"the least comes first: [{most}, {least}], not {show(value)}")
    return least, most


def _or_auto(read: Read) -> Read:
    def read_or_auto(value: object) -> Any:
        return value if value == "auto" else read(value)

    return read_or_auto


def _up_to(maximum: int) -> Read:
    """A count from 1 to `maximum`."""

    def read(value: object) -> int:
        return quantities.read_count(value, maximum)

    return read


def _several(value: object) -> int:
    number = quantities.read_count(value, 100_000)
    if number < 2:
        raise ValueError(f"must be at least 2, not {number}")
    return number


def _at_least(minimum: float, *, above: bool = False, maximum: float | None = None) -> Read:
    def read(value: object) -> float:
        number = quantities.read_number(value, minimum, above=above)
        if maximum is not None and number > maximum:
            raise ValueError(f"must be at most {maximum:g}, not {show(value)}")
        return number

    return read


def _seed(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_SEED:
        raise ValueError(f"must be a whole number from 0 to 2**63 - 1, not {show(value)}")
    return value


def _tries(value: object) -> int:
    if value == 0 and not isinstance(value, bool):
        return 0
    try:
        return quantities.read_count(value)
    except ValueError as error:
        raise ValueError(str(error).replace("at least 1", "at least 0")) from error


def _stall(value: object) -> float:
    seconds = quantities.read_duration(value)
    if seconds < LEAST_STALL:
        raise ValueError(f"must be at least {LEAST_STALL:g} s, not {show(value)}: the start of a worker counts as well")
    return seconds


def _weight(value: object) -> float:
    number = quantities.read_number(value)
    if number < 0:
        raise ValueError(f"a weight must be at least 0, not {show(value)}")
    if problem := quantities.single_problem(number):
        raise ValueError(f"a weight {problem}, not {show(value)}")
    return number


def _setting(value: object) -> Scalar | None:
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError(f"must be a single value, not {show(value)}")
    return value


def _interface(value: object) -> str:
    if not isinstance(value, str) or not INTERFACE.match(value):
        raise ValueError(f"must be the name of a network interface, such as eth0 or ib0, not {show(value)}")
    return value


def _features_name(value: object) -> str:
    if not isinstance(value, str) or not FEATURES.match(value):
        raise ValueError(f"must be letters, digits, dots or dashes, not {show(value)}")
    if value == "task":
        raise ValueError("task is the task network's own name; give another one, such as inception")
    return value


def _levels(value: object) -> tuple[float, float]:
    """The values of black and of white."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"must be [black, white], such as [0, 1], not {show(value)}")
    black, white = (quantities.read_number(one) for one in value)
    if not black < white:
        raise ValueError(f"black comes first: [{white:g}, {black:g}], not {show(value)}")
    return black, white


def _storage(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a folder or s3://bucket/prefix, not {show(value)}")
    if is_remote(value):
        parse(value)  # raises what is wrong with it
    else:
        local_folder(value)
    return value


def _cache_folder(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a folder, not {show(value)}")
    return str(local_folder(value)) if value else ""


def _written(read: Read, schema: Any) -> PlainValidator:
    return PlainValidator(read, json_schema_input_type=schema)


_WholeNumber = Annotated[int, Field(ge=1)]
_CountText = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? ?[kKmM]$")]
_DurationText = Annotated[str, Field(pattern=r"^([0-9]+(\.[0-9]+)? *[smhdSMHD] *)+$")]
_SizeText = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? *([kmgtKMGT]i?)?[bB]$")]
_PAIR = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_AXIS_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "oneOf": [{"required": [kind]} for kind in KINDS],
    "properties": {
        "choice": {"type": "array", "minItems": 1, "description": "One of these values, all equally likely."},
        "uniform": {**_PAIR, "description": "A number from the first to the second."},
        "log_uniform": {**_PAIR, "description": "The same, with each factor of 10 equally likely; above 0."},
        "int_uniform": {
            **_PAIR,
            "description": "A whole number from the first to the second, both included.",
        },
        "sum": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "For a key such as weights.a + weights.b: every division of this number is equally likely.",
        },
        "when": {
            "type": "object",
            "minProperties": 1,
            "description": "In which trials it is searched at all: a setting and its value, or a list of values.",
        },
    },
}

Auto = Literal["auto"]
Side = Annotated[int, _written(_up_to(8_192), Annotated[int, Field(ge=1, le=8_192)] | _CountText)]
BatchOrAuto = Annotated[
    int | Auto, _written(_or_auto(_up_to(65_536)), Annotated[int, Field(ge=1, le=65_536)] | _CountText | Auto)
]
Steps = Annotated[int, _written(_up_to(10**9), Annotated[int, Field(ge=1, le=10**9)] | _CountText)]
Trials = Annotated[int, _written(_up_to(100_000), Annotated[int, Field(ge=1, le=100_000)] | _CountText)]
Several = Annotated[int, _written(_several, Annotated[int, Field(ge=2, le=100_000)] | _CountText)]
Draws = Annotated[int, _written(_up_to(100), Annotated[int, Field(ge=1, le=100)])]
Threads = Annotated[int, _written(_up_to(1_024), Annotated[int, Field(ge=1, le=1_024)])]
CountOrAuto = Annotated[int | Auto, _written(_or_auto(quantities.read_count), _WholeNumber | _CountText | Auto)]
Workers = Annotated[
    tuple[int, int],
    _written(_workers, _WholeNumber | Annotated[list[_WholeNumber], Field(min_length=2, max_length=2)]),
    PlainSerializer(list, return_type=list[int]),
]
PowerOrAuto = Annotated[int | Auto, _written(_or_auto(_power_of_two), _WholeNumber | Auto)]
Tries = Annotated[int, _written(_tries, Annotated[int, Field(ge=0)])]
Seconds = Annotated[float, _written(quantities.read_duration, _DurationText)]
Stall = Annotated[float, _written(_stall, _DurationText)]
Bytes = Annotated[int, _written(quantities.read_size, _SizeText)]
Seed = Annotated[int, _written(_seed, Annotated[int, Field(ge=0, le=LARGEST_SEED)])]
Weight = Annotated[float, _written(_weight, Annotated[float, Field(ge=0)])]
Setting = Annotated[Scalar | None, _written(_setting, bool | int | float | str | None)]
CacheFolder = Annotated[str, _written(_cache_folder, str)]
Storage = Annotated[str, _written(_storage, str)]
Share = Annotated[float, _written(_at_least(0, above=True, maximum=1), Annotated[float, Field(gt=0, le=1)])]
PartShare = Annotated[float, _written(_at_least(0, maximum=1), Annotated[float, Field(ge=0, le=1)])]
Limit = Annotated[int, _written(_up_to(10**9), Annotated[int, Field(ge=1, le=10**9)] | _CountText)]
Reduction = Annotated[float, _written(_at_least(1.1, maximum=1e5), Annotated[float, Field(ge=1.1, le=1e5)])]
Half = Annotated[float, _written(_at_least(0, above=True, maximum=0.5), Annotated[float, Field(gt=0, le=0.5)])]
Factor = Annotated[float, _written(_at_least(1, above=True, maximum=10), Annotated[float, Field(gt=1, le=10)])]
Amount = Annotated[float, _written(_at_least(1e-6, maximum=1e12), Annotated[float, Field(ge=1e-6, le=1e12)])]
Jitter = Annotated[float, _written(_at_least(1, maximum=2), Annotated[float, Field(ge=1, le=2)])]
Cpus = Annotated[float, _written(_at_least(0.001), Annotated[float, Field(ge=0.001)])]
GpusOrAuto = Annotated[float | Auto, _written(_or_auto(_at_least(0)), Annotated[float, Field(ge=0)] | Auto)]
FeaturesName = Annotated[str, _written(_features_name, str)]
Levels = Annotated[
    tuple[float, float],
    _written(_levels, Annotated[list[float], Field(min_length=2, max_length=2)]),
    PlainSerializer(list, return_type=list[float]),
]
Interface = Annotated[str, _written(_interface, str)]
SearchAxis = Annotated[Axis, PlainValidator(read_axis), Shown(_AXIS_SCHEMA)]
