"""`results.parquet`: the trials of a sweep for other tools, and of which log they are."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from orchestrator.finding import FoundSweep
from orchestrator.results.results import describe_trials

KEYS = ("index", "id", "setting", "seed", "finalist", "state", "by", "step", "train_seconds")


def results_parquet(sweep: FoundSweep, fingerprint: str) -> bytes:
    """One row per trial: KEYS, params and metrics each in a column of their own.

    `fingerprint` says which log the table was made from.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows = []
    for trial in describe_trials(sweep):
        flat = {key: trial[key] for key in KEYS}
        flat |= {f"params/{name}": value for name, value in trial["params"].items()}
        rows.append(flat | trial["metrics"])
    columns: Mapping[str, list[Any]] = {
        name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)
    }
    kinds = {"seed": pa.int64(), "by": pa.string()}  # known also where no trial has one
    table = pa.table({name: pa.array(_column(values), kinds.get(name)) for name, values in columns.items()})
    out = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({"i2i-results": "1", "i2i-log": fingerprint}), out)
    return out.getvalue()


def results_fingerprint(table: bytes) -> str:
    """Which log a stored table was made from."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    metadata = parquet.read_schema(pa.BufferReader(table)).metadata or {}
    return bytes(metadata.get(b"i2i-log", b"")).decode()


def _column(values: list[Any]) -> list[Any]:
    """Values of one kind: an axis may mix numbers and words, which become words."""
    kinds = {type(value) for value in values if value is not None}
    mixed = len(kinds - {int, float}) > 0 and len(kinds) > 1
    return [None if value is None else str(value) for value in values] if mixed else values
