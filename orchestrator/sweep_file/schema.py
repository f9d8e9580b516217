"""The JSON Schema of sweep files, for editors that complete and check while one types.

It is made from the models that read the files. What needs a system or data (names of weights, image sizes) is not in
it: `i2i-cluster plan` checks those.
"""

from __future__ import annotations

from typing import Any

from orchestrator.sweep_file.sweep import Sweep

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def sweep_schema() -> dict[str, Any]:
    """The schema as JSON-able values."""
    schema = Sweep.model_json_schema()
    _drop_titles(schema)
    return {"$schema": DIALECT, "title": "sweep.yaml of i2i-cluster", **schema}


def _drop_titles(part: Any) -> None:
    """Remove the titles that pydantic derives from names: an editor would show "Lr Ratio" beside lr_ratio."""
    if isinstance(part, list):
        for item in part:
            _drop_titles(item)
    elif isinstance(part, dict):
        if isinstance(part.get("title"), str):
            del part["title"]
        for item in part.values():
            _drop_titles(item)
