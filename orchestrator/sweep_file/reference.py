"""The sweep file's reference in Markdown, made from the schema: a key is described once, where it is declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.sweep_file.schema import sweep_schema

Schema = Mapping[str, Any]

HEAD = """# The sweep file

One YAML file says what to train and what to search. This page is made from the program's own declarations
(`i2i-cluster schema --markdown`); `i2i-cluster schema` prints the same as JSON Schema, for completion in editors.

Numbers may be written as people write them: `20_000`, `20k`, `1e-3`; durations `6h`, `1h30m`; sizes `256MB`, `4GiB`.
Names of weights are terms (`cyc_a`), groups (`cyc`) or the papers' symbols (`lambda_cyc`, `alpha_2A`); names under `hyper` are the
system's own: `i2i-cluster systems NAME` lists both.

| key | default | meaning |
| --- | --- | --- |
"""

TAIL = """
## Search

Each entry of `search` names a setting and how its values are drawn:

```yaml
search:
  weights.l1: {log_uniform: [20, 300]}        # evenly on a logarithmic scale
  hyper.dropout: {uniform: [0, 0.5]}
  hyper.width: {int_uniform: [16, 64]}        # whole numbers, both ends included
  balance.lr_ratio: {choice: [0.25, 0.5, 1]}  # the only kind that a grid takes
```

Trial 0 is always the system's preset, with the values fixed in the file. What trial 7 draws for an axis depends on the seed, the
axis and the number 7 alone: adding an axis or a trial leaves the others as they were.

## Objective

An evaluation score, or a raw term (`loss/<term>`) that no searched weight acts on. The weighted loss is refused, since the smallest
weights would win; so is a score that is the validation value of a term whose weight is searched (`eval/cycle` with `weights.cyc`):
the largest weight would win. Scores against a truth that training does not see (`eval/ssim`, `eval/l1` ...) may always judge;
they need data whose validation pictures are pairs. [Scores](scores.md) tells what each is, what it needs, and how it deceives.

Unpaired data have no truth. There, fix the weight whose score is to judge (`weights: {cyc: 10}`, `metric: eval/cycle`), or take an
adversarial term such as `loss/adv_ab`: a weak judge, as every trial is measured by a critic of its own. Look at the pictures.

## What makes a sweep the same sweep

Its id is a hash of what is written in the file, and of the data set's manifest. Free to change between two submits are: `name`,
`storage`, `cluster`, `metrics`, `budget`, `data.cache`, `every.report`, `resources` (apart from `threads`), and `trials`, which may
be raised. Any other change is a new sweep, and `submit` says which keys differ from the nearest old one.
"""


def sweep_reference() -> str:
    """The page."""
    schema = sweep_schema()
    rows = "".join(f"| `{key}` | {default} | {meaning} |\n" for key, default, meaning in _rows(schema, schema, ""))
    return HEAD + rows + TAIL


def _rows(part: Schema, schema: Schema, prefix: str) -> Iterator[tuple[str, str, str]]:
    """(dotted key, default, description) of a mapping and the mappings in it."""
    needed = part.get("required", ())
    for name, value in part["properties"].items():
        key = f"{prefix}{name}"
        inner = _mapping(value, schema)
        if inner is not None:
            yield from _rows(inner, schema, f"{key}.")
            continue
        yield key, _default(value, name in needed), _meaning(value)


def _mapping(value: Schema, schema: Schema) -> Schema | None:
    """The mapping with keys of its own that a value is, or may be; None for anything else."""
    for option in (value, *value.get("anyOf", ()), *value.get("allOf", ())):
        if "$ref" in option:
            found: Schema = schema["$defs"][option["$ref"].rsplit("/", 1)[1]]
            return found if "properties" in found else None
        if "properties" in option:
            mapping: Schema = option
            return mapping
    return None


def _default(value: Schema, needed: bool) -> str:
    if needed:
        return "required"
    default = value.get("default")
    if default in (None, {}):
        return ""
    text = (
        str(default).lower()
        if isinstance(default, bool)
        else f"{default:.6g}"
        if isinstance(default, float)
        else str(default)
    )
    return f"`{text}`"


def _meaning(value: Schema) -> str:
    """The description, and the words a value may be."""
    words = value.get("enum")
    choices = f" One of: {', '.join(f'`{word}`' for word in words)}." if words else ""
    return str(value.get("description", "")).replace("|", "\\|") + choices
